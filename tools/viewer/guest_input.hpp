// SPDX-License-Identifier: GPL-2.0-or-later
//
// GuestInput: keys, pointer and fingers of one console, over QEMU's D-Bus interfaces Keyboard, Mouse and
// MultiTouch.
//
// Nothing waits for an answer. Without a connection everything is dropped.

#ifndef VRAMLINK_TOOLS_VIEWER_GUEST_INPUT_HPP
#define VRAMLINK_TOOLS_VIEWER_GUEST_INPUT_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/input_sink.hpp"

#include <functional>
#include <string>

namespace vramlink {

class GuestInput final : public InputSink {
  public:
    explicit GuestInput(std::string console_path) : path_(std::move(console_path)) {}
    ~GuestInput() override { detach(); }

    /// @p bus_name: QEMU's, which must outlive the attachment; null peer to peer.
    void attach(GDBusConnection *connection, const char *bus_name);
    /// Something was to be sent, and there is no connection.
    std::function<void()> on_needed = [] {};
    void detach();

    void key(uint32_t evdev, bool pressed) override;
    void button(uint32_t evdev, bool pressed) override;
    void wheel(int right, int down) override;
    void move_to(uint32_t x, uint32_t y) override;
    void move_by(int dx, int dy) override;
    void touch(TouchKind kind, uint32_t slot, double x, double y) override;
    [[nodiscard]] bool absolute() const override { return absolute_; }

    [[nodiscard]] uint64_t events() const { return events_; }

  private:
    static void on_absolute(GObject *source, GAsyncResult *result, gpointer self);
    static void on_changed(GDBusConnection *connection, const char *sender, const char *path,
                           const char *interface, const char *signal, GVariant *parameters, gpointer self);
    void call(const char *interface, const char *method, GVariant *arguments);
    void press_and_release(uint32_t button, int times);

    std::string path_;
    GObjectPtr<GDBusConnection> connection_;
    GObjectPtr<GCancellable> cancel_;
    const char *bus_name_ = nullptr;
    guint subscription_ = 0;
    bool absolute_ = false;
    uint64_t events_ = 0;
};

} // namespace vramlink

#endif
