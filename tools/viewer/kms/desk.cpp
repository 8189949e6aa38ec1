// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/desk.hpp"

#include <linux/input-event-codes.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace vramlink {
namespace {

/// The last pixel of a side; 0 when there is none.
double last(uint32_t side)
{
    return side > 0 ? side - 1 : 0;
}

/// Which terminal Ctrl+Alt and this key ask for; 0: none.
unsigned terminal_of(uint32_t evdev)
{
    if (evdev >= KEY_F1 && evdev <= KEY_F10)
        return evdev - KEY_F1 + 1;
    return evdev == KEY_F11 ? 11 : evdev == KEY_F12 ? 12 : 0;
}

} // namespace

DeskScreen *Desk::here() const
{
    return at_ < screens_.size() ? screens_[at_] : nullptr;
}

InputSink *Desk::sink() const
{
    const DeskScreen *screen = here();
    return screen ? screen->input() : nullptr;
}

void Desk::add(DeskScreen &screen)
{
    screens_.push_back(&screen);
}

void Desk::remove(DeskScreen &screen)
{
    const auto found = std::ranges::find(screens_, &screen);
    if (found == screens_.end())
        return;
    const auto which = static_cast<size_t>(found - screens_.begin());
    if (which == at_)
        lift_fingers();
    screens_.erase(found);
    if (which < at_ || (at_ > 0 && at_ == screens_.size()))
        at_--;
}

bool Desk::chord(uint32_t evdev)
{
    if (!held_.control_and_alt())
        return false;
    if (const unsigned terminal = terminal_of(evdev)) {
        on_terminal(terminal);
        return true;
    }
    if (evdev != KEY_Q)
        return false;
    on_quit();
    return true;
}

void Desk::key(uint32_t evdev, bool pressed)
{
    if (!pressed || !chord(evdev))
        held_.key(sink(), evdev, pressed);
}

void Desk::button(uint32_t evdev, bool pressed)
{
    held_.button(sink(), evdev, pressed);
}

/// The pointer leaves its monitor on the left or on the right, for the next one there.
void Desk::cross(double x)
{
    const Extent2 from = here()->seen();
    const bool to_left = x < 0 && at_ > 0;
    const bool to_right = x > last(from.width) && at_ + 1 < screens_.size();
    if (!to_left && !to_right)
        return;
    here()->point_away();
    const double part = from.height > 1 ? y_ / last(from.height) : 0;
    at_ = to_left ? at_ - 1 : at_ + 1;
    const Extent2 to = here()->seen();
    x_ = to_left ? last(to.width) : 0;
    y_ = part * last(to.height);
}

void Desk::put(double x, double y)
{
    DeskScreen *screen = here();
    const Extent2 seen = screen->seen();
    x_ = std::clamp(x, 0.0, last(seen.width));
    y_ = std::clamp(y, 0.0, last(seen.height));
    screen->point_at(static_cast<int>(x_), static_cast<int>(y_));
    sink()->move_to(static_cast<uint32_t>(x_), static_cast<uint32_t>(y_));
}

void Desk::move_by(const Movement &movement)
{
    InputSink *to = sink();
    if (!to)
        return;
    if (!to->absolute()) {
        const int x = right_.add(movement.raw_x), y = down_.add(movement.raw_y);
        if (x != 0 || y != 0)
            to->move_by(x, y);
        return;
    }
    const size_t before = at_;
    const double x = x_ + movement.x, y = y_ + movement.y;
    cross(x);
    if (before == at_)
        put(x, y);
    else if (sink() && sink()->absolute())
        put(x_, y_);
}

void Desk::move_to(const Place &place)
{
    InputSink *to = sink();
    if (!to)
        return;
    const Extent2 seen = here()->seen();
    const double x = place.x * seen.width, y = place.y * seen.height;
    if (to->absolute())
        return put(x, y);
    const double from_x = std::exchange(x_, x), from_y = std::exchange(y_, y);
    move_by({0, 0, x - from_x, y - from_y});
}

void Desk::wheel(int right, int down)
{
    if (InputSink *to = sink(); to && (right != 0 || down != 0))
        to->wheel(right, down);
}

void Desk::touch(TouchKind kind, uint32_t slot, const Place &place)
{
    InputSink *to = sink();
    if (!to || slot >= fingers_.size())
        return;
    const bool was_down = fingers_.at(slot);
    if (was_down == (kind == TouchKind::begin))
        return; // the end of a touch that began elsewhere
    fingers_.at(slot) = kind == TouchKind::begin || kind == TouchKind::update;
    const Extent2 seen = here()->seen();
    to->touch(kind, slot, std::clamp(place.x * seen.width, 0.0, last(seen.width)),
              std::clamp(place.y * seen.height, 0.0, last(seen.height)));
}

void Desk::lift_fingers()
{
    for (uint32_t slot = 0; slot < fingers_.size(); slot++) {
        if (std::exchange(fingers_.at(slot), false) && sink())
            sink()->touch(TouchKind::cancel, slot, 0, 0);
    }
}

void Desk::release_all()
{
    held_.release_all();
    lift_fingers();
}

} // namespace vramlink
