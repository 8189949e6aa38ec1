// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms_screen.hpp"

#include <glib-unix.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

/// The guest waits for a flip's end. QEMU gives up on our answer after a second.
constexpr int64_t flip_overdue_us = 800'000;

} // namespace

KmsScreen::~KmsScreen()
{
    if (source_)
        g_source_remove(source_);
}

Result<std::unique_ptr<Canvas>> KmsScreen::make_canvas(uint32_t width, uint32_t height)
{
    auto buffer = DumbBuffer::create(output_.device(), width, height);
    if (!buffer)
        return std::unexpected(buffer.error());
    return std::move(*buffer);
}

Result<Screen::Shown> KmsScreen::show(const FrameRef &frame, const Rect &)
{
    const auto shown = output_.show(static_cast<const ShownBuffer &>(*frame)); // our own make, see show()
    if (!shown)
        return std::unexpected(shown.error());
    return *shown == KmsOutput::Shown::now ? Shown::now : Shown::pending;
}

int64_t KmsScreen::patience_us() const
{
    return flip_overdue_us;
}

Result<void> KmsScreen::give_up()
{
    output_.abandon_flip();
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

Result<void> KmsScreen::read_events()
{
    const auto ended = output_.read_events();
    if (!ended)
        return std::unexpected(ended.error());
    if (*ended)
        on_visible();
    return {};
}

void KmsScreen::listen(std::function<void(const std::string &)> gone)
{
    gone_ = std::move(gone);
    source_ = g_unix_fd_add(output_.device().fd(), G_IO_IN, &KmsScreen::on_device, this);
}

gboolean KmsScreen::on_device(gint, GIOCondition, gpointer self)
{
    auto *screen = static_cast<KmsScreen *>(self);
    if (const auto alive = screen->read_events(); !alive)
        screen->gone_(alive.error().text);
    return G_SOURCE_CONTINUE;
}

} // namespace vramlink
