// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/screen.hpp"

#include "tools/viewer/log.hpp"

#include <glib-unix.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

/// The guest waits for a flip's end. QEMU gives up on our answer after a second.
constexpr int64_t flip_overdue_us = 800'000;
constexpr int64_t asleep_frame_us = 100'000; ///< nobody sees it, and the guest goes on

} // namespace

KmsScreen::KmsScreen(KmsOutput &output, KmsScreens &owner)
    : output_(output), owner_(owner), importer_(output.device()), cursor_(output.device(), output.crtc())
{
    owner_.screens_[&output_] = this;
    owner_.desk_.add(*this);
}

KmsScreen::~KmsScreen()
{
    owner_.desk_.remove(*this);
    owner_.screens_.erase(&output_);
}

Result<std::unique_ptr<Canvas>> KmsScreen::make_canvas(uint32_t width, uint32_t height)
{
    auto buffer = DumbBuffer::create(output_.device(), width, height);
    if (!buffer)
        return std::unexpected(buffer.error());
    return std::move(*buffer);
}

Result<Screen::Shown> KmsScreen::show(const FrameRef &frame, const Rect &damage)
{
    const auto &buffer = static_cast<const ShownBuffer &>(*frame); // our own make, see show()
    const auto shown = output_.show(buffer, damage);
    if (!shown)
        return std::unexpected(shown.error());
    in_flight_ = *shown == KmsOutput::Shown::pending;
    return in_flight_ ? Shown::pending : Shown::now;
}

Result<void> KmsScreen::show_neutral()
{
    in_flight_ = false;
    return output_.show_neutral();
}

int64_t KmsScreen::patience_us() const
{
    return output_.is_asleep() ? asleep_frame_us : flip_overdue_us;
}

Result<void> KmsScreen::give_up()
{
    in_flight_ = false;
    output_.abandon_flip();
    if (output_.is_asleep())
        return {};
    return fail(ETIMEDOUT, "a page flip did not end in time");
}

ScreenSize KmsScreen::size() const
{
    const auto screen = output_.screen();
    return {screen.width, screen.height, screen.width_mm, screen.height_mm};
}

void KmsScreen::add_stats(nlohmann::json &stats) const
{
    stats["screen"] = "kms";
    stats["gem_handles_open"] = output_.device().gem_handles_open();
    stats["framebuffers_open"] = output_.device().framebuffers_open();
}

void KmsScreen::listen(std::function<void(const std::string &)> gone)
{
    owner_.listen(std::move(gone));
}

void KmsScreen::flip_ended()
{
    in_flight_ = false;
    on_visible();
}

void KmsScreen::wake()
{
    cursor_.wake();
    if (in_flight_)
        flip_ended();
}

void KmsScreen::set_input(InputSink *input)
{
    if (input_ != input)
        owner_.desk_.forget(input_);
    input_ = input;
}

void KmsScreen::cursor(const CursorImage &image)
{
    if (const auto set = cursor_.set_image(image); !set)
        Log::info("{}", set.error().text);
}

/// A guest that takes places has its pointer where the desk has put it, and nowhere else.
void KmsScreen::cursor_at(const CursorPlace &place)
{
    if (!input_ || !input_->absolute()) {
        away_ = false;
        cursor_.move(place.x, place.y);
    }
    cursor_wanted_ = place.visible;
    show_cursor();
}

void KmsScreen::point_at(int x, int y)
{
    away_ = false;
    cursor_.point_at(x, y);
    show_cursor();
}

void KmsScreen::point_away()
{
    away_ = true;
    show_cursor();
}

void KmsScreen::show_cursor()
{
    if (const auto shown = cursor_.show(cursor_wanted_ && !away_); !shown)
        Log::info("{}", shown.error().text);
}

void KmsScreens::sleep()
{
    card_.sleep();
    for (const auto &[output, screen] : screens_)
        screen->sleep();
}

void KmsScreens::wake()
{
    if (const auto lit = card_.wake(); !lit)
        Log::error("{}", lit.error().text);
    for (const auto &[output, screen] : screens_)
        screen->wake();
    plugged(); // or was, meanwhile
}

KmsScreens::~KmsScreens()
{
    if (source_)
        g_source_remove(source_);
}

Result<std::unique_ptr<Screen>> KmsScreens::make()
{
    for (const auto &output : card_.outputs()) {
        if (!screens_.contains(output.get()) && output->has_monitor()) {
            Log::info("{}", output->describe());
            return std::make_unique<KmsScreen>(*output, *this);
        }
    }
    return fail(ENODEV, fmt::format("{} has no other monitor", card_.device().path()));
}

size_t KmsScreens::monitors() const
{
    const auto plugged_in = std::ranges::count_if(card_.outputs(), &KmsOutput::has_monitor,
                                                  &std::unique_ptr<KmsOutput>::operator*);
    return std::max<size_t>(1, static_cast<size_t>(plugged_in));
}

void KmsScreens::listen(std::function<void(const std::string &)> gone)
{
    gone_ = std::move(gone);
    if (source_)
        return;
    source_ = g_unix_fd_add(card_.device().fd(), G_IO_IN, &KmsScreens::on_device, this);
    auto watch = HotplugWatch::open(card_.device().fd(), [this] { plugged(); });
    if (watch)
        hotplug_ = std::move(*watch);
    else
        Log::info("monitors that are plugged in later are not noticed: {}", watch.error().text);
}

gboolean KmsScreens::on_device(gint, GIOCondition, gpointer self)
{
    auto *screens = static_cast<KmsScreens *>(self);
    if (const auto alive = screens->read_events(); !alive)
        screens->gone_(alive.error().text);
    return G_SOURCE_CONTINUE;
}

Result<void> KmsScreens::read_events()
{
    const auto ended = card_.read_events();
    if (!ended)
        return std::unexpected(ended.error());
    for (const KmsOutput *output : *ended) {
        if (const auto screen = screens_.find(output); screen != screens_.end())
            screen->second->flip_ended();
    }
    return {};
}

void KmsScreens::plugged()
{
    if (const auto done = card_.rescan(); !done)
        Log::error("{}", done.error().text);
    for (const auto &[output, screen] : screens_) {
        if (output->has_monitor())
            screen->on_resized(screen->size()); // another monitor, perhaps
    }
    on_plugged();
}

} // namespace vramlink
