// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the device cannot know on this host, or of this machine: it finds out when it is made, says so once,
// and shows it in its status.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace vramlink::test {
namespace {

constexpr const char *unread = "/proc/self/fdinfo cannot be read";
constexpr const char *silent_iommu = "the guest's IOMMU does not tell of its unmaps";

bool warned(Machine &machine, const std::string &of)
{
    const Json stats = machine.stats();
    return std::ranges::any_of(stats.value("warnings", Json::array()), [&](const Json &sentence) {
        return sentence.get<std::string>().find(of) != std::string::npos;
    });
}

std::size_t times(const std::string &text, const std::string &of)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + 1))
        count++;
    return count;
}

void expect_warning(const Machine::Options &options, const std::string &of)
{
    Machine machine(options);
    EXPECT_TRUE(eventually([&] { return warned(machine, of); })) << machine.stats().dump();
    Gpu gpu(machine);
    const auto memory = vm_alloc(machine.raw(), page);
    for (int i = 0; i < 3; i++) {
        EXPECT_STREQ(answer_name(gpu.create_blob(10, page, linear(memory, page))), "OK");
        EXPECT_STREQ(answer_name(gpu.unref(10)), "OK");
    }
    const std::string messages = machine.new_messages();
    EXPECT_EQ(times(messages, of), 1u) << messages;
}

TEST(Warnings, WhoHoldsABufferCannotBeSeen)
{
    expect_warning({.preload = blind_library()}, unread);
}

TEST(Warnings, AnAmdIommuTellsOfNoUnmaps)
{
    expect_warning({.devices = "-device amd-iommu,pt=off", // with pt=on QEMU never translates
                    .gpu = "virtio-gpu-vram-pci,id=vram0,iommu_platform=on,disable-legacy=on",
                    .machine = "q35"},
                   silent_iommu);
}

TEST(Warnings, ThereAreNoneElsewhere)
{
    Machine machine({});
    Gpu gpu(machine);
    EXPECT_EQ(machine.stats()["warnings"], Json::array());
}

} // namespace
} // namespace vramlink::test
