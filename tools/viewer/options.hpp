// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_OPTIONS_HPP
#define VRAMLINK_TOOLS_VIEWER_OPTIONS_HPP

#include "tools/viewer/log.hpp"

#include <string>
#include <variant>
#include <vector>

namespace vramlink {

/// Exit codes, as --help and docs/viewer.md list them.
enum ExitCode : int {
    exit_ok = 0,              ///< ended by SIGTERM or SIGINT
    exit_internal = 1,        ///< a file could not be written, no memory, ...
    exit_usage = 2,           ///< bad command line
    exit_connection_lost = 3, ///< QEMU is gone, or did not take us in
    exit_no_display = 4,      ///< no usable compositor or KMS device
    exit_no_picture = 5,      ///< --screenshot: the VM shows nothing, or nothing that the CPU can read
};

enum class DirectChoice { never, retry, always };

struct Options {
    bool on_kms = false;
    std::string kms;     ///< the device; empty: the first that works
    std::string wayland; ///< the compositor; empty: WAYLAND_DISPLAY
    bool full_screen = false;
    bool no_copy = false; ///< show nothing instead of copying
    DirectChoice direct = DirectChoice::never;
    std::string qmp; ///< exactly one of qmp, dbus_address and vm is set
    std::string dbus_address;
    std::string vm;         ///< a libvirt domain
    std::string libvirt;    ///< its connection URI; empty: virsh's choice
    std::string screenshot; ///< PNG file to write, instead of showing anything; empty: none
    bool list = false;      ///< print the outputs, instead of showing anything
    bool json = false;      ///< as JSON
    bool no_clipboard = false;
    bool visitor = false;          ///< here for a moment: leaves what others have asked QEMU for
    std::string stats;             ///< empty: none
    double stats_interval = 0;     ///< seconds; 0: on SIGUSR1 and at exit only
    double connect_timeout = 10;   ///< seconds
    std::vector<unsigned> outputs; ///< QEMU's consoles; empty: all that are a display device's
    bool reconnect = false;
    bool no_input = false; ///< on KMS: leave keyboard, pointer and terminal to the host
    LogLevel log_level = LogLevel::info;
};

/// The options, or the exit code when there is nothing left to do (help, version, an error: already printed).
std::variant<Options, int> parse_options(int argc, char **argv);

} // namespace vramlink

#endif
