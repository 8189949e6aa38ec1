// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/screenshot.hpp"

#include "tools/viewer/log.hpp"
#include "tools/viewer/memory_screen.hpp"
#include "tools/viewer/png_file.hpp"
#include "tools/viewer/session.hpp"

namespace vramlink {
namespace {

/// After QEMU has been waited for: a picture comes at once, or after the guest has been asked for another
/// one.
constexpr double picture_limit_s = 10;

} // namespace

int run_screenshot(const Options &options)
{
    Options own = options;
    own.visitor = true;
    own.no_copy = false;
    own.on_kms = false;
    own.stats.clear();
    own.reconnect = false;
    std::shared_ptr<const Picture> picture;
    Session *running = nullptr;
    MemoryScreen *screen = nullptr;
    const auto make = [&]() -> Result<std::unique_ptr<Screen>> {
        auto made = std::make_unique<MemoryScreen>();
        screen = made.get();
        screen->on_picture = [&] {
            picture = screen->picture();
            running->end(exit_ok);
        };
        return made;
    };
    Session session(own, {make, [] { return size_t{1}; }});
    running = &session;
    Timer limit([&] {
        Log::error("the VM has shown no picture that could be read{}{}", screen->note().empty() ? "" : ": ",
                   screen->note());
        session.end(exit_no_picture);
    });
    limit.arm(static_cast<int64_t>((own.connect_timeout + picture_limit_s) * G_USEC_PER_SEC));
    if (const int code = session.run(); code != exit_ok)
        return code;
    if (!picture) // ended by a signal
        return exit_no_picture;
    if (const auto written = write_png(*picture, options.screenshot); !written) {
        Log::error("{}", written.error().text);
        return exit_internal;
    }
    return exit_ok;
}

} // namespace vramlink
