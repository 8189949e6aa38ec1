// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/painter.hpp"

#include <unistd.h>

#include <algorithm>

namespace vramlink::test {

Canvas::Canvas(Machine &machine, std::uint32_t width, std::uint32_t height)
    : width_(width), height_(height), gpa_(vm_alloc(machine.raw(), bytes())), ram_(machine)
{
    if (ram_)
        pixels_ = {ram_.at<std::uint32_t>(gpa_), std::size_t{width} * height};
}

BlobScanout Canvas::scanout(std::uint32_t id) const
{
    return {.id = id, .rect = whole(), .width = width_, .height = height_, .stride = 4 * width_};
}

void Canvas::fill_upper_half(std::uint32_t value)
{
    const auto upper = pixels_.first(pixels_.size() / 2);
    std::fill(upper.begin(), upper.end(), value);
}

void Canvas::fill(std::uint32_t value, unsigned pause_us)
{
    const auto lower = pixels_.subspan(pixels_.size() / 2);
    fill_upper_half(value);
    if (pause_us != 0)
        usleep(pause_us);
    std::fill(lower.begin(), lower.end(), value);
}

} // namespace vramlink::test
