// SPDX-License-Identifier: GPL-2.0-or-later
//
// The same as test_iommu.cpp behind an intel-iommu: page tables in guest memory, invalidation through
// registers (Intel VT-d specification, 3.4 and 9; legacy mode).

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <array>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint64_t window = 0x4000000000;
constexpr std::uint64_t domain = 1;

/// The guest's driver of the remapping unit. One 4-level table: RAM is mapped to itself in 2 MiB pages, @c
/// window page by page.
class Vtd {
  public:
    explicit Vtd(Machine &machine) : machine_(machine) {}

    /// Translates for the device at @p slot of bus 0 from now on.
    void enable(unsigned slot)
    {
        constexpr std::uint64_t present = 1;
        constexpr std::uint64_t four_levels = 2;
        constexpr unsigned context_size = 16;
        const std::uint64_t context = table();
        const std::uint64_t root = table();
        put64(root, context | present);
        put64(context + (slot << 3) * context_size, top_ | present);
        put64(context + (slot << 3) * context_size + 8, four_levels | domain << 8);
        map_ram();
        constexpr std::uint64_t root_register = 0x20;
        constexpr std::uint64_t command_register = 0x18;
        constexpr std::uint32_t set_root = 1U << 30;
        constexpr std::uint32_t enable_translation = 1U << 31;
        put64(registers + root_register, root);
        put32(registers + command_register, set_root);
        put32(registers + command_register, enable_translation);
    }
    void map(std::uint64_t address, std::uint64_t physical)
    {
        put64(leaf_of(address), physical | read_write);
    }
    /// Clears the entry and invalidates the page, as drivers do.
    void unmap(std::uint64_t address)
    {
        constexpr std::uint64_t address_register = 0xf0;
        constexpr std::uint64_t invalidate_register = 0xf8;
        constexpr std::uint64_t invalidate = 1ULL << 63;
        constexpr std::uint64_t one_page = 3ULL << 60;
        put64(leaf_of(address), 0);
        put64(registers + address_register, address);
        put64(registers + invalidate_register, invalidate | one_page | domain << 32);
    }

  private:
    static constexpr std::uint64_t registers = 0xfed90000;
    static constexpr std::uint64_t read_write = 3;
    static constexpr std::uint64_t large = 1 << 7;
    static constexpr std::uint64_t address_mask = ~std::uint64_t{0xfff};

    std::uint64_t table()
    {
        const std::uint64_t at = vm_alloc(machine_.raw(), page);
        const std::array<std::uint8_t, page> zero{};
        vm_write(machine_.raw(), at, zero.data(), zero.size());
        return at;
    }
    void put64(std::uint64_t at, std::uint64_t value) { vm_write(machine_.raw(), at, &value, sizeof value); }
    void put32(std::uint64_t at, std::uint32_t value) { vm_write(machine_.raw(), at, &value, sizeof value); }
    /// The place of the entry for @p address in the table at @p level (1: pages); makes tables on the way.
    std::uint64_t entry_of(std::uint64_t address, unsigned level)
    {
        std::uint64_t at = top_;
        for (unsigned l = 4;; l--) {
            const std::uint64_t entry = at + (address >> (12 + 9 * (l - 1)) & 0x1ff) * 8;
            if (l == level)
                return entry;
            std::uint64_t next = 0;
            vm_read(machine_.raw(), entry, &next, sizeof next);
            if (next == 0)
                put64(entry, next = table() | read_write);
            at = next & address_mask;
        }
    }
    std::uint64_t leaf_of(std::uint64_t address) { return entry_of(address, 1); }
    void map_ram()
    {
        constexpr std::uint64_t step = 2 << 20;
        for (std::uint64_t at = 0; at < Machine::ram_size; at += step)
            put64(entry_of(at, 2), at | read_write | large);
    }

    Machine &machine_;
    std::uint64_t top_ = table();
};

/// VFIO wants to be told of every mapping, which is what caching-mode is for.
Machine::Options options(Where where)
{
    auto chosen = ground_options(where);
    chosen.devices = "-device intel-iommu,caching-mode=on " + chosen.devices;
    chosen.machine = "q35";
    chosen.gpu += ",iommu_platform=on";
    return chosen;
}

class BehindIntelIommu : public testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(All, BehindIntelIommu, testing::Values(Where::Ivshmem),
                         [](auto &) { return "Bar"; });
INSTANTIATE_TEST_SUITE_P(VfioKinds, BehindIntelIommu, testing::Values(Where::Vfio),
                         [](auto &) { return "Bar"; });

TEST_P(BehindIntelIommu, ShownUntilTheGuestUnmaps)
{
    Machine machine(options(GetParam()));
    Vtd iommu(machine);
    iommu.enable(Machine::gpu_slot);
    Gpu gpu(machine);
    const Machine::Bar near = machine.map_bar(Ground::near_slot, 2);
    const Picture picture = paint(Ground::width, Ground::height, 1);
    const auto entries = scattered(window, picture.pages(), 1);
    const auto map = [&] {
        for (std::uint32_t i = 0; i < picture.pages(); i++)
            iommu.map(window + i * page, near.address + i * page);
    };
    put(machine, scattered(near.address, picture.pages(), 1), picture);
    map();
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
    EXPECT_EQ(machine.blob(id)["plan"], GetParam() == Where::Vfio ? "shared" : "mapped");

    iommu.map(window + 64 * page, near.address);
    iommu.unmap(window + 64 * page);
    EXPECT_EQ(machine.blob(id)["state"], "backed") << "an unmap elsewhere";

    iommu.unmap(window + page);
    EXPECT_EQ(machine.blob(id)["state"], "revoked");
    EXPECT_NE(difference(picture, screendump(machine)), "") << "the memory is still shown";
    EXPECT_STREQ(answer_name(gpu.attach(id, entries)), "ERR_INVALID_PARAMETER") << "a page is not mapped";

    map();
    EXPECT_STREQ(answer_name(gpu.attach(id, entries)), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
}

} // namespace
} // namespace vramlink::test
