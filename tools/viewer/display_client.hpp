// SPDX-License-Identifier: GPL-2.0-or-later
//
// DisplayClient: joins QEMU's D-Bus display as a listener of one console and passes on what comes.
//
// Two connections: one to QEMU's objects, peer to peer over a socket handed in by QMP or through a message
// bus, and one of the listener's own, on which QEMU calls us (Console.RegisterListener). QEMU's main loop
// waits for the listener's authentication and its properties while it registers, so nothing here blocks on
// QEMU.
//
// Thread: everything on the default main context; GIO's own worker does the sockets.

#ifndef VRAMLINK_TOOLS_VIEWER_DISPLAY_CLIENT_HPP
#define VRAMLINK_TOOLS_VIEWER_DISPLAY_CLIENT_HPP

#include "tools/viewer/display_sink.hpp"
#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/guest_input.hpp"
#include "tools/viewer/screen.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vramlink {

class DisplayClient {
  public:
    /// @p sink must outlive the client.
    DisplayClient(DisplaySink &sink, unsigned console);
    DisplayClient(const DisplayClient &) = delete;
    DisplayClient &operator=(const DisplayClient &) = delete;
    ~DisplayClient() { disconnect(); }

    /// Told to QEMU now, or as soon as it has let us in: the guest is offered that mode. A width of 0 is not
    /// told.
    void set_window(const ScreenSize &size);
    /// Keys and pointer of the console.
    [[nodiscard]] GuestInput &input() { return input_; }
    /// QEMU has taken it, on this connection.
    [[nodiscard]] bool window_told() const { return window_told_; }

    /// QEMU ended the listener's connection and lives: it did not want to wait for us any longer.
    [[nodiscard]] bool was_cut_off() const { return cut_off_; }

    /// Joins over @p socket, whose other end QEMU serves (taken). The outcome comes through the sink.
    void connect_peer(UniqueFd socket);
    /// Joins through the message bus at @p address, where QEMU owns "org.qemu".
    void connect_bus(const std::string &address);
    /// Ends both connections without a word to the sink. Safe to repeat.
    void disconnect();

  private:
    static void on_main_ready(GObject *source, GAsyncResult *result, gpointer self);
    static void on_bus_ready(GObject *source, GAsyncResult *result, gpointer self);
    static void on_registered(GObject *source, GAsyncResult *result, gpointer self);
    static void on_window_told(GObject *source, GAsyncResult *result, gpointer self);
    static void on_listener_ready(GObject *source, GAsyncResult *result, gpointer self);
    static void on_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer self);
    static void on_call(GDBusConnection *connection, const char *sender, const char *path,
                        const char *interface, const char *method, GVariant *parameters,
                        GDBusMethodInvocation *invocation, gpointer self);
    static GVariant *on_property(GDBusConnection *connection, const char *sender, const char *path,
                                 const char *interface, const char *property, GError **error, gpointer self);

    void begin();
    void have_main(GDBusConnection *connection, const char *bus_name);
    void have_listener(GDBusConnection *connection);
    void dispatch(const std::string &method, GVariant *parameters, GDBusMethodInvocation *invocation);
    void scanout_dmabuf(GVariant *parameters, GDBusMethodInvocation *invocation);
    void let_in();
    void tell_window();
    /// QEMU talks to another client about its consoles, and goes on calling our listener.
    [[nodiscard]] bool without_main() const { return listener_ && !main_; }
    void lost(const std::string &reason);
    /// The listener's side failed: final once QEMU has answered RegisterListener, a hint before that.
    void listener_lost(const std::string &reason);

    DisplaySink &sink_;
    std::string console_path_;
    GuestInput input_;
    ScreenSize window_;
    bool window_told_ = false;
    GObjectPtr<GCancellable> cancel_;
    GObjectPtr<GDBusConnection> main_, listener_;
    const char *bus_name_ = nullptr; ///< QEMU's on main_; null peer to peer
    guint object_id_ = 0;
    bool cut_off_ = false;    ///< by QEMU, which lives
    bool registered_ = false; ///< QEMU has answered RegisterListener
    std::string listener_failure_;
    Timer join_limit_;
};

} // namespace vramlink

#endif
