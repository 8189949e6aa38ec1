// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the process may spend: where the limits come from, that two tables share them, and who pays.

#include "hw/blob/process_budgets.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace vramlink::test {
namespace {

namespace fs = std::filesystem;

TEST(Budget, AChildTakesFromItsParent)
{
    Budget process(10, "the process");
    Budget first(8, "a table", &process);
    Budget second(8, "another", &process);
    std::optional<Charge> six = first.take(6);
    ASSERT_TRUE(six);
    EXPECT_EQ(process.used(), 6U);
    EXPECT_FALSE(first.take(3)) << "its own limit";
    EXPECT_EQ(first.over(), "over the 2 that are left of 8 (a table)");
    EXPECT_FALSE(second.take(5)) << "the process's";
    EXPECT_EQ(second.over(), "over the 4 that are left of 10 (the process)");
    EXPECT_EQ(second.used(), 0U);
    EXPECT_TRUE(second.take(4));
    six.reset();
    EXPECT_EQ(process.used(), 0U);
}

TEST(Budget, ItsChargesKeepItAlive)
{
    Budget process(10);
    auto table = std::make_shared<Budget>(10, "a table", &process);
    const std::weak_ptr<Budget> watched = table;
    Charge kept;
    {
        Charge charge = std::move(*table->take(3));
        kept = std::move(charge);
    }
    table.reset();
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(process.used(), 3U);
    kept = Charge();
    EXPECT_TRUE(watched.expired());
    EXPECT_EQ(process.used(), 0U);
}

TEST(Budget, ALimitThatShrinksLeavesNothing)
{
    Budget budget(10);
    const auto charge = budget.take(6);
    budget.set_limit(4);
    EXPECT_EQ(budget.left(), 0U);
    EXPECT_FALSE(budget.take(1));
}

class Files : public testing::Test {
  protected:
    void write(const fs::path &path, const std::string &text)
    {
        fs::create_directories((folder / path).parent_path());
        std::ofstream(folder / path) << text;
    }
    [[nodiscard]] uint64_t memory_max() const
    {
        return smallest_memory_max(folder / "membership", folder / "hierarchy");
    }
    ~Files() override { fs::remove_all(folder); }

    fs::path folder = testing::TempDir() + "vrl-budget-" + std::to_string(::getpid());
};

TEST_F(Files, TheSmallestControlGroupCounts)
{
    write("membership", "12:cpuset:/old\n0::/machine.slice/vm.scope/emulator\n");
    write("hierarchy/machine.slice/memory.max", "1000\n");
    write("hierarchy/machine.slice/vm.scope/memory.max", "3000\n");
    write("hierarchy/machine.slice/vm.scope/emulator/memory.max", "max\n");
    EXPECT_EQ(memory_max(), 1000U);
    write("hierarchy/machine.slice/vm.scope/emulator/memory.max", "500\n");
    EXPECT_EQ(memory_max(), 500U);
    write("hierarchy/machine.slice/vm.scope/emulator/memory.max", "max\n");
    write("hierarchy/machine.slice/memory.max", "max\n");
    write("hierarchy/memory.max", "2000\n");
    EXPECT_EQ(memory_max(), 2000U);
}

TEST_F(Files, WithoutControlGroupsThereIsNoLimit)
{
    EXPECT_EQ(memory_max(), Budget::unlimited);
    write("membership", "4:memory:/somewhere\n");
    EXPECT_EQ(memory_max(), Budget::unlimited) << "version 1 only";
    write("membership", "0::/../elsewhere\n");
    write("elsewhere/memory.max", "7\n");
    EXPECT_EQ(memory_max(), Budget::unlimited) << "outside of what the process sees";
}

TEST_F(Files, Mappings)
{
    write("max_map_count", "2000\n");
    const Limit limit = mapping_limit(folder / "max_map_count");
    EXPECT_EQ(limit.value, 1000U);
    EXPECT_EQ(limit.from, "half of vm.max_map_count");
    EXPECT_EQ(mapping_limit(folder / "none").value, 65530U / 2);
}

TEST(ProcessLimits, HostMemoryIsTheLeastOfThree)
{
    constexpr uint64_t gib = 1ULL << 30;
    EXPECT_EQ(host_memory_limit(64 * gib, Budget::unlimited).value, gib / 2);
    EXPECT_EQ(host_memory_limit(2 * gib, Budget::unlimited).value, gib / 4);
    EXPECT_EQ(host_memory_limit(2 * gib, Budget::unlimited).from, "an eighth of the machine's memory");
    EXPECT_EQ(host_memory_limit(2 * gib, gib).value, gib / 8);
    EXPECT_EQ(host_memory_limit(2 * gib, gib).from, "an eighth of the control group's memory.max");
}

/// Ends the process: with 0 when its limits lead to the right ones.
void limit_this_process()
{
    const rlimit files{256, 256};
    uint64_t pages = 0; // that there are: a sanitizer has terabytes of them
    std::ifstream("/proc/self/statm") >> pages;
    constexpr uint64_t space = 1ULL << 40; // beside these
    const rlimit address_space{pages * page + space, pages * page + space};
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0 || ::setrlimit(RLIMIT_AS, &address_space) != 0)
        std::_Exit(2);
    const Limit left = address_space_limit();
    const bool right = descriptor_limit().value == 128 && left.value <= space / 4 && left.value > space / 5 &&
                       left.from == "a quarter of what RLIMIT_AS leaves";
    std::_Exit(right ? 0 : 1);
}

