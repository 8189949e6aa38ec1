// SPDX-License-Identifier: GPL-2.0-or-later
//
// GuestClipboard: text both ways between a HostClipboard and the guest, over QEMU's
// org.qemu.Display1.Clipboard (ui/dbus-display1.xml). The guest needs an agent that QEMU knows (-chardev
// qemu-vdagent,clipboard=on).
//
// Who owns it is told by serials: each grab has the next one; of two with the same one ours wins. QEMU lets
// one client share its clipboard, the first that registers; who was refused asks again every second. QEMU
// waits for our answer when the guest pastes.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_GUEST_CLIPBOARD_HPP
#define VRAMLINK_TOOLS_VIEWER_GUEST_CLIPBOARD_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/host_clipboard.hpp"

#include <memory>
#include <string>

namespace vramlink {

class GuestClipboard {
  public:
    /// @p host must outlive it.
    explicit GuestClipboard(HostClipboard &host);
    GuestClipboard(const GuestClipboard &) = delete;
    GuestClipboard &operator=(const GuestClipboard &) = delete;
    ~GuestClipboard();

    /// @p bus_name: QEMU's, which must outlive the attachment; null peer to peer.
    void attach(GDBusConnection *connection, const char *bus_name);
    void detach();

  private:
    struct Paste;
    static void on_call(GDBusConnection *connection, const char *sender, const char *path,
                        const char *interface, const char *method, GVariant *parameters,
                        GDBusMethodInvocation *invocation, gpointer self);
    static GVariant *on_property(GDBusConnection *connection, const char *sender, const char *path,
                                 const char *interface, const char *property, GError **error, gpointer self);
    static void on_registered(GObject *source, GAsyncResult *result, gpointer self);
    static void on_text(GObject *source, GAsyncResult *result, gpointer paste);
    static void on_written(GObject *source, GAsyncResult *result, gpointer paste);

    void register_with_qemu();
    void call(const char *method, GVariant *arguments);
    void guest_grabs(uint32_t selection, uint32_t serial, bool text);
    void offer_host_text();
    void give(GDBusMethodInvocation *invocation);
    void paste(UniqueFd to);

    HostClipboard &host_;
    GObjectPtr<GDBusConnection> connection_;
    GObjectPtr<GCancellable> cancel_;
    std::string bus_name_;
    bool peer_ = true;
    guint object_id_ = 0;
    int64_t serial_ = -1;    ///< of the last grab; the first of all is 0, and agents refuse another
    bool host_owns_ = false; ///< the last grab was ours
    bool host_has_text_ = false;
    bool registered_ = false;
    bool refusal_said_ = false;
    Timer retry_;
};

} // namespace vramlink

#endif
