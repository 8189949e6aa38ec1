// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the moment in which the guest rings with CREATE_BLOB, SET_SCANOUT_BLOB and RESOURCE_FLUSH until a
// consumer on QEMU's D-Bus display holds the dma-buf: our device and QEMU's own, with the same entries in
// guest RAM (udmabuf), the same consumer, in turns. Runs where /dev/udmabuf and a render node are; udmabuf's
// list_limit must allow the entries.

#include "tests/bench/desk.hpp"

#include <chrono>

namespace vramlink::test {

namespace {

constexpr int rounds = 15;

/// The consumer's clock.
std::int64_t monotonic_us()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

double first_frame_us(Desk &desk, std::uint32_t id, const std::vector<Entry> &entries, FrameSize size)
{
    const int before = stuck_consumer_scanouts(desk.consumer.get());
    std::int64_t rung = 0;
    desk.run({create_blob_bytes(id, size.bytes(), static_cast<std::uint32_t>(entries.size()), entries),
              set_scanout_bytes(id, size), flush_bytes(id, size)},
             {.rings = [&] { rung = monotonic_us(); }, .answered = {}});
    require(eventually([&] { return stuck_consumer_scanouts(desk.consumer.get()) > before; }),
            "the consumer was handed no dma-buf");
    const std::int64_t taken = stuck_consumer_scanout_us(desk.consumer.get());
    desk.run({set_scanout_bytes(0, size), unref_bytes(id)});
    return static_cast<double>(taken - rung);
}

void compare(Desk &ours, Desk &stock, FrameSize size, const std::string &name, Measures &measures)
{
    const std::uint64_t our_ram = vm_alloc(ours.machine.raw(), size.bytes());
    const std::uint64_t stock_ram = vm_alloc(stock.machine.raw(), size.bytes());
    std::vector<double> our_us, stock_us;
    for (std::uint32_t i = 0; i < rounds; i++) {
        our_us.push_back(first_frame_us(ours, 100 + i, scattered(our_ram, size.pages(), i), size));
        stock_us.push_back(first_frame_us(stock, 100 + i, scattered(stock_ram, size.pages(), i), size));
    }
    measures.set("first_frame/" + name + "/ours_us", median(our_us));
    measures.set("first_frame/" + name + "/stock_us", median(stock_us));
}

} // namespace

void bench_first_frame(Measures &measures)
{
    Machine::Options options{.display = "dbus,p2p=yes,gl=on"};
    Desk ours(options, true);
    options.gpu = "virtio-gpu-pci,id=vram0,blob=on,max_outputs=1";
    Desk stock(options, true);
    compare(ours, stock, {1024, 768}, "1024x768", measures);
    compare(ours, stock, full_hd, "1920x1080", measures);
}

} // namespace vramlink::test
