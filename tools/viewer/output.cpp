// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/output.hpp"

#include "tools/viewer/log.hpp"
#include "tools/viewer/overlay_text.hpp"
#include "tools/viewer/stats.hpp"

#include <utility>

namespace vramlink {
namespace {

constexpr int64_t again_us = G_USEC_PER_SEC;
/// The second monitor of a device is plugged in by telling its size; a window that leaves the size to the
/// guest tells that of its own neutral frame.
constexpr ScreenSize first_size{1024, 768, 0, 0};

} // namespace

Output::Output(unsigned console, std::unique_ptr<Screen> screen, const DisplayConnection &connection,
               Owner owner)
    : console_(console), connection_(connection), owner_(std::move(owner)), screen_(std::move(screen)),
      presenter_(*screen_, [this](const std::string &reason) { lost(reason); }), client_(presenter_, console),
      again_([this] {
          waiting_ = false;
          const ConsoleInfo *info = connection_.vm().console(console_);
          if (!connection_.is_up() || !info)
              return owner_.lost("the connection to QEMU ended");
          join(*info);
      })
{
    presenter_.on_unusable = [this] { owner_.unusable(); };
    client_.input().on_needed = [this] { owner_.needed(); };
    screen_->set_input(&client_.input());
    screen_->overlay_content = [this] { return overlay_lines(collect_stats(presenter_)); };
    screen_->on_closed = [this] { owner_.closed(); };
    screen_->on_resized = [this](const ScreenSize &size) { tell_size(size); };
}

Output::~Output()
{
    leave();
    screen_->set_input(nullptr);
}

void Output::tell_size(const ScreenSize &size)
{
    if (owner_.plugs_in)
        client_.set_window(size.width == 0 && !first_head_ ? first_size : size);
}

void Output::join(const ConsoleInfo &info)
{
    label_ = info.label;
    first_head_ = info.head == 0;
    tell_size(screen_->size());
    waiting_ = false;
    again_.disarm();
    client_.join(connection_);
}

void Output::leave()
{
    waiting_ = false;
    again_.disarm();
    client_.disconnect();
    if (presenter_.is_connected())
        presenter_.leave();
}

void Output::lost(const std::string &reason)
{
    if (!client_.was_cut_off())
        return owner_.lost(reason);
    Log::info("console {}: {}; trying again", console_, reason);
    waiting_ = true;
    again_.arm(again_us);
}

} // namespace vramlink
