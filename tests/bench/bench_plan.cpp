// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a framebuffer's creation costs in the plugin and in the kernel: the worst scatter, single pages of
// which no two are neighbours, translated by QEMU's own memory map.

#include "tests/bench/desk.hpp"

namespace vramlink::test {

namespace {

constexpr int rounds = 11;

struct Cost {
    std::vector<double> plan_ns, ours_ns, kernel_ns;
};

Cost measure(Desk &desk, const Probe &probe, std::uint64_t address, std::uint32_t entries)
{
    constexpr std::uint32_t id = 1;
    Cost cost;
    for (int i = 0; i < rounds; i++) {
        desk.run({create_blob_bytes(id, entries * page, entries, scattered(address, entries, 1 + i, 2))});
        const Json blob = desk.machine.blob(id);
        require(blob.is_object() && blob["ranges"] == entries, "the blob was refused");
        const double plan = blob["plan_ns"];
        const auto kernel = static_cast<double>(probe.seen().last_export_ns);
        cost.plan_ns.push_back(plan);
        if (blob["plan"] == "shared") {
            // Filling the ioctl's list is our work, too.
            const double exporter = 1000 * blob["export_us"].get<double>();
            cost.ours_ns.push_back(plan + std::max(0.0, exporter - kernel));
            cost.kernel_ns.push_back(kernel);
        }
        desk.run({unref_bytes(id)});
    }
    return cost;
}

} // namespace

void bench_plan(Where where, Measures &measures)
{
    const Probe probe;
    Machine::Options options{.devices = vram_device(where)};
    probe.add_to(options);
    Desk desk(options, false);
    const std::uint64_t vram = desk.map_vram();
    // On a desktop, the framebuffer that the new one is to replace is there.
    desk.run({create_blob_bytes(2, page, 1, {{vram, page, 0}})});
    for (const std::uint32_t entries : {1024U, 8192U, 32768U}) {
        const Cost cost = measure(desk, probe, vram, entries);
        const std::string name = "plan/" + std::to_string(entries);
        measures.set(name + "/ns_per_entry", median(cost.plan_ns) / entries);
        if (!cost.kernel_ns.empty()) {
            measures.set(name + "/plan_ns", median(cost.plan_ns));
            measures.set(name + "/ours_ns", median(cost.ours_ns));
            measures.set(name + "/kernel_export_ns", median(cost.kernel_ns));
        }
    }
}

} // namespace vramlink::test
