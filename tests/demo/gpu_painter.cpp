// SPDX-License-Identifier: GPL-2.0-or-later
//
// gpu-painter: runs in the guest and plays the driver of the passthrough GPU. See painter.hpp.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "painter.hpp"
#include "pci_device.hpp"

namespace {

using namespace vramlink;
using namespace vramlink::demo;

constexpr std::uint16_t kGpuVendor = 0x1af4; // ivshmem: a BAR of plain memory, which is all that VRAM is here
constexpr std::uint16_t kGpuDevice = 0x1110;
constexpr std::uint32_t kVramBar = 2;

Result<void> say_hello(Channel &channel, const std::string &address, const VfioGpu &gpu)
{
    utsname system{};
    ::uname(&system);
    return channel.report("hello",
                          {{"kernel", system.release}, {"gpu", address}, {"vram_bytes", gpu.vram().size()}});
}

Result<void> perform(const Job &job, Channel &channel)
{
    const auto address = find_pci_device(kGpuVendor, kGpuDevice);
    if (!address)
        return std::unexpected(address.error());
    const auto gpu = VfioGpu::open(*address, kVramBar);
    if (!gpu)
        return std::unexpected(gpu.error());
    if (auto done = say_hello(channel, *address, *gpu); !done)
        return done;
    if (auto fits = check_fit(gpu->vram().size(), kBuffers, job.width, job.height); !fits)
        return fits;
    const auto card = GuestCard::open("virtio_gpu", job.width, job.height);
    if (!card)
        return std::unexpected(card.error());
    return Painter(job, *gpu, *card, channel).run();
}

const char *name_of(int code)
{
    const char *name = ::strerrorname_np(code);
    return name != nullptr ? name : "?";
}

int complain(const Error &error)
{
    fmt::print(stderr, "gpu-painter: {} (-{})\n", error.text, name_of(error.code));
    return 1;
}

struct Options {
    Job job;
    std::string port = "vramlink.demo";
    std::string path; ///< instead of the port, if not empty
};

int run(const Options &options)
{
    auto channel = options.path.empty() ? Channel::open_port(options.port) : Channel::open_path(options.path);
    if (!channel)
        return complain(channel.error());
    const auto performed = perform(options.job, *channel);
    if (performed)
        return 0;
    const Error &error = performed.error();
    if (auto told = channel->report("error", {{"text", error.text}, {"errno", name_of(error.code)}}); !told)
        complain(told.error());
    return complain(error);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        Options options;
        Job &job = options.job;
        CLI::App app{"Paints test cards into a passthrough GPU's VRAM and shows them on virtio-gpu"};
        app.add_option("--seed", job.seed, "which pages and which picture");
        app.add_option("--frames", job.frames, "frames to show")->check(CLI::Range(1U, 1'000'000U));
        app.add_option("--width", job.width, "pixels")->check(CLI::Range(16U, 8192U));
        app.add_option("--height", job.height, "pixels")->check(CLI::Range(16U, 8192U));
        app.add_option("--checkpoints", job.checkpoints, "stops among the frames")
            ->check(CLI::Range(1U, 1000U));
        app.add_option("--port", options.port, "virtio-serial port to report to");
        app.add_option("--channel", options.path, "device or socket to report to, instead of a port");
        CLI11_PARSE(app, argc, argv);
        return run(options);
    } catch (const std::exception &error) {
        (void)std::fprintf(stderr, "gpu-painter: %s\n", error.what()); // fmt could throw here
        return 1;
    }
}
