// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest's desktop in use: what a frame costs the host, and how long it takes to the screen.
//
// - A guest flips between two buffers in VRAM, 60 times a second. CPU time for each frame, of QEMU and of
//   whoever shows it: a vramlink-viewer on KMS, which copies nothing, and QEMU's VNC server with a viewer
//   that takes all it can get; beside the CPU time of one memcpy of the frame.
// - A guest repaints a buffer in its RAM. From the doorbell of its RESOURCE_FLUSH to the viewer's page flip:
//   our device and QEMU's own, with the same viewer.
//
// VRAMLINK_BENCH_SECONDS=N: how long the guest flips, each time (30).

#include "tests/bench/desk.hpp"
#include "tests/bench/timeline.hpp"
#include "tests/device/rfb_watcher.hpp"
#include "tests/device/viewer.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

namespace vramlink::test {

namespace {

constexpr int hz = 60;
constexpr const char *dbus = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128";

int frames_to_flip()
{
    const char *wish = std::getenv("VRAMLINK_BENCH_SECONDS");
    return hz * (wish != nullptr ? std::atoi(wish) : 30);
}

/// CPU time of a process so far.
double cpu_us(pid_t pid)
{
    clockid_t clock{};
    timespec time{};
    require(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0, "no CPU clock");
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/// Two buffers in VRAM, in single pages, with another picture each; the first one is on the screen.
void make_buffers(Desk &desk, FrameSize size)
{
    const std::uint64_t vram = desk.map_vram();
    for (std::uint32_t id = 1; id <= 2; id++) {
        const std::uint64_t from = vram + (id - 1) * (std::uint64_t{bar_mebibytes / 2} << 20);
        const auto entries = scattered(from, size.pages(), id);
        put(desk.machine, entries, paint(size.width, size.height, id));
        desk.run({create_blob_bytes(id, size.bytes(), static_cast<std::uint32_t>(entries.size()), entries)});
    }
    desk.run({set_scanout_bytes(1, size), flush_bytes(1, size)});
}

/// The seconds that @p frames flips took, each answered before the next.
double flip(Desk &desk, FrameSize size, int frames)
{
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    auto next = start;
    for (int i = 0; i < frames; i++) {
        const std::uint32_t id = 2 - static_cast<std::uint32_t>(i) % 2;
        desk.run({set_scanout_bytes(id, size), flush_bytes(id, size)});
        next += std::chrono::microseconds(1'000'000 / hz);
        std::this_thread::sleep_until(next);
        next = std::max(next, Clock::now() - std::chrono::milliseconds(100)); // no burst after a pause
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Machine::Options with_vram(const std::string &display)
{
    return {.devices = vram_device(Where::Vfio), .gpu = "virtio-gpu-vram-pci,id=vram0", .display = display};
}

void shared_with_a_viewer(FrameSize size, int frames, const std::string &name, Measures &measures)
{
    auto options = with_vram(dbus);
    options.devices += Viewer::door();
    Desk desk(options, false);
    const Viewer viewer;
    require(viewer.shows("neutral"), "no viewer");
    make_buffers(desk, size);
    require(viewer.shows("dmabuf"), "the viewer shows no dma-buf");
    (void)flip(desk, size, hz); // both buffers are imported now
    const auto flipped = [&] { return viewer.stats()["frames_flipped"].get<int>(); };
    std::this_thread::sleep_for(std::chrono::seconds(1)); // its statistics are up to date
    const int before = flipped();
    const double qemu = cpu_us(desk.machine.pid()), shower = cpu_us(viewer.pid());
    const double seconds = flip(desk, size, frames);
    const double qemu_us = (cpu_us(desk.machine.pid()) - qemu) / frames;
    const double viewer_us = (cpu_us(viewer.pid()) - shower) / frames;
    measures.set(name + "/shared/qemu_us", qemu_us);
    measures.set(name + "/shared/viewer_us", viewer_us);
    measures.set(name + "/shared/both_us", qemu_us + viewer_us);
    measures.set(name + "/shared/hz", frames / seconds);
    require(viewer.says([&](const Json &now) {
        return now["frames_flipped"].get<int>() - before >= frames;
    }) || flipped() > before,
            "the viewer flips nothing");
    measures.set(name + "/shared/frames", frames);
    measures.set(name + "/shared/lost", frames - (flipped() - before));
    measures.set(name + "/shared/copied", viewer.stats()["bytes_copied"].get<double>());
}

void over_vnc(FrameSize size, int frames, const std::string &name, Measures &measures)
{
    const std::string socket = Rfb::new_socket();
    Desk desk(with_vram("none" + Rfb::server_argument(socket)), false);
    make_buffers(desk, size);
    std::atomic<int> updates{0};
    const RfbWatcher viewer(socket, [&](const Picture &) { updates++; });
    require(eventually([&] { return updates > 0; }), "VNC shows nothing");
    (void)flip(desk, size, hz);
    const int before = updates;
    const double qemu = cpu_us(desk.machine.pid());
    const double seconds = flip(desk, size, frames);
    measures.set(name + "/vnc/qemu_us", (cpu_us(desk.machine.pid()) - qemu) / frames);
    measures.set(name + "/vnc/hz", frames / seconds);
    measures.set(name + "/vnc/updates", updates - before);
}

/// From one buffer to another of ordinary memory, touched before.
void one_memcpy(FrameSize size, const std::string &name, Measures &measures)
{
    constexpr int copies = 60;
    std::vector<std::uint32_t> from(size.bytes() / 4, 1), to(size.bytes() / 4, 2);
    const double before = cpu_us(getpid());
    for (int i = 0; i < copies; i++) {
        from[0] = static_cast<std::uint32_t>(i);
        std::memcpy(to.data(), from.data(), size.bytes());
        asm volatile("" : : "r"(to.data()) : "memory"); // it is looked at
    }
    measures.set(name + "/memcpy_us", (cpu_us(getpid()) - before) / copies);
}

void latency(const std::string &device, const std::string &name, Measures &measures)
{
    constexpr int rounds = 200;
    Timeline timeline;
    Desk desk({.devices = Viewer::door(), .gpu = device, .display = dbus}, false);
    const Viewer viewer({}, {"LD_PRELOAD=" + Timeline::library(), Timeline::variable()});
    require(viewer.shows("neutral"), "no viewer");
    const std::uint64_t ram = vm_alloc(desk.machine.raw(), full_hd.bytes());
    const auto entries = scattered(ram, full_hd.pages(), 1);
    desk.run({create_blob_bytes(1, full_hd.bytes(), static_cast<std::uint32_t>(entries.size()), entries),
              set_scanout_bytes(1, full_hd), flush_bytes(1, full_hd)});
    require(viewer.shows("dmabuf"), "the viewer shows no dma-buf of " + device);
    std::vector<double> us;
    for (int i = 0; i < rounds; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50)); // the flip before is over
        Timeline::clear();
        std::int64_t rung = 0;
        desk.run({flush_bytes(1, full_hd)}, {.rings = [&] { rung = now_ns(); }, .answered = {}});
        us.push_back(static_cast<double>(Timeline::wait("flip").start - rung) / 1e3);
    }
    measures.set_percentiles(name, us);
}

} // namespace

void bench_desktop(Measures &measures)
{
    const int frames = frames_to_flip();
    for (const auto &[size, name] : {std::pair{full_hd, "desktop/1080p"}, {uhd, "desktop/4k"}}) {
        shared_with_a_viewer(size, frames, name, measures);
        over_vnc(size, frames, name, measures);
        one_memcpy(size, name, measures);
    }
    latency("virtio-gpu-vram-pci,id=vram0,max_outputs=1", "desktop/flush_to_flip/ours", measures);
    latency("virtio-gpu-pci,id=vram0,blob=on,max_outputs=1", "desktop/flush_to_flip/stock", measures);
}

} // namespace vramlink::test
