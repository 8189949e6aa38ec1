// SPDX-License-Identifier: GPL-2.0-or-later
//
//   bench-device --out FILE [--vfio] [--only plan|memory|hot|frame|revoke|desktop]
//
// measures the device in a stock QEMU; --vfio: in the lab, with VFIO and udmabuf; --only: one of its parts
//
// The environment is that of device-tests (docs/testing.md).
#include "tests/bench/desk.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vramlink::test {

namespace {

void call(const std::function<void()> &function)
{
    if (function)
        function();
}

} // namespace

void require(bool good, const std::string &what)
{
    if (good)
        return;
    std::fprintf(stderr, "bench-device: %s\n", what.c_str());
    std::exit(1);
}

std::string vram_device(Where where)
{
    if (where == Where::Ivshmem)
        return ivshmem("near", bar_slot, bar_mebibytes);
    const auto hosts = vfio_hosts();
    require(hosts.size() >= 3, "VRAMLINK_VFIO names too few devices");
    return "-device vfio-pci,id=near,host=" + hosts[2] + ",addr=" + std::to_string(bar_slot) + " ";
}

Desk::Desk(const Machine::Options &options, bool with_consumer) : machine(options), gpu(machine)
{
    if (!with_consumer)
        return;
    consumer = connect_consumer(machine);
    require(consumer != nullptr, "no consumer");
    stuck_consumer_answer(consumer.get(), true);
}

std::uint64_t Desk::map_vram()
{
    constexpr std::uint64_t address = 0xc0000000; // libqos's choice may lie under the interrupt controllers
    const auto bar = machine.map_bar(bar_slot, 2);
    vm_pci_move_bar(bar.pci, 2, address);
    return address;
}

void Desk::run(const std::vector<Bytes> &commands, const Watch &watch)
{
    Watch own = watch;
    const vm_watch plain{[](void *to) { call(static_cast<Watch *>(to)->rings); },
                         [](void *to) { call(static_cast<Watch *>(to)->answered); }, &own};
    require(gpu.send_all(commands, &plain, 20'000).front() != no_answer,
            "no answer to " + std::to_string(commands.size()) + " commands that start with " +
                std::to_string(reinterpret_cast<const virtio_gpu_ctrl_hdr *>(commands[0].data())->type));
}

Bytes set_scanout_bytes(std::uint32_t id, FrameSize size)
{
    return set_scanout_blob_bytes({.id = id,
                                   .rect = {0, 0, size.width, size.height},
                                   .width = size.width,
                                   .height = size.height,
                                   .stride = 4 * size.width});
}

Bytes flush_bytes(std::uint32_t id, FrameSize size)
{
    virtio_gpu_resource_flush command{
        header(VIRTIO_GPU_CMD_RESOURCE_FLUSH), {0, 0, size.width, size.height}, id, 0};
    command.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
    return bytes_of(command);
}

Bytes transfer_bytes(std::uint32_t id)
{
    return bytes_of(
        virtio_gpu_transfer_to_host_2d{header(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D), {0, 0, 16, 16}, 0, id, 0});
}

} // namespace vramlink::test

int main(int argc, char **argv)
{
    using namespace vramlink::test;
    std::string out, only;
    Where where = Where::Ivshmem;
    for (int i = 1; i < argc; i++) {
        if (std::strcmp(argv[i], "--vfio") == 0)
            where = Where::Vfio;
        else if (std::strcmp(argv[i], "--out") == 0 && i + 1 < argc)
            out = argv[++i];
        else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
    }
    if (out.empty()) {
        std::fputs("usage: bench-device --out FILE [--vfio] [--only plan|memory|hot|frame|revoke|desktop]\n",
                   stderr);
        return 2;
    }
    int none = 1;
    testing::InitGoogleTest(&none, argv);
    Measures measures(out);
    const auto wanted = [&only](const char *part) { return only.empty() || only == part; };
    if (wanted("plan"))
        bench_plan(where, measures);
    if (wanted("memory"))
        bench_memory(where, measures);
    if (wanted("hot"))
        bench_hot_path(where, measures);
    if (where == Where::Vfio && wanted("frame"))
        bench_first_frame(measures);
    if (only == "revoke") // needs a viewer and another GPU: a run of its own (revoke-in-lab.sh)
        bench_revocation(measures);
    if (only == "desktop") // a viewer, too, and a display that imports
        bench_desktop(measures);
    return testing::UnitTest::GetInstance()->Failed() ? 1 : 0;
}
