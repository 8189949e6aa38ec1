// SPDX-License-Identifier: GPL-2.0-or-later
//
// Session: the life of the connection to QEMU, and one output for each console that is to be seen.
//
// Outputs come and go with QEMU's consoles; a window that the user has closed stays closed until it is asked
// for (Ctrl+Alt and its number), and its monitor is unplugged. The session ends with its last window. The
// guest sees a monitor of the host that is unplugged go as well, as long as it has another one, and come
// back.
//
// QEMU talks about its consoles with the client that came last. When that is another one (`--list`, say) the
// pictures go on; QEMU is joined anew when the user types or clicks.
//
// Thread: the default main context's; run() runs it.

#ifndef VRAMLINK_TOOLS_VIEWER_SESSION_HPP
#define VRAMLINK_TOOLS_VIEWER_SESSION_HPP

#include "tools/viewer/display_connection.hpp"
#include "tools/viewer/guest_clipboard.hpp"
#include "tools/viewer/options.hpp"
#include "tools/viewer/output.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace vramlink {

class Session {
  public:
    /// Makes screens: windows as many as are wanted, or one for each monitor.
    struct Screens {
        std::function<Result<std::unique_ptr<Screen>>()> make;
        std::function<size_t()> most = [] { return SIZE_MAX; };
        HostClipboard *clipboard = nullptr; ///< must outlive the session; null: none
    };
    /// @p options must outlive it.
    Session(const Options &options, Screens screens);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;
    ~Session();

    /// Returns the exit code.
    int run();
    /// Monitors were plugged in or unplugged: Screens::most() is another one, perhaps.
    void monitors_changed();
    /// Has run() return @p code.
    void end(int code);

  private:
    static gboolean on_end(gpointer self);
    static gboolean on_stats(gpointer self);
    struct LoopUnref {
        void operator()(GMainLoop *loop) const { g_main_loop_unref(loop); }
    };

    void connect();
    void settle();
    [[nodiscard]] std::set<unsigned> eligible() const;
    [[nodiscard]] std::set<unsigned> wanted() const;
    [[nodiscard]] std::string missing() const;
    bool open(unsigned console);
    void add_output(unsigned console, std::unique_ptr<Screen> screen);
    void name_windows();
    void closed_by_user(unsigned console);
    void reap();
    void asked_for(unsigned number);
    void main_lost(const std::string &reason);
    void lost(const std::string &reason);
    void take_back();
    void ask_for_mapped();
    [[nodiscard]] bool was_connected() const;
    bool write_stats();
    void arm_stats();

    const Options &options_;
    Screens screens_;
    std::unique_ptr<GMainLoop, LoopUnref> loop_{g_main_loop_new(nullptr, FALSE)};
    DisplayConnection connection_;
    std::unique_ptr<GuestClipboard> clipboard_;
    std::map<unsigned, std::unique_ptr<Output>> outputs_; ///< by console
    std::set<unsigned> closed_;                           ///< by the user
    std::set<unsigned> doomed_;                           ///< closed, not destroyed yet
    bool asked_mapped_ = false;
    bool seen_ = false; ///< some output was connected when one went; see was_connected()
    Timer retry_, reap_, mapped_, stats_timer_;
    int mapped_tries_ = 0;
    int64_t take_back_at_ = 0; ///< monotonic time before which it is not tried again
    std::array<guint, 3> sources_{};
    int64_t give_up_at_ = 0; ///< monotonic time until which a QEMU that is not there yet is waited for
    int code_ = exit_ok;
};

} // namespace vramlink

#endif
