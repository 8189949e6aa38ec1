// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/presenter.hpp"

#include "hw/prime/fourcc.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/pixel_copy.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace vramlink {
namespace {

/// A frame is announced first and updated right after; one that is shown to a client that has just joined is
/// not updated until the guest draws again.
constexpr int64_t update_overdue_us = 100'000;

/// The smallest rectangle that holds both. An empty one stands for everything.
Rect together(const Rect &a, const Rect &b)
{
    if (a.empty() || b.empty())
        return {};
    const uint32_t x = std::min(a.x, b.x), y = std::min(a.y, b.y);
    const uint64_t right = std::max(uint64_t{a.x} + a.width, uint64_t{b.x} + b.width);
    const uint64_t bottom = std::max(uint64_t{a.y} + a.height, uint64_t{b.y} + b.height);
    return {x, y, static_cast<uint32_t>(std::min<uint64_t>(right - x, UINT32_MAX)),
            static_cast<uint32_t>(std::min<uint64_t>(bottom - y, UINT32_MAX))};
}

} // namespace

Presenter::Presenter(Screen &screen, std::function<void(const std::string &)> on_disconnect)
    : screen_(screen), on_disconnect_(std::move(on_disconnect)), update_overdue_([this] { overdue(); }),
      flip_overdue_([this] {
          if (const auto shown = screen_.give_up(); shown)
              frame_is_visible();
          else
              frame_failed(shown.error().text);
          pump();
      }),
      unusable_([this] { on_unusable(); })
{
    screen_.on_visible = [this] {
        frame_is_visible();
        pump();
    };
}

bool Presenter::resize_pixels(uint32_t width, uint32_t height)
{
    if (pixels_ && pixels_->width() == width && pixels_->height() == height)
        return true;
    auto buffer = screen_.make_canvas(width, height);
    if (!buffer) {
        frame_failed(buffer.error().text);
        return false;
    }
    pixels_ = std::move(*buffer);
    return true;
}

/// QEMU (10.0) sends updates of a surface in its new size before the Scanout that tells the size; a console
/// in text mode gets no other.
bool Presenter::grow_pixels(uint32_t x, uint32_t y, const Pixels &pixels)
{
    const auto reach = [](uint32_t from, uint32_t length, uint32_t now) {
        const uint64_t end = uint64_t{from} + length;
        return end <= max_frame_side ? std::max(now, static_cast<uint32_t>(end)) : now;
    };
    const uint32_t width = reach(x, pixels.width, pixels_->width());
    const uint32_t height = reach(y, pixels.height, pixels_->height());
    if (width == pixels_->width() && height == pixels_->height())
        return true;
    const std::unique_ptr<Canvas> old = std::move(pixels_);
    if (!resize_pixels(width, height))
        return false;
    for (uint32_t row = 0; row < old->height(); row++)
        std::ranges::copy(old->row(row), pixels_->row(row).begin());
    return true;
}

void Presenter::scanout(const Pixels &frame)
{
    announced_.reset();
    mapped_.reset();
    if (resize_pixels(frame.width, frame.height))
        update(0, 0, frame);
}

void Presenter::update(uint32_t x, uint32_t y, const Pixels &pixels)
{
    if (!pixels_) // an update that overtook a Disable
        return;
    if (!grow_pixels(x, y, pixels))
        return;
    ++counters_.updates;
    counters_.bytes_copied += copy_pixels(pixels, x, y, *pixels_);
    queue_.scanout(pixels_->frame());
    add_damage({x, y, pixels.width, pixels.height});
    queue_.update({});
    pump();
}

void Presenter::scanout_dmabuf(DmabufFrame frame)
{
    const FrameLayout &layout = frame.layout;
    Log::debug("frame {}x{}, stride {}, {}, modifier {:#x}", layout.width, layout.height, layout.stride,
               fourcc_text(layout.fourcc), layout.modifier);
    if (frame.bottom_up && !std::exchange(said_bottom_up_, true))
        Log::warning("the guest's frames are bottom-up (y0_top); they are shown as they lie in memory");

    announced_ = DmabufFrame{UniqueFd(fcntl(frame.fd.get(), F_DUPFD_CLOEXEC, 0)), layout, frame.bottom_up,
                             frame.still};
    show_frame(std::move(frame));
}

void Presenter::show_frame(DmabufFrame frame)
{
    mapped_.reset();
    if (frame.still) {
        ++counters_.stills;
        screen_.importer()
            .forget_all(); // the queue keeps what is on the screen until the next flip has ended
    }
    auto buffer = screen_.importer().import_frame(frame.fd.get(), frame.layout);
    if (!buffer && frame.still)
        return show_copy_of_still(std::move(frame.fd), frame.layout, buffer.error().text);
    if (!buffer)
        return copy_instead(std::move(frame), buffer.error().text);
    pixels_.reset(); // the queue keeps its framebuffer while it is on the screen
    screen_.note(unusable_why_);
    queue_.scanout(std::move(*buffer));
    update_overdue_.arm(update_overdue_us);
}

/// A still is a copy already, so another one is no question of --no-copy.
void Presenter::show_copy_of_still(UniqueFd fd, const FrameLayout &layout, const std::string &why)
{
    const auto mapped = MappedDmabuf::map(std::move(fd), layout);
    if (!mapped || !resize_pixels(layout.width, layout.height)) {
        Log::error("{}{}", why, mapped ? "" : "; " + mapped.error().text);
        return let_go();
    }
    counters_.bytes_copied += (*mapped)->copy_to(*pixels_);
    queue_.scanout(pixels_->frame());
    update_overdue_.arm(update_overdue_us);
}

