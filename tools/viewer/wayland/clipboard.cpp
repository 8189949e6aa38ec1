// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/clipboard.hpp"

#include "tools/viewer/wayland/pipe_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace vramlink {
namespace {

/// Best first. UTF8_STRING and TEXT are X11's, which Xwayland passes on.
constexpr std::array<const char *, 4> text_types{"text/plain;charset=utf-8", "UTF8_STRING", "text/plain",
                                                 "TEXT"};

size_t rank(std::string_view mime)
{
    return static_cast<size_t>(std::ranges::find(text_types, mime) - text_types.begin());
}

} // namespace

struct WaylandClipboard::Events {
    static WaylandClipboard &self(void *own) { return *static_cast<WaylandClipboard *>(own); }

    static constexpr wl_data_offer_listener offer{[](void *own, wl_data_offer *object, const char *mime) {
                                                      Offer &offer = self(own).introduced_[object];
                                                      if (rank(mime) < rank(offer.mime))
                                                          offer.mime = mime;
                                                      offer.ours = offer.ours || self(own).own_mime_ == mime;
                                                  },
                                                  [](void *, wl_data_offer *, uint32_t) {},
                                                  [](void *, wl_data_offer *, uint32_t) {}};

    static constexpr wl_data_device_listener device{
        [](void *own, wl_data_device *, wl_data_offer *object) {
            self(own).introduced_[object].object.reset(object);
            wl_data_offer_add_listener(object, &offer, own);
        },
        [](void *own, wl_data_device *, uint32_t, wl_surface *, wl_fixed_t, wl_fixed_t,
           wl_data_offer *dragged) { self(own).introduced_.erase(dragged); },
        [](void *, wl_data_device *) {},
        [](void *, wl_data_device *, uint32_t, wl_fixed_t, wl_fixed_t) {},
        [](void *, wl_data_device *) {},
        [](void *own, wl_data_device *, wl_data_offer *object) { self(own).selected(object); }};

    static constexpr wl_data_source_listener source{
        [](void *, wl_data_source *, const char *) {},
        [](void *own, wl_data_source *, const char *, int32_t fd) { self(own).on_paste(UniqueFd(fd)); },
        [](void *own, wl_data_source *) { self(own).source_.reset(); }, // somebody else has the selection now
        [](void *, wl_data_source *) {},
        [](void *, wl_data_source *) {},
        [](void *, wl_data_source *, uint32_t) {}};
};

std::unique_ptr<WaylandClipboard> WaylandClipboard::open(WaylandConnection &connection)
{
    auto seat = connection.bind_seat();
    if (!seat || !connection.data_devices())
        return nullptr;
    return std::unique_ptr<WaylandClipboard>(new WaylandClipboard(connection, std::move(seat)));
}

WaylandClipboard::WaylandClipboard(WaylandConnection &connection, WlPtr<wl_seat> seat)
    : connection_(connection), seat_(std::move(seat)),
      device_(wl_data_device_manager_get_data_device(connection.data_devices(), seat_.get())),
      own_mime_(fmt::format("application/x-vramlink-{}-{}", getpid(), static_cast<const void *>(this)))
{
    wl_data_device_add_listener(device_.get(), &Events::device, this);
    connection_.on_serial = [this] {
        if (waits_)
            own_selection();
    };
}

WaylandClipboard::~WaylandClipboard()
{
    connection_.on_serial = [] {};
}

void WaylandClipboard::offer(bool has_text)
{
    waits_ = has_text;
    if (!has_text)
        source_.reset();
    else if (connection_.last_serial() != 0)
        own_selection();
}

void WaylandClipboard::own_selection()
{
    waits_ = false;
    source_.reset(wl_data_device_manager_create_data_source(connection_.data_devices()));
    wl_data_source_add_listener(source_.get(), &Events::source, this);
    for (const char *type : text_types)
        wl_data_source_offer(source_.get(), type);
    wl_data_source_offer(source_.get(), own_mime_.c_str());
    wl_data_device_set_selection(device_.get(), source_.get(), connection_.last_serial());
    wl_display_flush(connection_.display());
}

void WaylandClipboard::selected(wl_data_offer *object)
{
    const auto found = introduced_.find(object);
    selection_ = found == introduced_.end() ? Offer{} : std::move(found->second);
    introduced_.clear(); // offers that have come to nothing
    if (!selection_.ours)
        on_changed(!selection_.mime.empty());
}

void WaylandClipboard::read(Text done)
{
    if (!selection_.object || selection_.mime.empty() || selection_.ours)
        return done(fail(ENOENT, "the host's clipboard has no text"));
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) < 0) {
        const int code = errno;
        return done(fail(code, fmt::format("a pipe for the clipboard: {}", std::strerror(code))));
    }
    UniqueFd from(ends[0]);
    const UniqueFd to(ends[1]);
    wl_data_offer_receive(selection_.object.get(), selection_.mime.c_str(), to.get());
    wl_display_flush(connection_.display());
    read_text(std::move(from), most_clipboard_bytes, std::move(done));
}

} // namespace vramlink