TEST(ProcessLimits, FollowTheProcesssOwn)
{
    EXPECT_EXIT(limit_this_process(), testing::ExitedWithCode(0), "");
}

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t ram_gpa = 0x1'0000'0000;
constexpr uint64_t size = 64 * page;

struct FreeTable {
    void operator()(vrl_table *table) const { vrl_table_free(table); }
};
using Table = std::unique_ptr<vrl_table, FreeTable>;

class Accounts : public testing::Test {
  protected:
    Accounts() : Accounts(vrl_limits{}) {}
    explicit Accounts(const vrl_limits &limits) : bench(limits, 30000, 4), other(make_other(limits))
    {
        bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar"), 0, size);
        bench.vmm.map(ram_gpa, bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "ram"), 0, size);
    }
    Table make_other(const vrl_limits &limits)
    {
        return Table(
            new_table(bench.vmm.ops(), &bench.vmm, &limits, Host{bench.calls, bench.process, bench.clock}));
    }
    static vrl_plan shared_by(vrl_table *table, uint32_t id, uint64_t gpa = bar_gpa)
    {
        const vrl_entry entry{gpa, page, 0};
        EXPECT_EQ(vrl_table_create(table, id, page, &entry, 1), VRL_OK);
        return vrl_table_plan(table, id);
    }
    [[nodiscard]] static nlohmann::json charged(vrl_table *table)
    {
        const std::unique_ptr<char, decltype(&std::free)> text(vrl_table_stats_json(table), &std::free);
        return nlohmann::json::parse(text.get())["totals"]["charged"];
    }

    Bench bench;
    Table other;
};

TEST_F(Accounts, TwoTablesShareTheProcesssDescriptors)
{
    EXPECT_EQ(shared_by(bench.get(), 1), VRL_PLAN_SHARED);
    EXPECT_EQ(shared_by(bench.get(), 2), VRL_PLAN_SHARED);
    EXPECT_EQ(shared_by(other.get(), 1), VRL_PLAN_SHARED);
    EXPECT_EQ(shared_by(other.get(), 2), VRL_PLAN_SHARED);
    EXPECT_EQ(shared_by(other.get(), 3), VRL_PLAN_MAPPED) << "four is what the process has";
    EXPECT_EQ(shared_by(bench.get(), 3), VRL_PLAN_MAPPED);
    EXPECT_EQ(charged(bench.get())["descriptors"], 2);
    EXPECT_EQ(charged(other.get())["descriptors"], 2);
    other.reset();
    EXPECT_EQ(shared_by(bench.get(), 4), VRL_PLAN_SHARED);
}

TEST_F(Accounts, GlueIsChargedToo)
{
    vrl_charge *three = vrl_table_charge(bench.get(), VRL_RESOURCE_DESCRIPTORS, 3, "an import");
    ASSERT_NE(three, nullptr);
    EXPECT_EQ(charged(bench.get())["descriptors"], 3);
    EXPECT_EQ(charged(other.get())["descriptors"], 0);
    EXPECT_EQ(vrl_table_charge(other.get(), VRL_RESOURCE_DESCRIPTORS, 2, "an import"), nullptr);
    EXPECT_TRUE(bench.vmm.logged(
        "an import: 2 descriptors are over the 1 that are left of 4 (a test's descriptors)"));
    EXPECT_EQ(bench.vmm.log.back().level, VRL_LOG_GUEST);
    vrl_charge_free(three);
    three = vrl_table_charge(other.get(), VRL_RESOURCE_DESCRIPTORS, 4, "an import");
    EXPECT_NE(three, nullptr);
    vrl_charge_free(three);
    vrl_charge_free(nullptr);
}

