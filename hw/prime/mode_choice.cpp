// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/mode_choice.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace vramlink {
namespace {

constexpr uint32_t usual_refresh_hz = 60;

uint64_t area(const drmModeModeInfo &mode)
{
    return uint64_t{mode.hdisplay} * mode.vdisplay;
}

/// Of two modes of one size: nearer to 60 Hz from below, else the slower one.
bool better_refresh(const drmModeModeInfo &a, const drmModeModeInfo &b)
{
    const bool a_usual = a.vrefresh <= usual_refresh_hz;
    const bool b_usual = b.vrefresh <= usual_refresh_hz;
    if (a_usual != b_usual)
        return a_usual;
    return a_usual ? a.vrefresh > b.vrefresh : a.vrefresh < b.vrefresh;
}

/// Blanking as small as a mode's checks allow: nothing on a virtual connector turns it into a signal.
drmModeModeInfo made_to_measure(uint32_t width, uint32_t height)
{
    drmModeModeInfo mode{};
    mode.hdisplay = static_cast<uint16_t>(width);
    mode.hsync_start = static_cast<uint16_t>(width + 16);
    mode.hsync_end = static_cast<uint16_t>(width + 32);
    mode.htotal = static_cast<uint16_t>(width + 48);
    mode.vdisplay = static_cast<uint16_t>(height);
    mode.vsync_start = static_cast<uint16_t>(height + 4);
    mode.vsync_end = static_cast<uint16_t>(height + 8);
    mode.vtotal = static_cast<uint16_t>(height + 12);
    mode.vrefresh = usual_refresh_hz;
    mode.clock = static_cast<uint32_t>(uint64_t{mode.htotal} * mode.vtotal * usual_refresh_hz / 1000); // kHz
    mode.type = DRM_MODE_TYPE_USERDEF;
    fmt::format_to_n(mode.name, sizeof(mode.name) - 1, "{}x{}", width, height);
    return mode;
}

} // namespace

drmModeModeInfo idle_mode(const ConnectorInfo &connector)
{
    for (const drmModeModeInfo &mode : connector.modes) {
        if (mode.type & DRM_MODE_TYPE_PREFERRED)
            return mode;
    }
    return connector.modes.front();
}

std::optional<drmModeModeInfo> mode_for(const ConnectorInfo &connector, uint32_t width, uint32_t height)
{
    const drmModeModeInfo *best = nullptr;
    for (const drmModeModeInfo &mode : connector.modes) {
        if (mode.hdisplay > width || mode.vdisplay > height || (mode.flags & DRM_MODE_FLAG_INTERLACE))
            continue;
        if (!best || area(mode) > area(*best) ||
            (area(mode) == area(*best) && mode.hdisplay == best->hdisplay && better_refresh(mode, *best)))
            best = &mode;
    }
    const bool exact = best && best->hdisplay == width && best->vdisplay == height;
    if (!exact && connector.type == DRM_MODE_CONNECTOR_VIRTUAL)
        return made_to_measure(width, height);
    return best ? std::optional(*best) : std::nullopt;
}

bool same_mode(const drmModeModeInfo &a, const drmModeModeInfo &b)
{
    return a.clock == b.clock && a.hdisplay == b.hdisplay && a.vdisplay == b.vdisplay &&
           a.htotal == b.htotal && a.vtotal == b.vtotal && a.hsync_start == b.hsync_start &&
           a.hsync_end == b.hsync_end && a.vsync_start == b.vsync_start && a.vsync_end == b.vsync_end &&
           a.flags == b.flags;
}

std::string connector_name(const ConnectorInfo &connector)
{
    const char *type = drmModeGetConnectorTypeName(connector.type);
    return fmt::format("{}-{}", type ? type : "Unknown", connector.type_index);
}

} // namespace vramlink
