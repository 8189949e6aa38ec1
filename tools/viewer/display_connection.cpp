// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/display_connection.hpp"

#include "tools/viewer/dbus_parts.hpp"

#include <fmt/format.h>

#include <utility>

namespace vramlink {
namespace {

constexpr const char *qemu_bus_name = "org.qemu";
constexpr const char *root = "/org/qemu/Display1";
/// A new mode is two properties, a new device several objects: one question for all of them.
constexpr int64_t changes_settle_us = 20'000;

} // namespace

DisplayConnection::DisplayConnection()
    : join_limit_([this] {
          lost(fmt::format("QEMU did not take us in within {} s", join_limit_us / G_USEC_PER_SEC));
      }),
      ask_again_([this] { ask(); })
{
}

void DisplayConnection::begin()
{
    disconnect();
    cancel_.reset(g_cancellable_new());
    join_limit_.arm(join_limit_us);
}

void DisplayConnection::connect_peer(UniqueFd socket)
{
    begin();
    const auto stream = stream_over(std::move(socket));
    if (!stream)
        return lost("the socket to QEMU cannot be used");
    g_dbus_connection_new(stream.get(), nullptr, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, nullptr,
                          cancel_.get(), &DisplayConnection::on_peer, this);
}

void DisplayConnection::connect_bus(const std::string &address)
{
    begin();
    constexpr auto flags = static_cast<GDBusConnectionFlags>(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                             G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION);
    g_dbus_connection_new_for_address(address.c_str(), flags, nullptr, cancel_.get(),
                                      &DisplayConnection::on_bus, this);
}

void DisplayConnection::on_peer(GObject *, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    GDBusConnection *connection = g_dbus_connection_new_finish(result, &error);
    if (connection)
        static_cast<DisplayConnection *>(self)->have(connection, nullptr);
    else if (!error.cancelled()) // cancelled: we may be gone
        static_cast<DisplayConnection *>(self)->lost("QEMU's D-Bus display: " + error.text());
}

void DisplayConnection::on_bus(GObject *, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    GDBusConnection *connection = g_dbus_connection_new_for_address_finish(result, &error);
    if (connection)
        static_cast<DisplayConnection *>(self)->have(connection, qemu_bus_name);
    else if (!error.cancelled())
        static_cast<DisplayConnection *>(self)->lost("message bus: " + error.text());
}

void DisplayConnection::have(GDBusConnection *connection, const char *bus_name)
{
    connection_.reset(connection);
    bus_name_ = bus_name;
    g_signal_connect(connection, "closed", G_CALLBACK(&DisplayConnection::on_closed), this);
    subscription_ =
        g_dbus_connection_signal_subscribe(connection, bus_name, nullptr, nullptr, nullptr, nullptr,
                                           G_DBUS_SIGNAL_FLAGS_NONE, &on_signal, this, nullptr);
    ask();
}

void DisplayConnection::ask()
{
    if (!connection_)
        return;
    g_dbus_connection_call(get(), bus_name_, root, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                           nullptr, G_VARIANT_TYPE("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NONE,
                           static_cast<gint>(join_limit_us / 1000), cancel_.get(),
                           &DisplayConnection::on_objects, this);
}

void DisplayConnection::on_objects(GObject *source, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    const GVariantPtr objects(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
    if (!objects && error.cancelled())
        return;
    auto *own = static_cast<DisplayConnection *>(self);
    if (!objects) // once we are in, a lost answer is the loss of the connection, which we hear elsewhere
        return own->ready_ ? void() : own->lost("QEMU's D-Bus objects: " + error.text());
    auto vm = decode_vm(objects.get());
    if (!vm)
        return own->lost(vm.error().text);
    own->join_limit_.disarm();
    const bool changed = std::exchange(own->vm_, std::move(*vm)) != own->vm_;
    if (!std::exchange(own->ready_, true))
        own->on_ready();
    else if (changed)
        own->on_changed();
}

void DisplayConnection::on_signal(GDBusConnection *, const char *, const char *path, const char *interface,
                                  const char *, GVariant *, gpointer self)
{
    const std::string where = path ? path : "", what = interface ? interface : "";
    if (where.starts_with(root) &&
        (what == "org.freedesktop.DBus.Properties" || what == "org.freedesktop.DBus.ObjectManager"))
        static_cast<DisplayConnection *>(self)->ask_again_.arm(changes_settle_us);
}

void DisplayConnection::on_closed(GDBusConnection *, gboolean vanished, GError *error, gpointer self)
{
    static_cast<DisplayConnection *>(self)->lost(why_closed(vanished, error));
}

void DisplayConnection::lost(const std::string &reason)
{
    disconnect();
    on_lost(reason);
}

void DisplayConnection::disconnect()
{
    join_limit_.disarm();
    ask_again_.disarm();
    if (cancel_)
        g_cancellable_cancel(cancel_.get());
    cancel_.reset();
    if (connection_ && subscription_)
        g_dbus_connection_signal_unsubscribe(get(), subscription_);
    subscription_ = 0;
    ready_ = false;
    close_quietly(connection_, this);
}

} // namespace vramlink
