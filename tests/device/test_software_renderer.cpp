// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which host GPU's compositor draws with the CPU: the lab's, a virtio-gpu without 3D.

#include "hw/prime/software_renderer.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace vramlink::test {
namespace {

dev_t device_of(const char *node)
{
    struct stat about {};
    EXPECT_EQ(stat(node, &about), 0) << node;
    return about.st_rdev;
}

TEST(VfioHostGpu, AVirtioGpuWithout3dDrawsWithTheCpu)
{
    EXPECT_TRUE(draws_with_cpu(device_of("/dev/dri/card0")));
    EXPECT_TRUE(draws_with_cpu(device_of("/dev/dri/renderD128")));
    EXPECT_FALSE(draws_with_cpu(device_of("/dev/null"))) << "no DRM device";
}

} // namespace
} // namespace vramlink::test
