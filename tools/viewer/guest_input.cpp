// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/guest_input.hpp"

#include "tools/viewer/keymap.hpp"
#include "tools/viewer/log.hpp"

#include <algorithm>
#include <cstdlib>

namespace vramlink {
namespace {

constexpr const char *keyboard = "org.qemu.Display1.Keyboard";
constexpr const char *mouse = "org.qemu.Display1.Mouse";
constexpr const char *multi_touch = "org.qemu.Display1.MultiTouch";
constexpr const char *properties = "org.freedesktop.DBus.Properties";

// QEMU's InputButton (qapi/ui.json).
constexpr uint32_t wheel_up = 3, wheel_down = 4, wheel_left = 7, wheel_right = 8;
constexpr int most_notches = 32; ///< of one event: a touchpad's fling is not a thousand clicks

} // namespace

void GuestInput::attach(GDBusConnection *connection, const char *bus_name)
{
    detach();
    connection_.reset(G_DBUS_CONNECTION(g_object_ref(connection)));
    bus_name_ = bus_name;
    cancel_.reset(g_cancellable_new());
    subscription_ = g_dbus_connection_signal_subscribe(connection, bus_name, properties, "PropertiesChanged",
                                                       path_.c_str(), mouse, G_DBUS_SIGNAL_FLAGS_NONE,
                                                       &GuestInput::on_changed, this, nullptr);
    g_dbus_connection_call(connection, bus_name, path_.c_str(), properties, "Get",
                           g_variant_new("(ss)", mouse, "IsAbsolute"), G_VARIANT_TYPE("(v)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, cancel_.get(), &GuestInput::on_absolute, this);
}

void GuestInput::detach()
{
    if (cancel_)
        g_cancellable_cancel(cancel_.get());
    cancel_.reset();
    if (connection_ && subscription_)
        g_dbus_connection_signal_unsubscribe(connection_.get(), subscription_);
    subscription_ = 0;
    connection_.reset();
}

void GuestInput::on_absolute(GObject *source, GAsyncResult *result, gpointer self)
{
    GErrorHolder error;
    const GVariantPtr answer(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
    if (error.cancelled())
        return; // the object may be gone
    if (!answer)
        return Log::info("the guest's pointer: {}", error.text());
    GVariant *boxed = nullptr;
    g_variant_get(answer.get(), "(v)", &boxed);
    const GVariantPtr value(boxed);
    if (g_variant_is_of_type(value.get(), G_VARIANT_TYPE_BOOLEAN))
        static_cast<GuestInput *>(self)->absolute_ = g_variant_get_boolean(value.get()) != FALSE;
}

void GuestInput::on_changed(GDBusConnection *, const char *, const char *, const char *, const char *,
                            GVariant *parameters, gpointer self)
{
    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    const GVariantPtr changed(g_variant_get_child_value(parameters, 1));
    gboolean absolute = FALSE;
    if (g_variant_lookup(changed.get(), "IsAbsolute", "b", &absolute))
        static_cast<GuestInput *>(self)->absolute_ = absolute != FALSE;
}

void GuestInput::call(const char *interface, const char *method, GVariant *arguments)
{
    const GVariantPtr owned(g_variant_ref_sink(arguments));
    if (!connection_)
        return on_needed();
    ++events_;
    g_dbus_connection_call(connection_.get(), bus_name_, path_.c_str(), interface, method, owned.get(),
                           nullptr, G_DBUS_CALL_FLAGS_NONE, -1, nullptr, nullptr, nullptr);
}

void GuestInput::key(uint32_t evdev, bool pressed)
{
    if (const auto qnum = qnum_of_key(evdev))
        call(keyboard, pressed ? "Press" : "Release", g_variant_new("(u)", *qnum));
}

void GuestInput::button(uint32_t evdev, bool pressed)
{
    if (const auto number = button_of(evdev))
        call(mouse, pressed ? "Press" : "Release", g_variant_new("(u)", *number));
}

void GuestInput::press_and_release(uint32_t number, int times)
{
    for (int i = 0; i < std::min(times, most_notches); i++) {
        call(mouse, "Press", g_variant_new("(u)", number));
        call(mouse, "Release", g_variant_new("(u)", number));
    }
}

void GuestInput::wheel(int right, int down)
{
    press_and_release(down > 0 ? wheel_down : wheel_up, std::abs(down));
    press_and_release(right > 0 ? wheel_right : wheel_left, std::abs(right));
}

void GuestInput::move_to(uint32_t x, uint32_t y)
{
    if (absolute_)
        call(mouse, "SetAbsPosition", g_variant_new("(uu)", x, y));
}

void GuestInput::move_by(int dx, int dy)
{
    if (!absolute_)
        call(mouse, "RelMotion", g_variant_new("(ii)", dx, dy));
}

void GuestInput::touch(TouchKind kind, uint32_t slot, double x, double y)
{
    // QEMU (10.0, ui/console.c) leaves a finger that is cancelled on the glass, for good.
    const TouchKind told = kind == TouchKind::cancel ? TouchKind::end : kind;
    call(multi_touch, "SendEvent", g_variant_new("(utdd)", static_cast<guint32>(told), guint64{slot}, x, y));
}

} // namespace vramlink
