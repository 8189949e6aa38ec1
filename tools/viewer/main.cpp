// SPDX-License-Identifier: GPL-2.0-or-later
//
// vramlink-viewer: command line, main loop, and the life of the connection to QEMU.

#include "tools/viewer/display_client.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/options.hpp"
#include "tools/viewer/presenter.hpp"
#include "tools/viewer/qmp_client.hpp"
#include "tools/viewer/stats.hpp"

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
    Viewer(const Options &options, KmsOutput &output)
        : options_(options), presenter_(output, [this](const std::string &reason) { lost(reason); }),
          client_(presenter_, options.console), retry_([this] { connect(); }), stats_timer_([this] {
              write_stats();
              arm_stats();
          })
    {
        presenter_.allow_copy(options.allow_copy);
        const auto screen = output.screen();
        client_.set_window({screen.width, screen.height, screen.width_mm, screen.height_mm});
        give_up_at_ = g_get_monotonic_time() + static_cast<int64_t>(options.connect_timeout * G_USEC_PER_SEC);
        sources_ = {g_unix_signal_add(SIGTERM, &Viewer::on_end, this),
                    g_unix_signal_add(SIGINT, &Viewer::on_end, this),
                    g_unix_signal_add(SIGUSR1, &Viewer::on_stats, this),
                    g_unix_fd_add(output.device().fd(), G_IO_IN, &Viewer::on_device, this)};
    }
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;
    ~Viewer()
    {
        for (const guint source : sources_)
            g_source_remove(source);
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
    static gboolean on_device(gint, GIOCondition, gpointer self)
    {
        auto *viewer = static_cast<Viewer *>(self);
        if (const auto alive = viewer->presenter_.flip_events(); !alive) {
            Log::error("{}", alive.error().text);
            viewer->end(exit_no_display);
        }
        return G_SOURCE_CONTINUE;
    }

    void connect()
    {
        if (!options_.dbus_address.empty())
            return client_.connect_bus(options_.dbus_address);
        auto socket = qmp_join_dbus_display(options_.qmp, qmp_limit);
        if (!socket)
            return lost(socket.error().text);
        client_.connect_peer(std::move(*socket));
    }

    /// After the connection ended, and after an attempt that failed. Whoever was cut off comes back once more.
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
    Presenter presenter_;
    DisplayClient client_;
    Timer retry_, stats_timer_;
    std::array<guint, 4> sources_{};
    int64_t give_up_at_ = 0; ///< monotonic time until which a QEMU that is not there yet is waited for
    int code_ = exit_ok;
};

int run(const Options &options)
{
    Log::level = options.log_level;
    auto device = DrmDevice::open(libdrm_api(), options.kms);
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
    Viewer viewer(options, **output);
    return viewer.run();
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
