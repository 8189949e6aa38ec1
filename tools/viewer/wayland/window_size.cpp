// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/window_size.hpp"

#include <algorithm>

namespace vramlink {

Extent2 fit(Extent2 frame, Extent2 box)
{
    if (frame.empty() || box.empty())
        return box;
    // Which side touches the box first, without division: w * H <= h * W in 64 bits.
    const uint64_t across = uint64_t{frame.width} * box.height;
    const uint64_t down = uint64_t{frame.height} * box.width;
    if (across >= down) {
        const uint64_t height = uint64_t{box.width} * frame.height / frame.width;
        return {box.width, static_cast<uint32_t>(std::max<uint64_t>(1, height))};
    }
    const uint64_t width = uint64_t{box.height} * frame.width / frame.height;
    return {static_cast<uint32_t>(std::max<uint64_t>(1, width)), box.height};
}

void WindowSize::configure(State state, Extent2 size)
{
    state_ = state;
    asked_ = size;
    // Compositors repeat the size that we have; only another one is the user's wish.
    if (state == State::floating && !size.empty() && size != surface())
        chosen_ = size;
}

void WindowSize::set_scale(uint32_t scale)
{
    if (scale > 0)
        scale_ = scale;
}

void WindowSize::set_frame(Extent2 frame)
{
    if (frame == frame_ || frame.empty())
        return;
    frame_ = frame;
    if (frame != to_pixels(chosen_))
        chosen_ = {}; // the guest went its own way
}

Extent2 WindowSize::natural() const
{
    const auto logical = [this](uint32_t pixels) {
        return static_cast<uint32_t>(std::max<uint64_t>(1, (uint64_t{pixels} * 120 + scale_ / 2) / scale_));
    };
    return {logical(frame_.width), logical(frame_.height)};
}

Extent2 WindowSize::to_pixels(Extent2 logical) const
{
    const auto pixels = [this](uint32_t units) {
        return static_cast<uint32_t>((uint64_t{units} * scale_ + 60) / 120);
    };
    return {pixels(logical.width), pixels(logical.height)};
}

Extent2 WindowSize::surface() const
{
    if (state_ == State::filling && !asked_.empty())
        return asked_;
    if (state_ == State::full && !asked_.empty())
        return fit(frame_, asked_);
    return chosen_.empty() ? natural() : fit(frame_, chosen_);
}

Extent2 WindowSize::wanted() const
{
    if (state_ != State::floating && !asked_.empty())
        return to_pixels(asked_);
    return to_pixels(chosen_);
}

} // namespace vramlink
