// SPDX-License-Identifier: GPL-2.0-or-later
//
// The hot path: flushing, and flipping between known buffers, in QEMU. Allocations are counted by who asks
// for them, system calls against commands that do nothing; both for as many commands in one go as the queue
// takes.

#include "tests/bench/desk.hpp"

#include <optional>

namespace vramlink::test {

namespace {

constexpr int commands = 30;
constexpr int batches = 5;

std::vector<Bytes> nothings()
{
    return {commands, transfer_bytes(1)};
}

std::vector<Bytes> flushes()
{
    return {commands, flush_bytes(1, full_hd)};
}

std::vector<Bytes> flips()
{
    std::vector<Bytes> all;
    for (std::uint32_t i = 0; i < commands; i += 2) {
        const std::uint32_t id = 1 + i / 2 % 2;
        all.push_back(set_scanout_bytes(id, full_hd));
        all.push_back(flush_bytes(id, full_hd));
    }
    return all;
}

/// The fewest system calls of QEMU's main loop for one batch: its timers add some now and then.
double fewest_syscalls(Desk &desk, const std::vector<Bytes> &batch)
{
    constexpr int tries = 4;
    std::vector<double> counts;
    for (int i = 0; i < tries; i++) {
        std::optional<SyscallCounter> counter;
        desk.run(batch, {[&] { counter.emplace(desk.machine); },
                         [&] { counts.push_back(static_cast<double>(counter->stop())); }});
    }
    return *std::min_element(counts.begin(), counts.end());
}

void count_allocations(Desk &desk, Probe &probe, const std::vector<Bytes> &batch, const std::string &name,
                       Measures &measures)
{
    probe.start();
    probe.stop();
    for (int i = 0; i < batches; i++)
        desk.run(batch, {[&] { probe.go_on(); }, [&] { probe.stop(); }});
    measures.set(name + "/allocations_ours", static_cast<double>(probe.seen().ours));
    measures.set(name + "/allocations_qemu", static_cast<double>(probe.seen().others));
    if (probe.seen().ours > 0)
        std::fprintf(stderr, "%s: the plugin allocates in %s\n", name.c_str(), probe.seen().first_ours);
}

/// Two shown buffers; @p name says how.
void measure(Desk &desk, Probe &probe, const std::string &name, Measures &measures)
{
    for (int i = 0; i < 4; i++)
        desk.run(flips());
    const std::vector<std::pair<std::string, std::vector<Bytes>>> kinds{
        {"nothing", nothings()}, {"flush", flushes()}, {"flip", flips()}};
    for (const auto &[kind, batch] : kinds) {
        const std::string row = std::string("hot/").append(name).append("/").append(kind);
        count_allocations(desk, probe, batch, row, measures);
        measures.set(row + "/syscalls", fewest_syscalls(desk, batch) / commands);
    }
}

void make_buffers(Desk &desk, std::uint64_t address, std::uint32_t step)
{
    for (const std::uint32_t id : {1U, 2U}) {
        const auto entries = scattered(address, full_hd.pages(), id, step);
        desk.run({create_blob_bytes(id, full_hd.bytes(), full_hd.pages(), entries)});
    }
}

} // namespace

void bench_hot_path(Where where, Measures &measures)
{
    Probe probe;
    const bool vfio = where == Where::Vfio;
    Machine::Options options{.devices = vram_device(where), .display = "none"};
    probe.add_to(options);
    {
        Desk desk(options, false);
        make_buffers(desk, desk.map_vram(), 2);
        measure(desk, probe, vfio ? "vram-view" : "view", measures);
        require(desk.machine.blob(1)["view"] == "mapped", "no mapped view");
    }
    if (!vfio) { // a copy: flushes move pixels
        options.shared_ram = false;
        Desk desk(options, false);
        make_buffers(desk, vm_alloc(desk.machine.raw(), full_hd.bytes()), 1);
        measure(desk, probe, "copy", measures);
        require(desk.machine.blob(1)["view"] == "copied", "no copy");
        return;
    }
    options.display = "dbus,p2p=yes,gl=on";
    {
        Desk desk(options, true);
        make_buffers(desk, desk.map_vram(), 2);
        measure(desk, probe, "dmabuf", measures);
        require(desk.machine.blob(1)["plan"] == "shared", "not shared");
    }
    // The same consumer on QEMU's own device, in guest RAM through udmabuf.
    options.gpu = "virtio-gpu-pci,id=vram0,blob=on,max_outputs=1";
    Desk desk(options, true);
    make_buffers(desk, vm_alloc(desk.machine.raw(), full_hd.bytes()), 1);
    for (const auto &batch : {flushes(), flips()})
        desk.run(batch);
    measures.set("hot/stock/flush/syscalls", fewest_syscalls(desk, flushes()) / commands);
    measures.set("hot/stock/flip/syscalls", fewest_syscalls(desk, flips()) / commands);
}

} // namespace vramlink::test
