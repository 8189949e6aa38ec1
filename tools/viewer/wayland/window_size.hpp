// SPDX-License-Identifier: GPL-2.0-or-later
//
// How large a window is: what the compositor asks for, what the user chose, and what the guest draws. No
// Wayland in here.
//
// Units: "pixels" are the guest's and the screen's; "logical" is the compositor's unit, pixels / scale.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_SIZE_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_SIZE_HPP

#include "hw/prime/extent2.hpp"

#include <cstdint>

namespace vramlink {

/// The largest rectangle of @p frame's shape inside @p box; at least 1x1. @p box itself if either is empty.
Extent2 fit(Extent2 frame, Extent2 box);

class WindowSize {
  public:
    enum class State {
        floating, ///< any size is ours to choose
        filling,  ///< maximized or tiled: the compositor's size, exactly
        full      ///< full screen: the compositor's size or smaller
    };

    /// The compositor's word, logical. 0x0: choose yourself.
    void configure(State state, Extent2 size);
    /// The compositor shows a logical unit as @p scale / 120 pixels. 0 is ignored.
    void set_scale(uint32_t scale);
    /// The guest draws this many pixels.
    void set_frame(Extent2 frame);

    /// The surface, logical.
    [[nodiscard]] Extent2 surface() const;
    /// What the guest should draw to fill the window, in pixels; empty: it is the guest's to choose.
    [[nodiscard]] Extent2 wanted() const;
    [[nodiscard]] Extent2 frame() const { return frame_; }
    [[nodiscard]] State state() const { return state_; }

  private:
    [[nodiscard]] Extent2 natural() const;
    [[nodiscard]] Extent2 to_pixels(Extent2 logical) const;

    State state_ = State::floating;
    Extent2 asked_;  ///< by the compositor, for its states
    Extent2 chosen_; ///< by the user, who has dragged an edge; empty: follow the guest
    Extent2 frame_{1024, 768};
    uint32_t scale_ = 120;
};

} // namespace vramlink

#endif
