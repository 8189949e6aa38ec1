// SPDX-License-Identifier: GPL-2.0-or-later
//
// WaylandConnection: one connection to a compositor, what it offers, and its events on GLib's main loop.
//
// Globals are bound once, at the start; what is optional may be null. Events arrive on the default main
// context (listen()); wait() answers a question in between, bounded, on a queue of its own.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_CONNECTION_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_CONNECTION_HPP

#include "tools/viewer/wayland/dmabuf_formats.hpp"
#include "tools/viewer/wayland/protocols.hpp"
#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <glib.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vramlink {

class WaylandConnection {
  public:
    /// Connects to the compositor that @p name (empty: WAYLAND_DISPLAY) means and binds what it offers.
    /// Blocks for at most @p limit. Errors: errno of the connection; EPROTO with the name of a missing
    /// global; ETIMEDOUT.
    static Result<std::unique_ptr<WaylandConnection>> open(const std::string &name,
                                                           std::chrono::milliseconds limit);
    WaylandConnection(const WaylandConnection &) = delete;
    WaylandConnection &operator=(const WaylandConnection &) = delete;
    ~WaylandConnection();

    [[nodiscard]] wl_display *display() const { return display_.get(); }
    [[nodiscard]] wl_compositor *compositor() const { return compositor_.get(); }
    [[nodiscard]] wl_shm *shm() const { return shm_.get(); }
    [[nodiscard]] xdg_wm_base *shell() const { return shell_.get(); }
    // Null where the compositor does not offer them:
    [[nodiscard]] wl_data_device_manager *data_devices() const { return data_devices_.get(); }
    [[nodiscard]] wl_subcompositor *subcompositor() const { return subcompositor_.get(); }
    [[nodiscard]] zwp_linux_dmabuf_v1 *dmabuf() const { return dmabuf_.get(); }
    [[nodiscard]] wp_viewporter *viewporter() const { return viewporter_.get(); }
    [[nodiscard]] wp_presentation *presentation() const { return presentation_.get(); }
    [[nodiscard]] wp_fractional_scale_manager_v1 *fractional_scale() const { return fractional_scale_.get(); }
    [[nodiscard]] zxdg_decoration_manager_v1 *decoration() const { return decoration_.get(); }
    [[nodiscard]] zwp_relative_pointer_manager_v1 *relative_pointer() const
    {
        return relative_pointer_.get();
    }
    [[nodiscard]] zwp_pointer_constraints_v1 *pointer_constraints() const
    {
        return pointer_constraints_.get();
    }
    [[nodiscard]] zwp_keyboard_shortcuts_inhibit_manager_v1 *shortcuts_inhibit() const
    {
        return shortcuts_inhibit_.get();
    }
    /// The first seat, once more for each caller, who hears what it can do; null when there is none.
    [[nodiscard]] WlPtr<wl_seat> bind_seat() const;
#ifdef VRAMLINK_DIRECT_DISPLAY
    [[nodiscard]] weston_direct_display_v1 *direct_display() const
    {
        return direct_display_.get();
    }
#endif

    [[nodiscard]] const DmabufFormats &formats() const
    {
        return formats_;
    }
    /// The compositor has named its main device, and that one cannot draw (software_renderer.hpp).
    [[nodiscard]] bool draws_with_cpu() const
    {
        return draws_with_cpu_;
    }
    /// The clock of presentation times; CLOCK_MONOTONIC unless the compositor says otherwise.
    [[nodiscard]] clockid_t clock() const
    {
        return clock_;
    }

    /// Of the last key, click, finger or focus; 0: there was none. Requests that want the user's doing name
    /// it.
    [[nodiscard]] uint32_t last_serial() const
    {
        return last_serial_;
    }
    void note_serial(uint32_t serial)
    {
        last_serial_ = serial;
        on_serial();
    }
    std::function<void()> on_serial = [] {}; ///< last_serial() is another one

    /// Dispatches events on the default main context until the end. @p gone: the connection has broken.
    void listen(std::function<void(const std::string &)> gone);

    /// Sends what is pending and dispatches @p queue until @p done is true. False after @p limit, or when the
    /// connection has broken.
    bool wait(wl_event_queue *queue, std::chrono::milliseconds limit, const std::function<bool()> &done);
    /// Returns when the compositor has handled everything that we have sent; false after @p limit.
    bool roundtrip(std::chrono::milliseconds limit);
    /// The protocol error that has ended the connection, or errno's words.
    [[nodiscard]] std::string what_broke() const;

  private:
    struct Source;
    WaylandConnection() = default;
    void bind(wl_registry *registry, uint32_t name, const std::string &interface, uint32_t version);
    void bind_dmabuf(wl_registry *registry, uint32_t name, uint32_t version);
    void take_feedback_table(int fd, uint32_t size);
    void take_main_device(const wl_array &bytes);

    WlPtr<wl_display> display_;
    WlPtr<wl_registry> registry_;
    WlPtr<wl_compositor> compositor_;
    WlPtr<wl_shm> shm_;
    WlPtr<xdg_wm_base> shell_;
    WlPtr<wl_subcompositor> subcompositor_;
    WlPtr<wl_data_device_manager> data_devices_;
    uint32_t last_serial_ = 0;
    WlPtr<zwp_linux_dmabuf_v1> dmabuf_;
    WlPtr<zwp_linux_dmabuf_feedback_v1> feedback_;
    WlPtr<wp_viewporter> viewporter_;
    WlPtr<wp_presentation> presentation_;
    WlPtr<wp_fractional_scale_manager_v1> fractional_scale_;
    WlPtr<zxdg_decoration_manager_v1> decoration_;
    WlPtr<zwp_relative_pointer_manager_v1> relative_pointer_;
    WlPtr<zwp_pointer_constraints_v1> pointer_constraints_;
    WlPtr<zwp_keyboard_shortcuts_inhibit_manager_v1> shortcuts_inhibit_;
    uint32_t seat_name_ = 0, seat_version_ = 0; ///< 0: no seat
#ifdef VRAMLINK_DIRECT_DISPLAY
    WlPtr<weston_direct_display_v1> direct_display_;
#endif
    DmabufFormats formats_, next_formats_;
    bool draws_with_cpu_ = false;
    std::vector<std::pair<uint32_t, uint64_t>> table_; ///< of the feedback, by index
    clockid_t clock_ = CLOCK_MONOTONIC;
    std::function<void(const std::string &)> gone_;
    GSource *source_ = nullptr;
};

} // namespace vramlink

#endif
