// SPDX-License-Identifier: GPL-2.0-or-later
//
// vramlink-viewer: command line, main loop, and the life of the connection to QEMU.

#include "tools/viewer/display_client.hpp"
#include "tools/viewer/kms_screen.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/mapped_request.hpp"
#include "tools/viewer/options.hpp"
#include "tools/viewer/presenter.hpp"
#include "tools/viewer/qmp_client.hpp"
#include "tools/viewer/stats.hpp"
#ifdef VRAMLINK_WAYLAND
#include "tools/viewer/wayland/window.hpp"
#endif

#include <glib-unix.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

namespace vramlink {
namespace {

constexpr std::chrono::milliseconds qmp_limit{5000};
constexpr int64_t retry_us = G_USEC_PER_SEC;

class Viewer {
  public:
    Viewer(const Options &options, Screen &screen)
        : options_(options), screen_(screen),
          presenter_(screen, [this](const std::string &reason) { lost(reason); }),
          client_(presenter_, options.console), retry_([this] { connect(); }), stats_timer_([this] {
              write_stats();
              arm_stats();
          })
    {
        presenter_.allow_copy(options.on_kms ? options.allow_copy : !options.no_copy);
        presenter_.on_unusable = [this] { ask_for_mapped(); };
        screen_.set_input(&client_.input());
        client_.set_window(screen.size());
        screen.on_closed = [this] { end(exit_ok); };
        screen.on_resized = [this](const ScreenSize &size) { client_.set_window(size); };
        screen.listen([this](const std::string &why) {
            Log::error("{}", why);
            end(exit_no_display);
        });
        give_up_at_ = g_get_monotonic_time() + static_cast<int64_t>(options.connect_timeout * G_USEC_PER_SEC);
        sources_ = {g_unix_signal_add(SIGTERM, &Viewer::on_end, this),
                    g_unix_signal_add(SIGINT, &Viewer::on_end, this),
                    g_unix_signal_add(SIGUSR1, &Viewer::on_stats, this)};
    }
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;
    ~Viewer()
    {
        for (const guint source : sources_)
            g_source_remove(source);
        screen_.set_input(nullptr);
    }

    int run()
    {
        if (!write_stats())
            return exit_internal;
        arm_stats();
        retry_.arm(0);
        g_main_loop_run(loop_.get());
        client_.disconnect();
        if (presenter_.is_connected())
            presenter_.leave();
        return write_stats() || code_ != exit_ok ? code_ : exit_internal;
    }

  private:
    struct LoopUnref {
        void operator()(GMainLoop *loop) const { g_main_loop_unref(loop); }
    };

    static gboolean on_end(gpointer self)
    {
        static_cast<Viewer *>(self)->end(exit_ok);
        return G_SOURCE_CONTINUE;
    }
    static gboolean on_stats(gpointer self)
    {
        static_cast<Viewer *>(self)->write_stats();
        return G_SOURCE_CONTINUE;
    }

    void connect()
    {
        if (!options_.dbus_address.empty())
            return client_.connect_bus(options_.dbus_address);
        auto socket = qmp_join_dbus_display(options_.qmp, qmp_limit);
        if (!socket)
            return lost(socket.error().text);
        (void)request_mapped(options_.qmp, false, qmp_limit); // what a viewer before us may have asked for
        client_.connect_peer(std::move(*socket));
    }

    /// The fallback's fallback: QEMU's side maps what we cannot.
    void ask_for_mapped()
    {
        if (options_.qmp.empty())
            return Log::info("with --qmp, vramlink's device could be asked for a mapped picture");
        const auto devices = request_mapped(options_.qmp, true, qmp_limit);
        if (!devices)
            Log::error("asking for the mapped picture: {}", devices.error().text);
        else if (*devices == 0)
            Log::info("QEMU has no device of vramlink's that could show the picture mapped");
        else
            Log::info("QEMU is asked for the mapped picture (show-mapped)");
    }

    /// After the connection ended, and after an attempt that failed. Whoever was cut off comes back once
    /// more.
    void lost(const std::string &reason)
    {
        const bool starting = !was_connected() && g_get_monotonic_time() < give_up_at_;
        if (options_.reconnect || starting || client_.was_cut_off()) {
            Log::info("{}; trying again", reason);
            return retry_.arm(retry_us);
        }
        Log::error("{}", reason);
        end(exit_connection_lost);
    }

    [[nodiscard]] bool was_connected() const { return presenter_.times_connected() > 0; }

    void end(int code)
    {
        code_ = code;
        g_main_loop_quit(loop_.get());
    }

    bool write_stats()
    {
        if (options_.stats.empty())
            return true;
        const auto written = write_atomically(options_.stats, collect_stats(presenter_).dump(2) + "\n");
        if (!written)
            Log::error("{}", written.error().text);
        return written.has_value();
    }

    void arm_stats()
    {
        if (options_.stats_interval > 0)
            stats_timer_.arm(static_cast<int64_t>(options_.stats_interval * G_USEC_PER_SEC));
    }

    const Options &options_;
    std::unique_ptr<GMainLoop, LoopUnref> loop_{g_main_loop_new(nullptr, FALSE)};
    Screen &screen_;
    Presenter presenter_;
    DisplayClient client_;
    Timer retry_, stats_timer_;
    std::array<guint, 3> sources_{};
    int64_t give_up_at_ = 0; ///< monotonic time until which a QEMU that is not there yet is waited for
    int code_ = exit_ok;
};

/// The device at @p path, or the first card that works.
Result<std::unique_ptr<DrmDevice>> open_device(const std::string &path)
{
    if (!path.empty())
        return DrmDevice::open(libdrm_api(), path);
    constexpr int most_cards = 16;
    auto device = DrmDevice::open(libdrm_api(), "/dev/dri/card0");
    for (int card = 1; card < most_cards && !device; card++) {
        auto next = DrmDevice::open(libdrm_api(), fmt::format("/dev/dri/card{}", card));
        if (next)
            device = std::move(next);
    }
    return device;
}

int run_kms(const Options &options)
{
    auto device = open_device(options.kms);
    if (!device) {
        Log::error("{}", device.error().text);
        return exit_no_display;
    }
    auto output = KmsOutput::open(**device);
    if (!output) {
        Log::error("{}", output.error().text);
        return exit_no_display;
    }
    Log::info("{}", (*output)->describe());
    KmsScreen screen(**output);
    Viewer viewer(options, screen);
    return viewer.run();
}

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
    auto window = WaylandWindow::open(**connection, wanted);
    if (!window) {
        Log::error("{}", window.error().text);
        return exit_no_display;
    }
    Viewer viewer(options, **window);
    return viewer.run();
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
