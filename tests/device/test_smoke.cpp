// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/picture.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {

TEST(Smoke, Stock2d)
{
    Machine machine({.gpu = "virtio-gpu-pci,id=vram0"});
    Gpu gpu(machine);
    const Picture picture = paint(64, 48, 1);
    const std::uint64_t ram = vm_alloc(machine.raw(), picture.bytes());
    const auto entries = linear(ram, picture.bytes());
    put(machine, entries, picture);
    EXPECT_STREQ(answer_name(gpu.create_2d(1, 64, 48)), "OK");
    EXPECT_STREQ(answer_name(gpu.attach(1, entries)), "OK");
    EXPECT_STREQ(answer_name(gpu.transfer_to_host_2d(1, {0, 0, 64, 48})), "OK");
    EXPECT_STREQ(answer_name(gpu.set_scanout(0, 1, {0, 0, 64, 48})), "OK");
    EXPECT_STREQ(answer_name(gpu.flush(1, {0, 0, 64, 48})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
    EXPECT_EQ(machine.new_messages(), "");
}

} // namespace vramlink::test
