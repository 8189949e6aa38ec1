// SPDX-License-Identifier: GPL-2.0-or-later
//
// The device behind a vIOMMU: translations go through it, and end when the guest's IOMMU driver ends them.

#include "tests/device/ground.hpp"
#include "tests/device/iommu.hpp"
#include "tests/device/shared.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint64_t window = 0x4000000000; ///< device addresses that are no guest physical addresses

struct Kind {
    const char *name;
    Where where; ///< what owns the BARs
    bool in_ram; ///< the blob lies in guest RAM, else in a BAR
    const char *plan;
};

void PrintTo(const Kind &kind, std::ostream *out)
{
    *out << kind.name;
}

Machine::Options options(Where where)
{
    auto chosen = ground_options(where);
    chosen.devices = Iommu::device() + chosen.devices;
    chosen.gpu += ",iommu_platform=on";
    return chosen;
}

/// RAM is mapped, and nothing else.
struct Guest {
    explicit Guest(const Machine::Options &options) : machine(options)
    {
        iommu.attach(Machine::gpu_slot);
        iommu.map(0, Machine::ram_size, 0); // rings and commands
    }

    Machine machine;
    Gpu gpu{machine};
    Iommu iommu{machine};
    Machine::Bar near = machine.map_bar(Ground::near_slot, 2);
    std::uint64_t ram = vm_alloc(machine.raw(), 4 * page);
};

Guest &guest_for(Where where)
{
    Guest *left = Shared::take_over<Guest>(options(where));
    if (left == nullptr)
        return Shared::leave(options(where), std::make_unique<Guest>(options(where)));
    return *left;
}

class BehindIommu : public testing::TestWithParam<Kind> {
  protected:
    BehindIommu()
    {
        put(machine_, scattered(memory_, picture_.pages(), 1), picture_);
        map_window();
        EXPECT_STREQ(answer_name(gpu_.create_blob(id, picture_.bytes(), entries_)), "OK");
        EXPECT_STREQ(answer_name(gpu_.set_scanout_blob(Ground::scanout_of(id, picture_))), "OK");
    }
    ~BehindIommu() override
    {
        EXPECT_STREQ(answer_name(gpu_.unref(id)), "OK");
        unmap_window();
        EXPECT_EQ(machine_.stats()["totals"]["live"], 0);
    }
    BehindIommu(const BehindIommu &) = delete;
    BehindIommu &operator=(const BehindIommu &) = delete;
    void map_window() { iommu_.map(window, picture_.pages() * page, memory_); }
    void unmap_window() { iommu_.unmap(window, picture_.pages() * page); }
    [[nodiscard]] int revocations() { return machine_.stats()["totals"]["revocations"]; }

    Guest &guest_ = guest_for(GetParam().where);
    Machine &machine_ = guest_.machine;
    Gpu &gpu_ = guest_.gpu;
    Iommu &iommu_ = guest_.iommu;
    Picture picture_ = paint(Ground::width, Ground::height, 1);
    std::uint64_t memory_ = GetParam().in_ram ? guest_.ram : guest_.near.address;
    std::vector<Entry> entries_ = scattered(window, picture_.pages(), 1);
};

std::string kind_name(const testing::TestParamInfo<Kind> &info)
{
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, BehindIommu,
                         testing::Values(Kind{"Bar", Where::Ivshmem, false, "mapped"},
                                         Kind{"Ram", Where::Ivshmem, true, nullptr}),
                         kind_name);
INSTANTIATE_TEST_SUITE_P(VfioKinds, BehindIommu,
                         testing::Values(Kind{"Bar", Where::Vfio, false, "shared"},
                                         Kind{"Ram", Where::Vfio, true, "shared"}),
                         kind_name);

TEST_P(BehindIommu, IsShown)
{
    EXPECT_EQ(difference(picture_, screendump(machine_)), "");
    if (GetParam().plan) {
        EXPECT_EQ(machine_.blob(id)["plan"], std::string(GetParam().plan)) << machine_.blob(id).dump();
    }
}

TEST_P(BehindIommu, AnUnmapRevokes)
{
    unmap_window();
    EXPECT_EQ(machine_.held().dmabufs, 0);
    EXPECT_EQ(machine_.blob(id)["state"], "revoked");
    EXPECT_NE(machine_.blob(id).value("revoked", "").find("IOMMU"), std::string::npos);
    EXPECT_NE(difference(picture_, screendump(machine_)), "") << "the memory is still shown";
    EXPECT_STREQ(answer_name(gpu_.flush(id, {0, 0, Ground::width, Ground::height})),
                 "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(gpu_.detach(id)), "OK");
    EXPECT_STREQ(answer_name(gpu_.attach(id, entries_)), "ERR_INVALID_PARAMETER")
        << "nothing is mapped there";

    map_window();
    EXPECT_STREQ(answer_name(gpu_.attach(id, entries_)), "OK");
    EXPECT_EQ(difference(picture_, screendump(machine_)), "");
}

/// Drivers map and unmap buffers for other devices, and for this one, all day.
TEST_P(BehindIommu, AnUnmapElsewhereRevokesNothing)
{
    constexpr std::uint64_t elsewhere = window + (1ULL << 30);
    const int before = revocations();
    iommu_.map(elsewhere, page, memory_);
    iommu_.unmap(elsewhere, page);
    EXPECT_EQ(machine_.blob(id)["state"], "backed");
    EXPECT_EQ(revocations(), before);
    EXPECT_EQ(difference(picture_, screendump(machine_)), "");
}

TEST_P(BehindIommu, OnlyTheBlobsOfTheMappingGo)
{
    constexpr std::uint64_t other_window = window + (1ULL << 30);
    constexpr std::uint32_t other = 11;
    iommu_.map(other_window, page, memory_);
    EXPECT_STREQ(answer_name(gpu_.create_blob(other, page, linear(other_window, page))), "OK");
    iommu_.unmap(other_window, page);
    EXPECT_EQ(machine_.blob(other)["state"], "revoked");
    EXPECT_EQ(machine_.blob(id)["state"], "backed");
    EXPECT_EQ(difference(picture_, screendump(machine_)), "");
    EXPECT_STREQ(answer_name(gpu_.unref(other)), "OK");
}

} // namespace
} // namespace vramlink::test
