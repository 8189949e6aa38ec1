// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/display_client.hpp"

#include "tools/viewer/dbus_parts.hpp"
#include "tools/viewer/listener_protocol.hpp"
#include "tools/viewer/log.hpp"

#include <gio/gunixfdlist.h>
#include <gio/gunixfdmessage.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace vramlink {
namespace {

constexpr int64_t join_limit_us = DisplayConnection::join_limit_us;

/// What came with the message, as owned descriptors.
std::vector<UniqueFd> take_fds(GDBusMethodInvocation *invocation)
{
    std::vector<UniqueFd> fds;
    GUnixFDList *list = g_dbus_message_get_unix_fd_list(g_dbus_method_invocation_get_message(invocation));
    if (!list)
        return fds;
    gint count = 0;
    int *raw = g_unix_fd_list_steal_fds(list, &count);
    fds.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; i++)
        fds.emplace_back(raw[i]);
    g_free(raw);
    return fds;
}

void answer(GDBusMethodInvocation *invocation)
{
    g_dbus_method_invocation_return_value(invocation, nullptr);
}

void refuse(GDBusMethodInvocation *invocation, const std::string &reason)
{
    Log::warning("refused a call: {}", reason);
    g_dbus_method_invocation_return_error_literal(invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                                  reason.c_str());
}

} // namespace

DisplayClient::DisplayClient(DisplaySink &sink, unsigned console)
    : sink_(sink), console_path_(fmt::format("/org/qemu/Display1/Console_{}", console)),
      input_(console_path_), join_limit_([this] {
          lost(fmt::format("QEMU did not take us in within {} s", join_limit_us / G_USEC_PER_SEC));
      })
{
}

void DisplayClient::begin()
{
    disconnect();
    cancel_.reset(g_cancellable_new());
    registered_ = window_told_ = cut_off_ = false;
    listener_failure_.clear();
    join_limit_.arm(join_limit_us);
}

void DisplayClient::take_main(const DisplayConnection &connection)
{
    main_.reset(G_DBUS_CONNECTION(g_object_ref(connection.get())));
    bus_name_ = connection.bus_name();
    g_signal_connect(main_.get(), "closed", G_CALLBACK(&DisplayClient::on_main_closed), this);
}

void DisplayClient::follow(const DisplayConnection &connection)
{
    if (main_ || !has_joined())
        return;
    take_main(connection);
    let_in();
}

void DisplayClient::join(const DisplayConnection &connection)
{
    begin();
    take_main(connection);
    auto [ours, theirs] = socket_pair();
    if (!ours)
        return lost(fmt::format("socketpair: {}", std::strerror(errno)));
    const int handed = theirs.release();
    const GObjectPtr<GUnixFDList> fds(g_unix_fd_list_new_from_array(&handed, 1)); // takes it
    g_dbus_connection_call_with_unix_fd_list(
        main_.get(), bus_name_, console_path_.c_str(), "org.qemu.Display1.Console", "RegisterListener",
        g_variant_new("(h)", 0), nullptr, G_DBUS_CALL_FLAGS_NONE, static_cast<gint>(join_limit_us / 1000),
        fds.get(), cancel_.get(), &DisplayClient::on_registered, this);
    const auto stream = stream_over(std::move(ours));
    if (!stream)
        return lost("the listener's socket cannot be used");
    // Calls are held back until the listener object is there.
    constexpr auto flags = static_cast<GDBusConnectionFlags>(
        G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING);
    g_dbus_connection_new(stream.get(), nullptr, flags, nullptr, cancel_.get(),
                          &DisplayClient::on_listener_ready, this);
}

void DisplayClient::on_registered(GObject *source, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    const GVariantPtr value(
        g_dbus_connection_call_with_unix_fd_list_finish(G_DBUS_CONNECTION(source), nullptr, result, &error));
    auto *client = static_cast<DisplayClient *>(self);
    if (!value && error.cancelled())
        return;
    if (!value && client->without_main())
        return; // its answer was lost with the connection
    client->registered_ = true;
    if (!value)
        client->lost("RegisterListener: " + error.text());
    else if (!client->listener_failure_.empty())
        client->lost(client->listener_failure_);
    else
        client->let_in();
}

void DisplayClient::let_in()
{
    if (!main_)
        return;
    input_.attach(main_.get(), bus_name_);
    tell_window();
}

void DisplayClient::set_window(const ScreenSize &size)
{
    if (size == window_)
        return;
    window_ = size;
    if (registered_ && main_)
        tell_window();
}

void DisplayClient::unplug()
{
    if (registered_ && main_)
        g_dbus_connection_call(main_.get(), bus_name_, console_path_.c_str(), "org.qemu.Display1.Console",
                               "SetUIInfo", g_variant_new("(qqiiuu)", 0, 0, 0, 0, 0, 0), nullptr,
                               G_DBUS_CALL_FLAGS_NONE, -1, nullptr, nullptr, nullptr);
    window_ = {};
}

void DisplayClient::tell_window()
{
    if (window_.width == 0 || !main_)
        return;
    const auto millimetres = [](uint32_t size) {
        return static_cast<guint16>(std::min<uint32_t>(size, G_MAXUINT16));
    };
    g_dbus_connection_call(
        main_.get(), bus_name_, console_path_.c_str(), "org.qemu.Display1.Console", "SetUIInfo",
        g_variant_new("(qqiiuu)", millimetres(window_.width_mm), millimetres(window_.height_mm), 0, 0,
                      window_.width, window_.height),
        nullptr, G_DBUS_CALL_FLAGS_NONE, -1, cancel_.get(), &DisplayClient::on_window_told, this);
}

