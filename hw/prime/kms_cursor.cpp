// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/kms_cursor.hpp"

#include <fmt/format.h>
#include <xf86drm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace vramlink {
namespace {

constexpr uint32_t usual_side = 64; ///< of drivers that do not tell

uint32_t side(DrmDevice &device, uint64_t capability)
{
    uint64_t value = 0;
    const bool told = device.api().get_cap(device.fd(), capability, &value) == 0;
    return told && value > 0 && value <= 1024 ? static_cast<uint32_t>(value) : usual_side;
}

uint32_t pixel_at(const CursorImage &image, uint32_t x, uint32_t y)
{
    uint32_t pixel = 0;
    std::memcpy(&pixel, image.argb.data() + (size_t{y} * image.width + x) * sizeof(pixel), sizeof(pixel));
    return pixel;
}

/// The mean of the @p shrink x @p shrink pixels from (x, y) on; those outside are transparent. Multiplied
/// alpha makes each channel's mean right by itself.
uint32_t mean_at(const CursorImage &image, uint32_t x, uint32_t y, uint32_t shrink)
{
    std::array<uint32_t, 4> sums{};
    for (uint32_t row = y; row < std::min(y + shrink, image.height); row++) {
        for (uint32_t column = x; column < std::min(x + shrink, image.width); column++) {
            const uint32_t pixel = pixel_at(image, column, row);
            for (size_t channel = 0; channel < sums.size(); channel++)
                sums.at(channel) += pixel >> (8 * channel) & 0xff;
        }
    }
    uint32_t mean = 0;
    for (size_t channel = 0; channel < sums.size(); channel++)
        mean |= sums.at(channel) / (shrink * shrink) << (8 * channel);
    return mean;
}

} // namespace

KmsCursor::KmsCursor(DrmDevice &device, uint32_t crtc)
    : device_(device), crtc_(crtc), width_(side(device, DRM_CAP_CURSOR_WIDTH)),
      height_(side(device, DRM_CAP_CURSOR_HEIGHT))
{
}

KmsCursor::~KmsCursor()
{
    if (on_ && !asleep_)
        (void)device_.api().set_cursor(device_.fd(), crtc_, {});
}

void KmsCursor::paint(DumbMemory &memory, const CursorImage &image, uint32_t shrink) const
{
    for (uint32_t y = 0; y * shrink < image.height; y++) {
        const auto row = memory.row(y);
        for (uint32_t x = 0; x * shrink < image.width; x++)
            row[x] = mean_at(image, x * shrink, y * shrink, shrink);
    }
}

Result<void> KmsCursor::set_image(const CursorImage &image)
{
    std::optional<DumbMemory> old = std::move(memory_); // on the screen until the next is
    memory_.reset();
    if (!image.argb.empty()) {
        auto memory = DumbMemory::create(device_, width_, height_);
        if (!memory)
            return std::unexpected(memory.error());
        const auto parts = [](uint32_t whole, uint32_t part) { return (whole + part - 1) / part; };
        const uint32_t shrink = std::max({1U, parts(image.width, width_), parts(image.height, height_)});
        paint(*memory, image, shrink);
        memory_.emplace(std::move(*memory));
        const int left = x_ + hot_x_, top = y_ + hot_y_;
        hot_x_ = static_cast<int>(image.hot_x / shrink);
        hot_y_ = static_cast<int>(image.hot_y / shrink);
        point_at(left, top); // what it points at stays
    }
    return apply();
}

Result<void> KmsCursor::show(bool visible)
{
    if (visible == visible_)
        return {};
    visible_ = visible;
    return apply();
}

Result<void> KmsCursor::apply()
{
    if (asleep_)
        return {};
    CursorRequest request;
    if (visible_ && memory_)
        request = {memory_->handle(), width_, height_, hot_x_, hot_y_};
    if (request.handle == 0 && !on_)
        return {};
    const int r = device_.api().set_cursor(device_.fd(), crtc_, request);
    on_ = request.handle != 0 && r == 0;
    if (r == 0 || std::exchange(said_, true))
        return {};
    return fail(-r, fmt::format("{} shows no pointer: {}", device_.path(), std::strerror(-r)));
}

void KmsCursor::move(int x, int y)
{
    x_ = x;
    y_ = y;
    if (!asleep_)
        (void)device_.api().move_cursor(device_.fd(), crtc_, x, y);
}

void KmsCursor::wake()
{
    asleep_ = false;
    on_ = true; // whatever is there now is to be replaced
    (void)apply();
    move(x_, y_);
}

} // namespace vramlink
