// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the host keeps for a scattered blob: bytes that the plugin has asked of malloc for each extent, and
// mappings.

#include "tests/bench/desk.hpp"

#include <fstream>

namespace vramlink::test {

namespace {

double bytes_kept(Desk &desk, Probe &probe, std::uint64_t address, std::uint32_t entries)
{
    constexpr std::uint32_t id = 1;
    const Bytes command = create_blob_bytes(id, entries * page, entries, scattered(address, entries, 1, 2));
    probe.start();
    desk.run({command});
    probe.stop();
    require(desk.machine.blob(id)["ranges"] == entries, "the blob was refused");
    const auto bytes = static_cast<double>(probe.seen().ours_bytes);
    desk.run({unref_bytes(id)});
    return bytes;
}

double max_map_count()
{
    std::ifstream file("/proc/sys/vm/max_map_count");
    double count = 0;
    file >> count;
    return count;
}

} // namespace

void bench_memory(Where where, Measures &measures)
{
    Probe probe;
    Machine::Options options{.devices = vram_device(where),
                             .gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=16"};
    probe.add_to(options);
    Desk desk(options, false);
    const std::uint64_t vram = desk.map_vram();
    constexpr std::uint32_t few = 1024, many = 32768, buffers = 16;
    (void)bytes_kept(desk, probe, vram, few); // the table, the region
    // Takes the storage that the pool kept, so that the next two lists get fresh one.
    desk.run({create_blob_bytes(buffers + 1, few * page, few, scattered(vram, few, 1, 2))});
    const double small = bytes_kept(desk, probe, vram, few);
    const double large = bytes_kept(desk, probe, vram, many);
    measures.set("memory/bytes_per_extent", (large - small) / (many - few));
    measures.set("memory/bytes_per_blob", small - few * (large - small) / (many - few));

    const int before = desk.machine.held().maps;
    for (std::uint32_t id = 1; id <= buffers; id++) {
        const auto entries = scattered(vram, uhd.pages(), id, 2);
        Bytes show = set_scanout_bytes(id, uhd);
        const std::uint32_t scanout = id - 1;
        std::memcpy(show.data() + offsetof(virtio_gpu_set_scanout_blob, scanout_id), &scanout,
                    sizeof scanout);
        desk.run({create_blob_bytes(id, uhd.bytes(), uhd.pages(), entries), show});
    }
    measures.set("memory/vmas_of_16_4k_buffers", desk.machine.held().maps - before);
    measures.set("memory/max_map_count", max_map_count());
    double copied = 0;
    const Json stats = desk.machine.stats();
    for (const auto &blob : stats["blobs"])
        copied += blob["view"] == "copied" ? 1 : 0;
    measures.set("memory/copied_of_16_4k_buffers", copied);
}

} // namespace vramlink::test