void DisplayClient::on_window_told(GObject *source, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    const GVariantPtr value(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
    if (value) {
        auto *client = static_cast<DisplayClient *>(self);
        client->window_told_ = true;
        Log::info("the guest is told of a screen of {}x{}", client->window_.width, client->window_.height);
    } else if (!error.cancelled()) // a device without that, or QEMU goes, which we hear elsewhere
    {
        Log::info("the guest is not told of the screen's size: {}", error.text());
    }
}

void DisplayClient::on_listener_ready(GObject *, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    GDBusConnection *connection = g_dbus_connection_new_finish(result, &error);
    auto *client = static_cast<DisplayClient *>(self);
    if (connection)
        return client->have_listener(connection);
    if (error.cancelled())
        return;
    client->listener_lost("the listener's connection: " + error.text());
}

void DisplayClient::listener_lost(const std::string &reason)
{
    if (registered_)
        return lost(reason);
    // QEMU closes the socket of a listener that it refuses: its answer, which says why, may come second.
    listener_failure_ = reason;
}

void DisplayClient::have_listener(GDBusConnection *connection)
{
    static const GDBusInterfaceVTable vtable{
        &DisplayClient::on_call, &DisplayClient::on_property, nullptr, {}};
    listener_.reset(connection);
    g_signal_connect(connection, "closed", G_CALLBACK(&DisplayClient::on_closed), this);
    GErrorHolder error;
    object_id_ = g_dbus_connection_register_object(connection, listener_path, listener_interface_info(),
                                                   &vtable, this, nullptr, &error);
    if (!object_id_)
        return lost("the listener object: " + error.text());
    g_dbus_connection_start_message_processing(connection);
    join_limit_.disarm();
    sink_.connected();
}

void DisplayClient::on_closed(GDBusConnection *, gboolean vanished, GError *error, gpointer self)
{
    auto *client = static_cast<DisplayClient *>(self);
    const std::string reason = why_closed(vanished, error);
    if (client->without_main())
        return client->lost(reason);
    client->cut_off_ = client->registered_ && !g_dbus_connection_is_closed(client->main_.get());
    client->listener_lost(reason);
}

/// QEMU talks to one peer at a time; each keeps its listener, and that is all we need from here on.
void DisplayClient::on_main_closed(GDBusConnection *, gboolean vanished, GError *error, gpointer self)
{
    auto *client = static_cast<DisplayClient *>(self);
    if (client->bus_name_ != nullptr || !client->listener_)
        return client->lost(why_closed(vanished, error));
    client->leave_main();
}

void DisplayClient::leave_main()
{
    if (!main_)
        return;
    input_.detach();
    g_signal_handlers_disconnect_by_data(main_.get(), this);
    main_.reset();
}

void DisplayClient::lost(const std::string &reason)
{
    disconnect();
    sink_.disconnected(reason);
}

void DisplayClient::disconnect()
{
    join_limit_.disarm();
    if (cancel_)
        g_cancellable_cancel(cancel_.get());
    cancel_.reset();
    if (listener_ && object_id_)
        g_dbus_connection_unregister_object(listener_.get(), object_id_);
    object_id_ = 0;
    close_quietly(listener_, this);
    leave_main();
    registered_ = false;
}

GVariant *DisplayClient::on_property(GDBusConnection *, const char *, const char *, const char *,
                                     const char *, GError **, gpointer)
{
    return g_variant_new_strv(nullptr, 0); // "Interfaces": none beyond the listener itself
}

void DisplayClient::on_call(GDBusConnection *, const char *, const char *, const char *, const char *method,
                            GVariant *parameters, GDBusMethodInvocation *invocation, gpointer self)
{
    static_cast<DisplayClient *>(self)->dispatch(method, parameters, invocation);
}

void DisplayClient::dispatch(const std::string &method, GVariant *parameters,
                             GDBusMethodInvocation *invocation)
{
    if (method == "UpdateDMABUF") {
        const Rect damage = decode_update_dmabuf(parameters);
        return sink_.update_dmabuf(damage, Completion([invocation] { answer(invocation); }));
    }
    if (method == "ScanoutDMABUF")
        return scanout_dmabuf(parameters, invocation);
    if (method == "Scanout") {
        const auto frame = decode_scanout(parameters);
        if (!frame)
            return refuse(invocation, "Scanout: " + frame.error().text);
        sink_.scanout(*frame);
    } else if (method == "Update") {
        const auto update = decode_update(parameters);
        if (!update)
            return refuse(invocation, "Update: " + update.error().text);
        sink_.update(update->x, update->y, update->pixels);
    } else if (method == "Disable") {
        sink_.disable();
    } else if (method == "CursorDefine") {
        const auto image = decode_cursor(parameters);
        if (!image)
            return refuse(invocation, "CursorDefine: " + image.error().text);
        sink_.cursor(*image);
    } else if (method == "MouseSet") {
        gint32 x = 0, y = 0, on = 0;
        g_variant_get(parameters, "(iii)", &x, &y, &on);
        sink_.cursor_at({x, y, on != 0});
    }
    answer(invocation);
}

void DisplayClient::scanout_dmabuf(GVariant *parameters, GDBusMethodInvocation *invocation)
{
    auto fds = take_fds(invocation);
    auto frame = decode_scanout_dmabuf(parameters, fds);
    if (!frame)
        return refuse(invocation, "ScanoutDMABUF: " + frame.error().text);
    sink_.scanout_dmabuf(std::move(*frame));
    answer(invocation);
}

} // namespace vramlink
