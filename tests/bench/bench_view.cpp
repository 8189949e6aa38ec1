// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reading a 4K framebuffer of the worst scatter (8,100 single pages, none beside its neighbour): through the
// mapped view, by gathering it into a copy, and, to compare with, one memcpy from a single mapping of as much
// of the same memory.

#include "hw/view/bus_guard.hpp"
#include "hw/view/copied_view.hpp"
#include "hw/view/mapped_view.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t pages = 8100;
constexpr uint64_t bytes = pages * page;
constexpr uint64_t enough_maps = 20'000;

/// The framebuffer, and memory to read it into.
struct Frame {
    Frame()
    {
        std::vector<uint64_t> order(pages);
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), std::mt19937(1));
        region = std::make_shared<Region>(Region{.id = 1,
                                                 .kind = RegionKind::SharedRam,
                                                 .fd = file.file(),
                                                 .size = file.raw.size,
                                                 .map_offset = file.raw.map_offset,
                                                 .host = static_cast<std::byte *>(file.raw.host),
                                                 .name = "VRAM"});
        for (const uint64_t place : order)
            memory.append(region, 2 * place * page, page);
    }
    FakeRegion file{1, VRL_REGION_SHARED_RAM, 2 * bytes, "VRAM"};
    std::shared_ptr<const Region> region;
    ExtentList memory;
    Budget maps{enough_maps}, address_space{Budget::unlimited}, host_memory{Budget::unlimited};
    const ViewBudgets budgets{maps, address_space, host_memory};
    std::vector<std::byte> target{bytes};
};

void account(benchmark::State &state)
{
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

void memcpy_one_mapping(benchmark::State &state)
{
    Frame frame;
    const std::byte *from = frame.region->host;
    std::memcpy(frame.target.data(), from, bytes); // page faults are the first frame's
    while (state.KeepRunning()) {
        std::memcpy(frame.target.data(), from, bytes);
        benchmark::ClobberMemory();
    }
    account(state);
}

void read_mapped_view(benchmark::State &state)
{
    Frame frame;
    auto view = MappedView::make(frame.memory, {0, bytes}, frame.budgets);
    if (!view)
        state.SkipWithError("no view");
    std::memcpy(frame.target.data(), (*view)->at(0), bytes);
    while (state.KeepRunning()) {
        std::memcpy(frame.target.data(), (*view)->at(0), bytes);
        benchmark::ClobberMemory();
    }
    account(state);
}

void gather_copied_view(benchmark::State &state)
{
    Frame frame;
    auto view = CopiedView::make(frame.memory, {0, bytes}, frame.budgets);
    if (!view)
        state.SkipWithError("no view");
    (void)(*view)->gather(0, bytes);
    while (state.KeepRunning()) {
        benchmark::DoNotOptimize((*view)->gather(0, bytes));
        benchmark::ClobberMemory();
    }
    account(state);
}

/// 100 damaged rows.
void gather_damage(benchmark::State &state)
{
    Frame frame;
    auto view = CopiedView::make(frame.memory, {0, bytes}, frame.budgets);
    constexpr uint64_t row = 3840 * 4, rows = 100;
    uint64_t copied = 0;
    while (state.KeepRunning())
        copied += (*view)->gather(500 * row, rows * row);
    state.counters["copied/damaged"] =
        static_cast<double>(copied) /
        static_cast<double>(state.iterations() * static_cast<int64_t>(rows * row));
}

/// What reading costs that may be cut short: an outermost guard.
void bus_guard(benchmark::State &state)
{
    Frame frame;
    auto view = MappedView::make(frame.memory, {0, bytes}, frame.budgets);
    if (!view)
        state.SkipWithError("no view");
    while (state.KeepRunning()) {
        const BusGuard guard;
        benchmark::ClobberMemory();
    }
}

// In turns: the machine's pace changes while they run.
BENCHMARK(memcpy_one_mapping)->Unit(benchmark::kMillisecond)->Repetitions(5);
BENCHMARK(read_mapped_view)->Unit(benchmark::kMillisecond)->Repetitions(5);
BENCHMARK(gather_copied_view)->Unit(benchmark::kMillisecond)->Repetitions(5);
BENCHMARK(gather_damage);
BENCHMARK(bus_guard);

} // namespace
} // namespace vramlink::test

BENCHMARK_MAIN();
