// SPDX-License-Identifier: GPL-2.0-or-later
//
// Overlay: lines of text over a window, on a wl_subsurface of their own, so that the guest's buffer below
// stays as it is, and is not committed again when the lines change. It takes no input.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_OVERLAY_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_OVERLAY_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/wayland/connection.hpp"
#include "tools/viewer/wayland/shm_canvas.hpp"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vramlink {

class Overlay {
  public:
    using Content = std::function<std::vector<std::string>()>;
    /// Over @p parent, from now on, with lines that @p content is asked for twice a second. @p connection and
    /// @p parent must outlive it. EOPNOTSUPP where the compositor has no subsurfaces.
    static Result<std::unique_ptr<Overlay>> open(WaylandConnection &connection, wl_surface *parent,
                                                 Content content);
    Overlay(const Overlay &) = delete;
    Overlay &operator=(const Overlay &) = delete;

  private:
    Overlay(WaylandConnection &connection, wl_surface *parent, Content content);
    void draw();
    ShmCanvas *free_canvas(uint32_t width, uint32_t height);

    WaylandConnection &connection_;
    Content content_;
    WlPtr<wl_surface> surface_;
    WlPtr<wl_subsurface> subsurface_;
    std::array<std::unique_ptr<ShmCanvas>, 2> canvases_; ///< one is painted while the other is looked at
    Timer again_;
};

} // namespace vramlink

#endif
