// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest's largest framebuffers cost the heart: translate + merge + plan, the CPU view, a flush; and
// the naive way, one extent and one mapping an entry, beside it.
//
// The memory is a BAR (a memfd) whose pages the guest got in clusters: `cluster` neighbouring pages, clusters
// in shuffled order. cluster 1 is the worst case: nothing merges.

#include "tests/unit/counted_new.hpp"
#include "tests/unit/fake_vmm.hpp"

#include "hw/blob/plan.hpp"
#include "hw/blob/translate.hpp"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <random>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t gpa = 0x8000'0000;

/// A guest with @p count pages of VRAM in one blob.
struct Guest {
    Guest(uint64_t count, uint64_t cluster)
        : bar(bench.vmm.add_region(VRL_REGION_VFIO_BAR, 2 * count * page, "bar"))
    {
        bench.calls.ioctl_errno = ENOTTY; // so that create() costs the heart's share alone
        bench.vmm.map(gpa, bar, 0, bar.raw.size);
        std::vector<uint64_t> order(count / cluster);
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), std::mt19937(1));
        for (const uint64_t place : order)
            for (uint64_t i = 0; i < cluster; ++i)
                entries.push_back({gpa + (place * 2 * cluster + i) * page, page, 0});
        size = entries.size() * page;
    }
    Bench bench{{}, 1'000'000};
    FakeRegion &bar;
    std::vector<vrl_entry> entries;
    uint64_t size = 0;
};

void per_entry(benchmark::State &state, size_t entries)
{
    const auto all = static_cast<double>(state.iterations()) * static_cast<double>(entries);
    state.counters["time/entry"] =
        benchmark::Counter(all, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void translate_merge_plan(benchmark::State &state)
{
    Guest guest(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
    const vrl_ops ops = guest.bench.vmm.ops();
    RegionRegistry regions;
    const TranslateContext context{.ops = ops,
                                   .opaque = &guest.bench.vmm,
                                   .regions = regions,
                                   .max_entries = VRL_DEFAULT_MAX_ENTRIES,
                                   .extents_left = VRL_DEFAULT_MAX_EXTENTS_TOTAL};
    size_t extents = 0, footprint = 0;
    uint64_t allocated = 0;
    while (state.KeepRunning()) {
        const uint64_t before = allocations;
        const auto memory = translate_entries(context, guest.size, guest.entries);
        const PlanChoice choice = choose_plan(memory->memory);
        benchmark::DoNotOptimize(choice.view);
        extents = memory->memory.extents().size();
        footprint = memory->memory.footprint();
        allocated = allocations - before;
    }
    per_entry(state, guest.entries.size());
    state.counters["extents"] = static_cast<double>(extents);
    state.counters["bytes/extent"] = static_cast<double>(footprint) / static_cast<double>(extents);
    state.counters["allocations"] = static_cast<double>(allocated);
}

/// One extent an entry, no merging.
void naive_list(benchmark::State &state)
{
    Guest guest(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
    const vrl_ops ops = guest.bench.vmm.ops();
    while (state.KeepRunning()) {
        std::vector<vrl_piece> pieces;
        for (const vrl_entry &entry : guest.entries) {
            vrl_piece piece{};
            ops.translate(&guest.bench.vmm, entry.gpa, entry.length, &piece);
            pieces.push_back(piece);
        }
        benchmark::DoNotOptimize(pieces.data());
    }
    per_entry(state, guest.entries.size());
    state.counters["extents"] = static_cast<double>(guest.entries.size());
    state.counters["bytes/extent"] = sizeof(vrl_piece);
}

void view_merged(benchmark::State &state)
{
    Guest guest(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
    while (state.KeepRunning()) {
        if (guest.bench.create(1, guest.size, guest.entries) != VRL_OK ||
            guest.bench.view(1, 0, 16, 16) == nullptr)
            state.SkipWithError("no view");
        state.counters["VMAs"] = static_cast<double>(guest.bench.maps.used());
        vrl_table_unref(guest.bench.get(), 1);
    }
    per_entry(state, guest.entries.size());
}

/// One MAP_FIXED mmap an entry.
void view_naive(benchmark::State &state)
{
    Guest guest(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
    const vrl_region &bar = guest.bar.raw;
    while (state.KeepRunning()) {
        auto *base = static_cast<std::byte *>(
            ::mmap(nullptr, guest.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        uint64_t at = 0;
        for (const vrl_entry &entry : guest.entries) {
            const auto offset = static_cast<off_t>(bar.map_offset + (entry.gpa - gpa));
            if (::mmap(base + at, page, PROT_READ, MAP_SHARED | MAP_FIXED, bar.fd, offset) == MAP_FAILED) {
                state.SkipWithError("mmap failed: vm.max_map_count");
                break;
            }
            at += page;
        }
        ::munmap(base, guest.size);
    }
    per_entry(state, guest.entries.size());
}

void flush_known_buffer(benchmark::State &state)
{
    Guest guest(8100, 1);
    guest.bench.calls.ioctl_errno = 0;
    if (guest.bench.create(1, guest.size, guest.entries) != VRL_OK)
        state.SkipWithError("no blob");
    const vrl_framebuffer fb = Bench::framebuffer(0, 3840, 2160);
    int fd = -1;
    vrl_table_dmabuf(guest.bench.get(), 1, &fb, &fd);
    const uint64_t before = allocations;
    while (state.KeepRunning()) {
        vrl_table_dmabuf(guest.bench.get(), 1, &fb, &fd);
        vrl_table_flush(guest.bench.get(), 1, &fb, 0, 0, 3840, 2160);
        benchmark::DoNotOptimize(fd);
    }
    state.counters["allocations"] = static_cast<double>(allocations - before);
    state.counters["exports"] = guest.bench.calls.ioctls;
}

const std::vector<std::vector<int64_t>> sizes{{1024, 8192, 32768}, {1, 16}};
BENCHMARK(translate_merge_plan)->ArgsProduct(sizes)->ArgNames({"entries", "cluster"});
BENCHMARK(naive_list)->ArgsProduct(sizes)->ArgNames({"entries", "cluster"});
BENCHMARK(view_merged)->ArgsProduct(sizes)->ArgNames({"entries", "cluster"})->Unit(benchmark::kMillisecond);
BENCHMARK(view_naive)->ArgsProduct(sizes)->ArgNames({"entries", "cluster"})->Unit(benchmark::kMillisecond);
BENCHMARK(flush_known_buffer);

} // namespace
} // namespace vramlink::test

BENCHMARK_MAIN();
