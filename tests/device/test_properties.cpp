// SPDX-License-Identifier: GPL-2.0-or-later
//
// The device's properties: what is wrong with a value is said when the device is made.

#include "tests/device/machine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

namespace vramlink::test {
namespace {

TEST(Properties, ABadValueIsRefusedInWords)
{
    Machine machine({});
    struct Wrong {
        const char *property;
        Json value;
        const char *sentence;
    };
    const Wrong wrong[] = {
        {"layouts", "NV21", "'NV21' is none of the formats XR24"},
        {"layouts", "XR24:0x", "the modifier '0x' of XR24"},
        {"layouts", "XR24:0x10000000000000000", "the modifier '0x10000000000000000' of XR24"},
        {"layouts", "XR24:tiled", "the modifier 'tiled' of XR24"},
        {"layouts", "XR24,XR24:1", "XR24 is named twice"},
        {"layouts", "NV12,", "ends with a comma"},
        {"layouts", ",NV12", "'' is none of"},
        {"let-go-ms", 0, "let-go-ms is 0; it must be from 1 to 60000"},
        {"let-go-ms", 60'001, "let-go-ms is 60001; it must be from 1 to 60000"},
    };
    for (const auto &[property, value, sentence] : wrong) {
        Json command{{"execute", "device_add"},
                     {"arguments", {{"driver", "virtio-gpu-vram-pci"}, {"id", "second"}, {"addr", "8"}}}};
        command["arguments"][property] = value;
        const std::unique_ptr<char, decltype(&std::free)> answer(
            vm_qmp(machine.raw(), command.dump().c_str()), std::free);
        EXPECT_NE(std::string(answer.get()).find(sentence), std::string::npos)
            << property << ' ' << value << ": " << answer.get();
    }
}

} // namespace
} // namespace vramlink::test
