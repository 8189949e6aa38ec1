// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/overlay.hpp"

#include "tools/viewer/wayland/font.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

constexpr int64_t interval_us = 500'000;
constexpr uint32_t scale = 2, margin = 8; ///< pixels a dot; pixels
constexpr uint32_t background = 0x00101418, ink = 0x00e0e0d0;

} // namespace

Overlay::Overlay(WaylandConnection &connection, wl_surface *parent, Content content)
    : connection_(connection), content_(std::move(content)),
      surface_(wl_compositor_create_surface(connection.compositor())),
      subsurface_(wl_subcompositor_get_subsurface(connection.subcompositor(), surface_.get(), parent)),
      again_([this] { draw(); })
{
    const WlPtr<wl_region> none(wl_compositor_create_region(connection.compositor()));
    wl_surface_set_input_region(surface_.get(), none.get());
    wl_subsurface_set_position(subsurface_.get(), margin, margin);
    wl_subsurface_set_desync(subsurface_.get());
    draw();
    wl_surface_commit(parent); // takes the subsurface in; the parent's content stays
}

Result<std::unique_ptr<Overlay>> Overlay::open(WaylandConnection &connection, wl_surface *parent,
                                               Content content)
{
    if (!connection.subcompositor())
        return fail(EOPNOTSUPP, "the compositor has no wl_subcompositor, there is no overlay");
    return std::unique_ptr<Overlay>(new Overlay(connection, parent, std::move(content)));
}

/// Null: both are looked at still, or there is no memory.
ShmCanvas *Overlay::free_canvas(uint32_t width, uint32_t height)
{
    for (auto &canvas : canvases_) {
        if (canvas && canvas->buffer()->in_use())
            continue;
        if (!canvas || canvas->width() != width || canvas->height() != height) {
            auto made = ShmCanvas::create(connection_.shm(), width, height);
            if (!made)
                return nullptr;
            canvas = std::move(*made);
        }
        return canvas.get();
    }
    return nullptr;
}

void Overlay::draw()
{
    again_.arm(interval_us);
    const std::vector<std::string> lines = content_();
    size_t longest = 1;
    for (const std::string &line : lines)
        longest = std::max(longest, line.size());
    const auto width = static_cast<uint32_t>(longest) * font_cell_width * scale + 2 * margin;
    const auto height = static_cast<uint32_t>(lines.size()) * font_cell_height * scale + 2 * margin;
    ShmCanvas *canvas = free_canvas(width, height);
    if (!canvas)
        return;
    for (uint32_t row = 0; row < height; row++)
        std::ranges::fill(canvas->row(row), background);
    uint32_t y = margin;
    for (const std::string &line : lines) {
        draw_text(*canvas, margin, y, scale, line, ink);
        y += font_cell_height * scale;
    }
    wl_surface_attach(surface_.get(), canvas->buffer()->get(), 0, 0);
    wl_surface_damage_buffer(surface_.get(), 0, 0, INT32_MAX, INT32_MAX);
    canvas->buffer()->committed();
    wl_surface_commit(surface_.get());
    wl_display_flush(connection_.display());
}

} // namespace vramlink