void Presenter::copy_instead(DmabufFrame frame, const std::string &why)
{
    const FrameLayout layout = frame.layout;
    std::string sentence = why;
    screen_.note(why);
    if (allow_copy_) {
        auto mapped = MappedDmabuf::map(std::move(frame.fd), layout);
        if (mapped && resize_pixels(layout.width, layout.height)) {
            mapped_ = std::move(*mapped);
            queue_.scanout(pixels_->frame());
            say_once(why + "; its pixels are copied instead");
            return update_overdue_.arm(update_overdue_us);
        }
        sentence += mapped ? "" : "; " + mapped.error().text;
        if (unusable_why_.empty())
            unusable_.arm(0);
        unusable_why_ = sentence;
    }
    say_once(sentence);
    if (showing_ != Showing::neutral || queue_.in_flight())
        show_nothing();
    queue_.clear();
    update_overdue_.arm(update_overdue_us); // the descriptor is not kept for an update that may never come
}

/// The import went well, and then the screen refused the frame (discrete xe does): within the same frame its
/// pixels are copied, and the buffer is not tried again.
bool Presenter::copy_refused(const FrameRef &frame, const Error &why)
{
    if (!allow_copy_ || !unproven_ || (pixels_ && frame == pixels_->frame()))
        return false;
    DmabufFrame refused = std::move(*unproven_);
    unproven_.reset();
    screen_.importer().refuse(frame, why);
    screen_.note(why.text);
    auto mapped = MappedDmabuf::map(std::move(refused.fd), refused.layout);
    if (!mapped) {
        if (unusable_why_.empty())
            unusable_.arm(0);
        unusable_why_ = why.text + "; " + mapped.error().text;
        return false;
    }
    if (!resize_pixels(refused.layout.width, refused.layout.height))
        return true; // and the failure has been dealt with
    ++counters_.flips_failed;
    say_once(why.text + "; its pixels are copied instead");
    mapped_ = std::move(*mapped);
    copy_mapped();
    queue_.retry(pixels_->frame());
    return true;
}

void Presenter::overdue()
{
    unproven_ = std::exchange(announced_, std::nullopt);
    copy_mapped();
    if (mapped_)
        queue_.update({}); // the canvas may be on the screen already, with the frame before
    if (mapped_ || queue_.overdue())
        pump();
    if (!queue_.in_flight())
        unproven_.reset();
}

void Presenter::copy_mapped()
{
    if (mapped_ && pixels_)
        counters_.bytes_copied += mapped_->copy_to(*pixels_);
}

void Presenter::update_dmabuf(const Rect &damage, Completion done)
{
    ++counters_.updates;
    add_damage(damage);
    if (announced_ && queue_.empty())
        show_frame(std::move(*announced_));
    if (announced_)
        unproven_ = std::exchange(announced_, std::nullopt);
    update_overdue_.disarm();
    copy_mapped();
    queue_.update(std::move(done));
    pump();
    if (!queue_.in_flight())
        unproven_.reset();
}

void Presenter::add_damage(const Rect &damage)
{
    damage_ = damage_ ? together(*damage_, damage) : damage;
}

void Presenter::pump()
{
    while (const FrameRef frame = queue_.take()) {
        // Another buffer is another picture: what its sender says of damage is about this buffer alone.
        const Rect damage = frame == queue_.on_screen() ? damage_.value_or(Rect{}) : Rect{};
        damage_.reset();
        const auto shown = screen_.show(frame, damage);
        if (!shown && copy_refused(frame, shown.error()))
            continue;
        if (!shown) {
            frame_failed(shown.error().text);
        } else if (*shown == Screen::Shown::pending) {
            flip_overdue_.arm(screen_.patience_us());
            return;
        } else {
            Log::info("{}", screen_.describe());
            frame_is_visible();
        }
    }
}

void Presenter::frame_is_visible()
{
    flip_overdue_.disarm();
    unproven_.reset();
    queue_.flip_done();
    ++counters_.frames_flipped;
    showing_ = pixels_ && queue_.on_screen() == pixels_->frame() ? Showing::pixels : Showing::dmabuf;
    if (!mapped_)
        last_failure_.clear();
}

void Presenter::frame_failed(const std::string &reason)
{
    flip_overdue_.disarm();
    ++counters_.flips_failed;
    queue_.flip_failed();
    say_once(reason);
}

void Presenter::say_once(const std::string &sentence)
{
    if (sentence != last_failure_)
        Log::error("{}", sentence);
    last_failure_ = sentence;
}

void Presenter::show_nothing()
{
    update_overdue_.disarm();
    flip_overdue_.disarm();
    // Where even this fails, the removal of the framebuffer that follows turns the screen off.
    if (const auto neutral = screen_.show_neutral(); !neutral)
        Log::error("{}", neutral.error().text);
    showing_ = Showing::neutral;
}

void Presenter::let_go()
{
    show_nothing();
    mapped_.reset();
    unproven_.reset();
    pixels_.reset();
    screen_.importer().forget_all(); // the queue's references are the last ones now
    queue_.clear();                  // drops them, then answers who waits
    screen_.settle();
}

void Presenter::disable()
{
    if (showing_ != Showing::neutral || queue_.in_flight()) {
        ++counters_.revocations;
        Log::info("QEMU takes the picture away");
    }
    let_go();
    if (announced_)
        update_overdue_.arm(update_overdue_us);
}

void Presenter::connected()
{
    connected_ = true;
    unusable_why_.clear();
    ++times_connected_;
    Log::info("joined QEMU's display");
}

void Presenter::disconnected(const std::string &reason)
{
    leave();
    on_disconnect_(reason);
}

void Presenter::leave()
{
    connected_ = false;
    unusable_.disarm();
    announced_.reset();
    let_go();
}

} // namespace vramlink
