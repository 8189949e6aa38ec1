// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/options.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <map>

namespace vramlink {

std::variant<Options, int> parse_options(int argc, char **argv)
{
    Options options;
    CLI::App app(
        "Shows a virtual machine's screen in a window of a Wayland compositor, or on a KMS output, without "
        "copying: a client of QEMU's D-Bus display that has the guest's dma-bufs imported.",
        "vramlink-viewer");
    app.footer(
        "Exit codes: 0 ended by SIGTERM, SIGINT or with its last window, or did what it was asked for, 1 "
        "internal "
        "error (a file that cannot be written), 2 usage, 3 connection to QEMU lost or never made, 4 no "
        "usable "
        "compositor or KMS device, 5 no picture for --screenshot.\nSIGUSR1 rewrites the statistics file.");
    app.set_version_flag("--version", std::string("vramlink-viewer ") + VRAMLINK_VERSION);
    auto *kms =
        app.add_option(
               "--kms", options.kms,
               "show on a KMS device's monitors, e.g. /dev/dri/card0; without a value: the first that works")
            ->expected(0, 1);
    app.add_option("--wayland", options.wayland,
                   "compositor to open a window on, instead of WAYLAND_DISPLAY's")
        ->excludes(kms);
    app.add_flag("--fullscreen", options.full_screen, "begin in full screen")->excludes(kms);
    app.add_flag(
        "--no-copy", options.no_copy,
        "show nothing when the compositor or the KMS device refuses a dma-buf, instead of copying it "
        "(counted in bytes_copied)");
    app.add_flag("--no-clipboard", options.no_clipboard, "do not share the clipboard's text with the guest")
        ->excludes(kms);
    const std::map<std::string, DirectChoice> choices{
        {"never", DirectChoice::never}, {"retry", DirectChoice::retry}, {"always", DirectChoice::always}};
    app.add_option(
           "--direct-display", options.direct,
           "never, retry or always: offer dma-bufs for scan-out only (weston_direct_display_v1), never, "
           "when the compositor's renderer refuses them, or always")
        ->transform(CLI::CheckedTransformer(choices, CLI::ignore_case))
        ->excludes(kms);
    auto *from = app.add_option_group("source", "Where QEMU is (exactly one)");
    from->add_option("--qmp", options.qmp, "QMP unix socket of a QEMU with -display dbus,p2p=yes");
    from->add_option("--dbus-address", options.dbus_address, "message bus on which QEMU owns org.qemu");
    auto *vm = from->add_option("--vm", options.vm,
                                "libvirt domain with <graphics type='dbus'/>, which virsh is asked for");
    from->require_option(1);
    app.add_option("--connect", options.libvirt, "libvirt's URI, e.g. qemu:///system")->needs(vm);
    auto *list =
        app.add_flag("--list", options.list, "print the VM's outputs, their sizes and plans, and end");
    app.add_flag("--json", options.json, "with --list: as JSON")->needs(list);
    app.add_option("--screenshot", options.screenshot,
                   "write the picture of an output as PNG to this file (-: standard output), and end")
        ->excludes(kms)
        ->excludes(list);
    app.add_option("--output,--console", options.outputs,
                   "number of QEMU's console; may be repeated. Otherwise every display device's, each in a "
                   "window of its own; on KMS the first")
        ->expected(1)
        ->take_all();
    app.add_flag("--reconnect", options.reconnect, "when the connection ends, try again every second");
    app.add_flag("--no-input", options.no_input,
                 "on KMS: leave keyboard, pointer and virtual terminal to the host, and take no seat")
        ->needs(kms);
    app.add_option("--connect-timeout", options.connect_timeout, "seconds to wait for QEMU at the start")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
    app.add_option("--stats", options.stats, "JSON file to write on SIGUSR1 and at exit");
    app.add_option("--stats-interval", options.stats_interval,
                   "seconds between rewrites of the statistics file")
        ->check(CLI::Range(0.05, 3600.0));
    const std::map<std::string, LogLevel> levels{{"error", LogLevel::error},
                                                 {"warning", LogLevel::warning},
                                                 {"info", LogLevel::info},
                                                 {"debug", LogLevel::debug}};
    app.add_option("--log-level", options.log_level, "error, warning, info or debug")
        ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &e) {
        return app.exit(e) == 0 ? exit_ok : exit_usage;
    }
    options.on_kms = kms->count() > 0;
    const bool shows = !options.list && options.screenshot.empty();
    if (shows && !options.on_kms && options.wayland.empty() && !std::getenv("WAYLAND_DISPLAY")) {
        fmt::print(stderr,
                   "vramlink-viewer: there is no WAYLAND_DISPLAY; name a compositor with --wayland, or "
                   "show on a monitor without one with --kms\n");
        return exit_usage;
    }
    return options;
}

} // namespace vramlink
