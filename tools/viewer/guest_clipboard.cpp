// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/guest_clipboard.hpp"

#include "tools/viewer/log.hpp"

#include <fcntl.h>
#include <gio/gunixoutputstream.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace vramlink {
namespace {

constexpr const char *object = "/org/qemu/Display1/Clipboard";
constexpr const char *interface_name = "org.qemu.Display1.Clipboard";
constexpr const char *mime = "text/plain;charset=utf-8"; // the one that QEMU knows
// QEMU's words (ui/dbus-clipboard.c): its errors all have the same name
constexpr const char *taken = "already registered";
constexpr int64_t retry_us = G_USEC_PER_SEC; // for want of a signal that QEMU's other client has gone
constexpr uint32_t clipboard = 0;            // the selection; the others are X11's

constexpr const char *introspection_xml = R"(
<node>
  <interface name="org.qemu.Display1.Clipboard">
    <method name="Register"/>
    <method name="Unregister"/>
    <method name="Grab">
      <arg type="u" direction="in"/><arg type="u" direction="in"/><arg type="as" direction="in"/>
    </method>
    <method name="Release"><arg type="u" direction="in"/></method>
    <method name="Request">
      <arg type="u" direction="in"/><arg type="as" direction="in"/>
      <arg type="s" direction="out"/><arg type="ay" direction="out"/>
    </method>
    <property name="Interfaces" type="as" access="read"/>
  </interface>
</node>)";

GDBusInterfaceInfo *interface_info()
{
    static GDBusNodeInfo *const node = g_dbus_node_info_new_for_xml(introspection_xml, nullptr);
    return g_dbus_node_info_lookup_interface(node, interface_name);
}

GVariant *mimes()
{
    const char *list[] = {mime, nullptr};
    return g_variant_new_strv(list, -1);
}

void refuse(GDBusMethodInvocation *invocation, const std::string &reason)
{
    g_dbus_method_invocation_return_error_literal(invocation, G_DBUS_ERROR, G_DBUS_ERROR_FAILED,
                                                  reason.c_str());
}

} // namespace

/// The guest's text on its way to a program of the host.
struct GuestClipboard::Paste {
    UniqueFd to;
    GVariantPtr text;
};

GuestClipboard::GuestClipboard(HostClipboard &host) : host_(host), retry_([this] { register_with_qemu(); })
{
    host_.on_changed = [this](bool has_text) {
        host_has_text_ = has_text;
        offer_host_text();
    };
    host_.on_paste = [this](UniqueFd to) { paste(std::move(to)); };
}

GuestClipboard::~GuestClipboard()
{
    detach();
    host_.on_changed = [](bool) {};
    host_.on_paste = [](UniqueFd) {};
}

void GuestClipboard::attach(GDBusConnection *connection, const char *bus_name)
{
    static const GDBusInterfaceVTable vtable{
        &GuestClipboard::on_call, &GuestClipboard::on_property, nullptr, {}};
    detach();
    connection_.reset(G_DBUS_CONNECTION(g_object_ref(connection)));
    peer_ = bus_name == nullptr;
    bus_name_ = bus_name ? bus_name : "";
    cancel_.reset(g_cancellable_new());
    serial_ = -1;
    host_owns_ = false;
    refusal_said_ = false;
    GErrorHolder error;
    object_id_ = g_dbus_connection_register_object(connection, object, interface_info(), &vtable, this,
                                                   nullptr, &error);
    if (!object_id_)
        return Log::info("the clipboard is not shared: {}", error.text());
    register_with_qemu();
}

void GuestClipboard::register_with_qemu()
{
    g_dbus_connection_call(connection_.get(), peer_ ? nullptr : bus_name_.c_str(), object, interface_name,
                           "Register", nullptr, nullptr, G_DBUS_CALL_FLAGS_NONE, -1, cancel_.get(),
                           &GuestClipboard::on_registered, this);
}

void GuestClipboard::detach()
{
    if (cancel_)
        g_cancellable_cancel(cancel_.get());
    cancel_.reset();
    if (connection_ && object_id_)
        g_dbus_connection_unregister_object(connection_.get(), object_id_);
    object_id_ = 0;
    registered_ = false;
    retry_.disarm();
    if (connection_)
        host_.offer(false);
    connection_.reset();
}

