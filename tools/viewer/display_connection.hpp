// SPDX-License-Identifier: GPL-2.0-or-later
//
// DisplayConnection: the one connection to the objects of QEMU's D-Bus display, peer to peer over a socket
// handed in by QMP, or through a message bus. It knows the VM's consoles and hears when they change.
//
// QEMU talks to one peer at a time, the last that came (ui/dbus.c, dbus_display_add_client_ready()), and ends
// the connection of the one before. Listeners have connections of their own and go on.
//
// Thread: everything on the default main context; GIO's own worker does the sockets. Nothing here blocks on
// QEMU.

#ifndef VRAMLINK_TOOLS_VIEWER_DISPLAY_CONNECTION_HPP
#define VRAMLINK_TOOLS_VIEWER_DISPLAY_CONNECTION_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/vm_info.hpp"
#include "vramlink/unique_fd.hpp"

#include <functional>
#include <string>

namespace vramlink {

class DisplayConnection {
  public:
    static constexpr int64_t join_limit_us = int64_t{15} * G_USEC_PER_SEC; ///< for QEMU to take us in

    DisplayConnection();
    DisplayConnection(const DisplayConnection &) = delete;
    DisplayConnection &operator=(const DisplayConnection &) = delete;
    ~DisplayConnection() { disconnect(); }

    /// Joins over @p socket, whose other end QEMU serves (taken). on_ready() or on_lost() follows.
    void connect_peer(UniqueFd socket);
    /// Joins through the message bus at @p address, where QEMU owns "org.qemu".
    void connect_bus(const std::string &address);
    /// Without a word to the callbacks. Safe to repeat.
    void disconnect();

    /// Borrowed; null while there is none.
    [[nodiscard]] GDBusConnection *get() const { return connection_.get(); }
    /// QEMU's on the connection; null peer to peer. Lives as long as the program.
    [[nodiscard]] const char *bus_name() const { return bus_name_; }
    [[nodiscard]] bool is_up() const { return connection_ && !g_dbus_connection_is_closed(get()); }
    /// As of the last on_ready() or on_changed().
    [[nodiscard]] const VmInfo &vm() const { return vm_; }

    // May call disconnect() and the connect functions.
    std::function<void()> on_ready = [] {};   ///< vm() is known
    std::function<void()> on_changed = [] {}; ///< vm() has changed
    std::function<void(const std::string &)> on_lost = [](const std::string &) {};

  private:
    static void on_peer(GObject *source, GAsyncResult *result, gpointer self);
    static void on_bus(GObject *source, GAsyncResult *result, gpointer self);
    static void on_objects(GObject *source, GAsyncResult *result, gpointer self);
    static void on_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer self);
    static void on_signal(GDBusConnection *connection, const char *sender, const char *path,
                          const char *interface, const char *signal, GVariant *parameters, gpointer self);
    void begin();
    void have(GDBusConnection *connection, const char *bus_name);
    void ask();
    void lost(const std::string &reason);

    GObjectPtr<GCancellable> cancel_;
    GObjectPtr<GDBusConnection> connection_;
    const char *bus_name_ = nullptr;
    guint subscription_ = 0;
    bool ready_ = false;
    VmInfo vm_;
    Timer join_limit_, ask_again_;
};

} // namespace vramlink

#endif
