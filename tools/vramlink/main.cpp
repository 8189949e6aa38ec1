// SPDX-License-Identifier: GPL-2.0-or-later
//
// vramlink: looks into running VMs.

#include "tools/common/devices.hpp"
#include "tools/vramlink/table.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace {

enum Exit { exit_ok = 0, exit_no_device = 1, exit_usage = 2, exit_connection = 3 };

struct StatusOptions {
    std::string qmp;
    std::string device; ///< empty: all
    bool json = false;
    bool history = false;
    double watch = 0; ///< seconds; 0: once
    double timeout = 5;
};

bool is_meant(const vramlink::Device &device, const std::string &wish)
{
    return wish.empty() || device.path == wish || device.path.ends_with("/" + wish);
}

/// Connects, asks and hangs up: others want the socket, too.
int print_status(const StatusOptions &options)
{
    using namespace vramlink;
    const auto limit = std::chrono::milliseconds(static_cast<int64_t>(options.timeout * 1000));
    auto qmp = Qmp::connect(options.qmp, limit);
    auto devices = qmp ? find_devices(*qmp) : std::unexpected(qmp.error());
    if (!devices) {
        fmt::print(stderr, "vramlink: {}: {}\n", options.qmp, devices.error().text);
        return exit_connection;
    }
    std::erase_if(*devices, [&](const Device &device) { return !is_meant(device, options.device); });
    if (devices->empty()) {
        fmt::print(stderr,
                   "vramlink: {}: the VM has no vramlink device{}{} (virtio-gpu-vram-pci, virtio-vga-vram)\n",
                   options.qmp, options.device.empty() ? "" : " called ", options.device);
        return exit_no_device;
    }
    for (Device &device : *devices) {
        if (const auto fetched = fetch_more_blobs(*qmp, device); !fetched)
            fmt::print(stderr, "vramlink: {}: not all blobs are told: {}\n", device.path,
                       fetched.error().text);
    }
    if (options.json) {
        fmt::print("{}", as_json(*devices));
    } else {
        for (const Device &device : *devices)
            fmt::print("{}", as_table(device, options.history));
    }
    std::fflush(stdout);
    return exit_ok;
}

int status(const StatusOptions &options)
{
    int result = print_status(options);
    while (options.watch > 0 && result == exit_ok) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.watch));
        fmt::print("\n");
        result = print_status(options);
    }
    return result;
}

int run(int argc, char **argv)
{
    StatusOptions options;
    CLI::App app("Looks into virtual machines whose screens vramlink carries.", "vramlink");
    app.set_version_flag("--version", std::string("vramlink ") + VRAMLINK_VERSION);
    app.require_subcommand(1);
    auto *verb =
        app.add_subcommand("status", "each blob of a running VM: how it reaches the host's screen, and why");
    verb->add_option("--qmp", options.qmp, "QMP unix socket of the VM's QEMU")->required();
    verb->add_option("--device", options.device, "only this one: its id, or its path in QEMU's object tree");
    verb->add_flag("--json", options.json, "everything that the plugin tells, as JSON");
    verb->add_flag("--history", options.history, "also the last blobs that are gone");
    verb->add_option("--watch", options.watch, "again every so many seconds")->check(CLI::Range(0.1, 3600.0));
    verb->add_option("--timeout", options.timeout, "seconds to wait for QEMU")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    verb->footer(
        "Exit codes: 0 printed, 1 the VM has no such device, 2 usage, 3 no connection or QEMU refuses.\n"
        "A QMP socket serves one client at a time: give QEMU a second -qmp where another program keeps the "
        "first.");
    try {
        app.parse(argc, argv);
        return status(options);
    } catch (const CLI::ParseError &e) {
        return app.exit(e) == 0 ? exit_ok : exit_usage;
    }
}

} // namespace

int main(int argc, char **argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception &e) {
        (void)std::fprintf(stderr, "vramlink: %s\n", e.what()); // fmt could throw here
        return exit_connection;
    }
}
