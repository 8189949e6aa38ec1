// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/options.hpp"

#include <CLI/CLI.hpp>

#include <map>

namespace vramlink {

std::variant<Options, int> parse_options(int argc, char **argv)
{
    Options options;
    CLI::App app(
        "Shows a virtual machine's screen on a KMS output without copying: a client of QEMU's D-Bus display "
        "that imports the guest's dma-bufs and flips to them.",
        "vramlink-viewer");
    app.footer(
        "Exit codes: 0 ended by SIGTERM or SIGINT, 1 internal error, 2 usage, 3 connection to QEMU lost or "
        "never made, 4 no usable KMS device.\nSIGUSR1 rewrites the statistics file.");
    app.set_version_flag("--version", std::string("vramlink-viewer ") + VRAMLINK_VERSION);
    app.add_option("--kms", options.kms, "DRM device to show on, e.g. /dev/dri/card0")->required();
    auto *from = app.add_option_group("source", "Where QEMU is (exactly one)");
    from->add_option("--qmp", options.qmp, "QMP unix socket of a QEMU with -display dbus,p2p=yes");
    from->add_option("--dbus-address", options.dbus_address, "message bus on which QEMU owns org.qemu");
    from->require_option(1);
    app.add_option("--console", options.console, "number of QEMU's console")->capture_default_str();
    app.add_flag("--reconnect", options.reconnect, "when the connection ends, try again every second");
    app.add_flag(
        "--allow-copy", options.allow_copy,
        "copy dma-bufs that the device refuses (counted in bytes_copied) instead of showing nothing");
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
    return options;
}

} // namespace vramlink
