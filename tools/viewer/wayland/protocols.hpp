// SPDX-License-Identifier: GPL-2.0-or-later
//
// The Wayland protocols that the window speaks, as wayland-scanner writes them, and WlPtr, the owner of a
// Wayland object: destroying it tells the compositor.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_PROTOCOLS_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_PROTOCOLS_HPP

#include <wayland-client.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" // C: a function may be named as a structure is
#include "fractional-scale-v1-client-protocol.h"
#include "keyboard-shortcuts-inhibit-unstable-v1-client-protocol.h"
#include "linux-dmabuf-unstable-v1-client-protocol.h"
#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "presentation-time-client-protocol.h"
#include "relative-pointer-unstable-v1-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"
#ifdef VRAMLINK_DIRECT_DISPLAY
#include "weston-direct-display-client-protocol.h"
#endif
#pragma GCC diagnostic pop

#include <memory>

namespace vramlink {

template <class T> struct WlDestroy;
template <class T> using WlPtr = std::unique_ptr<T, WlDestroy<T>>;

// NOLINTBEGIN(bugprone-macro-parentheses): a type
#define VRAMLINK_WL_OWNER(type, destroy)                                                                     \
    template <> struct WlDestroy<type> {                                                                     \
        void operator()(type *object) const { destroy(object); }                                             \
    };
VRAMLINK_WL_OWNER(wl_display, wl_display_disconnect)
VRAMLINK_WL_OWNER(wl_event_queue, wl_event_queue_destroy)
VRAMLINK_WL_OWNER(wl_registry, wl_registry_destroy)
VRAMLINK_WL_OWNER(wl_compositor, wl_compositor_destroy)
VRAMLINK_WL_OWNER(wl_surface, wl_surface_destroy)
VRAMLINK_WL_OWNER(wl_callback, wl_callback_destroy)
VRAMLINK_WL_OWNER(wl_data_device_manager, wl_data_device_manager_destroy)
VRAMLINK_WL_OWNER(wl_data_device, wl_data_device_release)
VRAMLINK_WL_OWNER(wl_data_source, wl_data_source_destroy)
VRAMLINK_WL_OWNER(wl_data_offer, wl_data_offer_destroy)
VRAMLINK_WL_OWNER(wl_region, wl_region_destroy)
VRAMLINK_WL_OWNER(wl_subcompositor, wl_subcompositor_destroy)
VRAMLINK_WL_OWNER(wl_subsurface, wl_subsurface_destroy)
VRAMLINK_WL_OWNER(wl_buffer, wl_buffer_destroy)
VRAMLINK_WL_OWNER(wl_shm, wl_shm_destroy)
VRAMLINK_WL_OWNER(wl_shm_pool, wl_shm_pool_destroy)
VRAMLINK_WL_OWNER(wl_seat, wl_seat_release)
VRAMLINK_WL_OWNER(wl_keyboard, wl_keyboard_release)
VRAMLINK_WL_OWNER(wl_pointer, wl_pointer_release)
VRAMLINK_WL_OWNER(wl_touch, wl_touch_release)
VRAMLINK_WL_OWNER(zwp_relative_pointer_manager_v1, zwp_relative_pointer_manager_v1_destroy)
VRAMLINK_WL_OWNER(zwp_relative_pointer_v1, zwp_relative_pointer_v1_destroy)
VRAMLINK_WL_OWNER(zwp_pointer_constraints_v1, zwp_pointer_constraints_v1_destroy)
VRAMLINK_WL_OWNER(zwp_locked_pointer_v1, zwp_locked_pointer_v1_destroy)
VRAMLINK_WL_OWNER(zwp_keyboard_shortcuts_inhibit_manager_v1,
                  zwp_keyboard_shortcuts_inhibit_manager_v1_destroy)
VRAMLINK_WL_OWNER(zwp_keyboard_shortcuts_inhibitor_v1, zwp_keyboard_shortcuts_inhibitor_v1_destroy)
VRAMLINK_WL_OWNER(xdg_wm_base, xdg_wm_base_destroy)
VRAMLINK_WL_OWNER(xdg_surface, xdg_surface_destroy)
VRAMLINK_WL_OWNER(xdg_toplevel, xdg_toplevel_destroy)
VRAMLINK_WL_OWNER(zwp_linux_dmabuf_v1, zwp_linux_dmabuf_v1_destroy)
VRAMLINK_WL_OWNER(zwp_linux_dmabuf_feedback_v1, zwp_linux_dmabuf_feedback_v1_destroy)
VRAMLINK_WL_OWNER(zwp_linux_buffer_params_v1, zwp_linux_buffer_params_v1_destroy)
VRAMLINK_WL_OWNER(wp_viewporter, wp_viewporter_destroy)
VRAMLINK_WL_OWNER(wp_viewport, wp_viewport_destroy)
VRAMLINK_WL_OWNER(wp_presentation, wp_presentation_destroy)
VRAMLINK_WL_OWNER(struct wp_presentation_feedback, wp_presentation_feedback_destroy)
VRAMLINK_WL_OWNER(wp_fractional_scale_manager_v1, wp_fractional_scale_manager_v1_destroy)
VRAMLINK_WL_OWNER(wp_fractional_scale_v1, wp_fractional_scale_v1_destroy)
VRAMLINK_WL_OWNER(zxdg_decoration_manager_v1, zxdg_decoration_manager_v1_destroy)
VRAMLINK_WL_OWNER(zxdg_toplevel_decoration_v1, zxdg_toplevel_decoration_v1_destroy)
#ifdef VRAMLINK_DIRECT_DISPLAY
VRAMLINK_WL_OWNER(weston_direct_display_v1, weston_direct_display_v1_destroy)
#endif
#undef VRAMLINK_WL_OWNER
// NOLINTEND(bugprone-macro-parentheses)

/// A second handle to an object, whose new children belong to another queue.
template <class T> class WlWrapper {
  public:
    WlWrapper(T *object, wl_event_queue *queue) : wrapper_(static_cast<T *>(wl_proxy_create_wrapper(object)))
    {
        wl_proxy_set_queue(reinterpret_cast<wl_proxy *>(wrapper_), queue);
    }
    WlWrapper(const WlWrapper &) = delete;
    WlWrapper &operator=(const WlWrapper &) = delete;
    ~WlWrapper() { wl_proxy_wrapper_destroy(wrapper_); }
    [[nodiscard]] T *get() const { return wrapper_; }

  private:
    T *wrapper_;
};

} // namespace vramlink

#endif
