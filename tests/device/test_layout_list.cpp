// SPDX-License-Identifier: GPL-2.0-or-later
//
// The property `layouts`: what is wrong with a list is said when the device is made.

#include "tests/device/machine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace vramlink::test {
namespace {

TEST(Layouts, ABadListIsRefusedInWords)
{
    Machine machine({});
    const std::pair<const char *, const char *> wrong[] = {
        {"NV21", "'NV21' is none of the formats XR24"},
        {"XR24:0x", "the modifier '0x' of XR24"},
        {"XR24:0x10000000000000000", "the modifier '0x10000000000000000' of XR24"},
        {"XR24:tiled", "the modifier 'tiled' of XR24"},
        {"XR24,XR24:1", "XR24 is named twice"},
        {"NV12,", "ends with a comma"},
        {",NV12", "'' is none of"},
    };
    for (const auto &[list, sentence] : wrong) {
        const Json command{
            {"execute", "device_add"},
            {"arguments",
             {{"driver", "virtio-gpu-vram-pci"}, {"id", "second"}, {"addr", "8"}, {"layouts", list}}}};
        const std::unique_ptr<char, decltype(&std::free)> answer(
            vm_qmp(machine.raw(), command.dump().c_str()), std::free);
        EXPECT_NE(std::string(answer.get()).find(sentence), std::string::npos)
            << list << ": " << answer.get();
    }
}

} // namespace
} // namespace vramlink::test
