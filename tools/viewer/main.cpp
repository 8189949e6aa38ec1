// SPDX-License-Identifier: GPL-2.0-or-later
//
// vramlink-viewer: command line, and the screens that it asks for.

#include "tools/viewer/kms/run.hpp"
#include "tools/viewer/list.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/options.hpp"
#include "tools/viewer/screenshot.hpp"
#include "tools/viewer/session.hpp"
#ifdef VRAMLINK_WAYLAND
#include "tools/viewer/wayland/clipboard.hpp"
#include "tools/viewer/wayland/window.hpp"
#endif

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>

namespace vramlink {
namespace {

#ifdef VRAMLINK_WAYLAND
constexpr std::chrono::milliseconds compositor_limit{10000};

DirectDisplay direct_display(DirectChoice choice)
{
    return choice == DirectChoice::always  ? DirectDisplay::always
           : choice == DirectChoice::retry ? DirectDisplay::retry
                                           : DirectDisplay::never;
}

int run_wayland(const Options &options)
{
    auto connection = WaylandConnection::open(options.wayland, compositor_limit);
    if (!connection) {
        Log::error("{}", connection.error().text);
        return exit_no_display;
    }
    WindowOptions wanted;
    wanted.full_screen = options.full_screen;
    wanted.direct = direct_display(options.direct);
    const auto make = [&]() -> Result<std::unique_ptr<Screen>> {
        return WaylandWindow::open(**connection, wanted);
    };
    const auto clipboard = options.no_clipboard ? nullptr : WaylandClipboard::open(**connection);
    Session session(options, {make, [] { return SIZE_MAX; }, clipboard.get()});
    return session.run();
}
#else
int run_wayland(const Options &)
{
    Log::error("this viewer was built without Wayland; use --kms");
    return exit_no_display;
}
#endif

int run(const Options &options)
{
    Log::level = options.log_level;
    if (options.list)
        return run_list(options);
    if (!options.screenshot.empty())
        return run_screenshot(options);
    return options.on_kms ? run_kms(options) : run_wayland(options);
}

} // namespace
} // namespace vramlink

int main(int argc, char **argv)
{
    try {
        const auto options = vramlink::parse_options(argc, argv);
        if (const int *code = std::get_if<int>(&options))
            return *code;
        return vramlink::run(std::get<vramlink::Options>(options));
    } catch (const std::exception &e) {
        std::fputs(e.what(), stderr); // nothing that could throw again
        std::fputs("\n", stderr);
        return vramlink::exit_internal;
    }
}