void GuestClipboard::on_registered(GObject *source, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    const GVariantPtr answer(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
    if (error.cancelled())
        return;
    auto *own = static_cast<GuestClipboard *>(self);
    own->registered_ = answer != nullptr;
    if (own->registered_)
        return own->offer_host_text();
    if (!std::exchange(own->refusal_said_, true))
        Log::info("the clipboard is not shared: {}", error.text());
    if (error.text().find(taken) != std::string::npos)
        own->retry_.arm(retry_us);
}

void GuestClipboard::call(const char *method, GVariant *arguments)
{
    const GVariantPtr owned(g_variant_ref_sink(arguments));
    if (connection_)
        g_dbus_connection_call(connection_.get(), peer_ ? nullptr : bus_name_.c_str(), object, interface_name,
                               method, owned.get(), nullptr, G_DBUS_CALL_FLAGS_NONE, -1, nullptr, nullptr,
                               nullptr);
}

GVariant *GuestClipboard::on_property(GDBusConnection *, const char *, const char *, const char *,
                                      const char *, GError **, gpointer)
{
    return g_variant_new_strv(nullptr, 0); // "Interfaces": none beyond this one
}

void GuestClipboard::on_call(GDBusConnection *, const char *, const char *, const char *, const char *method,
                             GVariant *parameters, GDBusMethodInvocation *invocation, gpointer self)
{
    auto *own = static_cast<GuestClipboard *>(self);
    const std::string_view name = method;
    uint32_t selection = 0, serial = 0;
    if (name == "Request")
        return own->give(invocation);
    if (name == "Register") { // the guest has another agent, which has heard of nothing
        own->serial_ = -1;
        own->host_owns_ = false;
        own->offer_host_text();
    } else if (name == "Grab") {
        const char **types = nullptr;
        g_variant_get(parameters, "(uu^a&s)", &selection, &serial, &types);
        own->guest_grabs(selection, serial, g_strv_contains(types, mime) != FALSE);
        g_free(types);
    } else if (name == "Release") {
        g_variant_get(parameters, "(u)", &selection);
        if (selection == clipboard && !own->host_owns_)
            own->host_.offer(false);
    }
    g_dbus_method_invocation_return_value(invocation, nullptr);
}

void GuestClipboard::guest_grabs(uint32_t selection, uint32_t serial, bool text)
{
    if (selection != clipboard || serial < serial_ || (serial == serial_ && host_owns_))
        return;
    serial_ = serial;
    host_owns_ = false;
    host_has_text_ = false; // what it had has been replaced
    host_.offer(text);
}

void GuestClipboard::offer_host_text()
{
    if (!registered_)
        return;
    if (!host_has_text_) {
        if (std::exchange(host_owns_, false))
            call("Release", g_variant_new("(u)", clipboard));
        return;
    }
    ++serial_;
    host_owns_ = true;
    call("Grab", g_variant_new("(uu@as)", clipboard, static_cast<guint32>(serial_), mimes()));
}

/// The guest pastes, and QEMU waits.
void GuestClipboard::give(GDBusMethodInvocation *invocation)
{
    host_.read([invocation](const Result<std::string> &text) {
        if (!text)
            return refuse(invocation, text.error().text);
        g_dbus_method_invocation_return_value(
            invocation,
            g_variant_new("(s@ay)", mime,
                          g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, text->data(), text->size(), 1)));
    });
}

void GuestClipboard::paste(UniqueFd to)
{
    if (!connection_)
        return; // an empty text
    g_dbus_connection_call(connection_.get(), peer_ ? nullptr : bus_name_.c_str(), object, interface_name,
                           "Request", g_variant_new("(u@as)", clipboard, mimes()), G_VARIANT_TYPE("(say)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, nullptr, &GuestClipboard::on_text,
                           new Paste{std::move(to), nullptr});
}

void GuestClipboard::on_text(GObject *source, GAsyncResult *result, gpointer paste)
{
    std::unique_ptr<Paste> own(static_cast<Paste *>(paste));
    GErrorHolder error;
    const GVariantPtr answer(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
    if (!answer)
        return Log::info("the guest's clipboard: {}", error.text());
    own->text.reset(g_variant_get_child_value(answer.get(), 1));
    gsize size = 0;
    const void *data = g_variant_get_fixed_array(own->text.get(), &size, 1);
    (void)fcntl(own->to.get(), F_SETFL, O_NONBLOCK); // or a program that does not read would stop us
    const GObjectPtr<GOutputStream> stream(g_unix_output_stream_new(own->to.release(), TRUE));
    g_output_stream_write_all_async(stream.get(), data, std::min(size, most_clipboard_bytes),
                                    G_PRIORITY_DEFAULT, nullptr, &GuestClipboard::on_written, own.release());
}

void GuestClipboard::on_written(GObject *source, GAsyncResult *result, gpointer paste)
{
    const std::unique_ptr<Paste> own(static_cast<Paste *>(paste));
    GErrorHolder ignored; // whoever wanted it has gone away
    (void)g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, nullptr, &ignored);
}

} // namespace vramlink
