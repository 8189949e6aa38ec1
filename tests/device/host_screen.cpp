// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/host_screen.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace vramlink::test {

HostScreen::HostScreen(const char *port) : client_(UniqueFd(::open(port, O_RDWR | O_CLOEXEC)))
{
    EXPECT_TRUE(client_.connected()) << port;
}

const Picture &HostScreen::look()
{
    client_.request(false);
    EXPECT_TRUE(client_.update());
    return client_.picture();
}

bool HostScreen::comes(const Picture &picture)
{
    return eventually([&] { return difference(picture, look()).empty(); });
}

} // namespace vramlink::test
