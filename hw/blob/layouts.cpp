// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/layouts.hpp"

#include "hw/view/yuv.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <optional>

struct vrl_layouts {
    std::vector<vrl_layout> list;
};

namespace vramlink {
namespace {

constexpr vrl_layout packed(uint32_t fourcc)
{
    return {fourcc, 1, DRM_FORMAT_MOD_INVALID, {{4, 1, 1}}};
}

static_assert(VRL_MODIFIER_NONE == DRM_FORMAT_MOD_INVALID && VRL_MODIFIER_LINEAR == DRM_FORMAT_MOD_LINEAR);

constexpr std::array known{
    packed(DRM_FORMAT_XRGB8888),
    packed(DRM_FORMAT_ARGB8888),
    packed(DRM_FORMAT_XBGR8888),
    packed(DRM_FORMAT_ABGR8888),
    packed(DRM_FORMAT_RGBX8888),
    packed(DRM_FORMAT_RGBA8888),
    packed(DRM_FORMAT_BGRX8888),
    packed(DRM_FORMAT_BGRA8888),
    packed(DRM_FORMAT_XRGB2101010),
    packed(DRM_FORMAT_ARGB2101010),
    packed(DRM_FORMAT_XBGR2101010),
    packed(DRM_FORMAT_ABGR2101010),
    vrl_layout{DRM_FORMAT_NV12, 2, DRM_FORMAT_MOD_INVALID, {{1, 1, 1}, {2, 2, 2}}},
    vrl_layout{DRM_FORMAT_P010, 2, DRM_FORMAT_MOD_INVALID, {{2, 1, 1}, {4, 2, 2}}},
};

std::string name_of(uint32_t fourcc)
{
    std::string name(sizeof fourcc, ' ');
    std::memcpy(name.data(), &fourcc, sizeof fourcc);
    return name;
}

std::string known_names()
{
    std::string names;
    for (const vrl_layout &layout : known)
        names += (names.empty() ? "" : ", ") + name_of(layout.fourcc);
    return names;
}

std::optional<uint64_t> parse_modifier(std::string_view text)
{
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex)
        text.remove_prefix(2);
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (text.empty() || code != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

} // namespace

Result<vrl_layout> parse_layout(std::string_view entry)
{
    const size_t colon = entry.find(':');
    const std::string_view name = entry.substr(0, colon);
    const auto found = std::find_if(known.begin(), known.end(), [name](const vrl_layout &layout) {
        return name_of(layout.fourcc) == name;
    });
    if (found == known.end())
        return fail(EINVAL, fmt::format("'{}' is none of the formats {}", name, known_names()));
    vrl_layout layout = *found;
    if (colon == std::string_view::npos)
        return layout;
    const auto modifier = parse_modifier(entry.substr(colon + 1));
    if (!modifier)
        return fail(EINVAL, fmt::format("the modifier '{}' of {} is no number of 64 bits, such as "
                                        "0x0100000000000002",
                                        entry.substr(colon + 1), name));
    layout.modifier = *modifier;
    return layout;
}

Result<std::vector<vrl_layout>> parse_layouts(std::string_view list)
{
    std::vector<vrl_layout> layouts;
    while (!list.empty()) {
        const size_t comma = list.find(',');
        auto layout = parse_layout(list.substr(0, comma));
        if (!layout)
            return std::unexpected(std::move(layout.error()));
        for (const vrl_layout &other : layouts) {
            if (other.fourcc == layout->fourcc)
                return fail(EINVAL, fmt::format("{} is named twice: a format has one layout, as the guest "
                                                "cannot tell two apart",
                                                name_of(layout->fourcc)));
        }
        layouts.push_back(*layout);
        if (comma != std::string_view::npos && comma + 1 == list.size())
            return fail(EINVAL, "the list ends with a comma");
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return layouts;
}

} // namespace vramlink

vrl_layouts *vrl_layouts_parse(const char *text, char **error)
{
    *error = nullptr;
    try {
        auto list = vramlink::parse_layouts(text);
        if (list && std::any_of(list->begin(), list->end(), vramlink::is_yuv)) {
            if (auto loaded = vramlink::YuvConverter::get(); !loaded)
                list = std::unexpected(loaded.error());
        }
        if (list)
            return new vrl_layouts{std::move(*list)};
        *error = ::strdup(list.error().text.c_str());
    } catch (const std::exception &) {
        *error = nullptr;
    }
    return nullptr;
}

void vrl_layouts_free(vrl_layouts *layouts)
{
    delete layouts;
}

const vrl_layout *vrl_layouts_find(const vrl_layouts *layouts, uint32_t fourcc)
{
    for (const vrl_layout &layout : layouts->list) {
        if (layout.fourcc == fourcc)
            return &layout;
    }
    return nullptr;
}