TEST_F(Accounts, AChargeOutlivesItsTable)
{
    vrl_charge *surface = vrl_table_charge(other.get(), VRL_RESOURCE_HOST_MEMORY, 5000, "a surface");
    ASSERT_NE(surface, nullptr);
    other.reset();
    EXPECT_EQ(bench.process.host_memory.used(), 5000U);
    vrl_charge_free(surface);
    EXPECT_EQ(bench.process.host_memory.used(), 0U);
}

TEST_F(Accounts, AStillIsPaidForInFull)
{
    vrl_still *still = vrl_still_new(bench.get(), page, 3);
    ASSERT_NE(still, nullptr);
    const nlohmann::json expected{{"descriptors", 1},
                                  {"mappings", 1},
                                  {"address_space", 3 * page},
                                  {"host_memory", 3 * page},
                                  {"pinned", 0}};
    EXPECT_EQ(charged(bench.get()), expected);
    vrl_charge *rest = vrl_table_charge(bench.get(), VRL_RESOURCE_DESCRIPTORS, 3, "an import");
    EXPECT_EQ(vrl_still_new(bench.get(), page, 1), nullptr);
    EXPECT_TRUE(bench.vmm.logged("a still takes 1 descriptor, over the 0 that are left of 4"));
    vrl_charge_free(rest);
    vrl_still_free(still);
}

class HalfOfRam : public Accounts {
  protected:
    HalfOfRam() : Accounts(limits()) {}
    static vrl_limits limits()
    {
        vrl_limits limits{};
        limits.max_bytes_pinned = 3 * page;
        limits.max_bytes_copied = 2 * page;
        return limits;
    }
};

TEST_F(HalfOfRam, WhatDmaBufsPinIsBoundedOverAllTables)
{
    EXPECT_EQ(shared_by(bench.get(), 1, ram_gpa), VRL_PLAN_SHARED);
    const vrl_entry two{ram_gpa, 2 * page, 0};
    EXPECT_EQ(vrl_table_create(other.get(), 1, 2 * page, &two, 1), VRL_OK);
    EXPECT_EQ(vrl_table_plan(other.get(), 1), VRL_PLAN_SHARED);
    EXPECT_EQ(charged(other.get())["pinned"], 2 * page);
    EXPECT_EQ(shared_by(bench.get(), 2, ram_gpa), VRL_PLAN_MAPPED);
    EXPECT_TRUE(bench.vmm.logged("a dma-buf would pin 4096 bytes, over the 0 that are left of 12288 (the "
                                 "guest's RAM)"));
    EXPECT_EQ(shared_by(bench.get(), 3, bar_gpa), VRL_PLAN_SHARED) << "VRAM is not pinned";
    EXPECT_EQ(vrl_table_detach(other.get(), 1), VRL_OK);
    EXPECT_EQ(shared_by(bench.get(), 4, ram_gpa), VRL_PLAN_SHARED);
}

TEST_F(HalfOfRam, ADmaBufFurtherInsideHoldsTheSamePages)
{
    const vrl_entry three{ram_gpa, 3 * page, 0};
    EXPECT_EQ(vrl_table_create(bench.get(), 1, 3 * page, &three, 1), VRL_OK);
    EXPECT_GE(bench.dmabuf(1, page), 0);
    EXPECT_EQ(charged(bench.get())["pinned"], 3 * page);
}

TEST_F(HalfOfRam, ATablesOwnLimitOnHostMemory)
{
    vrl_charge *first = vrl_table_charge(bench.get(), VRL_RESOURCE_HOST_MEMORY, 2 * page, "a surface");
    EXPECT_NE(first, nullptr);
    EXPECT_EQ(vrl_table_charge(bench.get(), VRL_RESOURCE_HOST_MEMORY, 1, "a surface"), nullptr);
    EXPECT_TRUE(
        bench.vmm.logged("a surface: 1 byte is over the 0 that are left of 8192 (the device's limit on "
                         "host memory)"));
    vrl_charge *others = vrl_table_charge(other.get(), VRL_RESOURCE_HOST_MEMORY, 2 * page, "a surface");
    EXPECT_NE(others, nullptr) << "which is not another's";
    vrl_charge_free(first);
    vrl_charge_free(others);
}

TEST(Limits, AreTold)
{
    const Bench usual;
    EXPECT_EQ(vrl_table_max_entries(usual.get()), VRL_DEFAULT_MAX_ENTRIES);
    vrl_limits limits{};
    limits.max_entries = 77;
    const Bench bench(limits);
    EXPECT_EQ(vrl_table_max_entries(bench.get()), 77U);
}

} // namespace
} // namespace vramlink::test
