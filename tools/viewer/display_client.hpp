// SPDX-License-Identifier: GPL-2.0-or-later
//
// DisplayClient: a listener of one console of QEMU's D-Bus display, which passes on what comes.
//
// It shares a DisplayConnection to QEMU's objects with the listeners of other consoles, and has a connection
// of its own, on which QEMU calls us (Console.RegisterListener). QEMU's main loop waits for the listener's
// authentication and its properties while it registers, so nothing here blocks on QEMU.
//
// Thread: everything on the default main context; GIO's own worker does the sockets.

#ifndef VRAMLINK_TOOLS_VIEWER_DISPLAY_CLIENT_HPP
#define VRAMLINK_TOOLS_VIEWER_DISPLAY_CLIENT_HPP

#include "tools/viewer/display_connection.hpp"
#include "tools/viewer/display_sink.hpp"
#include "tools/viewer/guest_input.hpp"
#include "tools/viewer/screen.hpp"

#include <string>

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
    /// Tells QEMU that this console has no screen any more; the guest sees a monitor unplugged.
    void unplug();
    /// Keys and pointer of the console.
    [[nodiscard]] GuestInput &input() { return input_; }
    /// QEMU has taken it, on this connection.
    [[nodiscard]] bool window_told() const { return window_told_; }

    /// QEMU ended the listener's connection and lives: it did not want to wait for us any longer.
    [[nodiscard]] bool was_cut_off() const { return cut_off_; }

    /// Registers the listener over @p connection, which is up. The outcome comes through the sink.
    void join(const DisplayConnection &connection);
    /// The listener goes on without a connection to QEMU's objects, and here is one.
    void follow(const DisplayConnection &connection);
    /// Ends the listener's connection without a word to the sink. Safe to repeat.
    void disconnect();
    /// QEMU calls our listener now.
    [[nodiscard]] bool has_joined() const { return listener_ && registered_; }
    /// Between join() and that.
    [[nodiscard]] bool is_joining() const { return cancel_ && !has_joined(); }

  private:
    static void on_registered(GObject *source, GAsyncResult *result, gpointer self);
    static void on_window_told(GObject *source, GAsyncResult *result, gpointer self);
    static void on_listener_ready(GObject *source, GAsyncResult *result, gpointer self);
    static void on_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer self);
    static void on_main_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer self);
    static void on_call(GDBusConnection *connection, const char *sender, const char *path,
                        const char *interface, const char *method, GVariant *parameters,
                        GDBusMethodInvocation *invocation, gpointer self);
    static GVariant *on_property(GDBusConnection *connection, const char *sender, const char *path,
                                 const char *interface, const char *property, GError **error, gpointer self);

    void begin();
    void have_listener(GDBusConnection *connection);
    void dispatch(const std::string &method, GVariant *parameters, GDBusMethodInvocation *invocation);
    void scanout_dmabuf(GVariant *parameters, GDBusMethodInvocation *invocation);
    void let_in();
    void tell_window();
    void take_main(const DisplayConnection &connection);
    void leave_main();
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
    GObjectPtr<GDBusConnection> main_; ///< shared
    GObjectPtr<GDBusConnection> listener_;
    const char *bus_name_ = nullptr; ///< QEMU's on main_; null peer to peer
    guint object_id_ = 0;
    bool cut_off_ = false;    ///< by QEMU, which lives
    bool registered_ = false; ///< QEMU has answered RegisterListener
    std::string listener_failure_;
    Timer join_limit_;
};

} // namespace vramlink

#endif
