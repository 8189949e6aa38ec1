// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/dmabuf_formats.hpp"

#include "hw/prime/fourcc.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <cerrno>

namespace vramlink {

Result<std::pair<uint32_t, uint64_t>> DmabufFormats::choose(const FrameLayout &layout) const
{
    for (const uint32_t fourcc : {opaque_twin(layout.fourcc), layout.fourcc}) {
        if (layout.modifier == DRM_FORMAT_MOD_INVALID && takes(fourcc, DRM_FORMAT_MOD_LINEAR))
            return std::pair{fourcc, uint64_t{DRM_FORMAT_MOD_LINEAR}};
        if (takes(fourcc, layout.modifier))
            return std::pair{fourcc, layout.modifier};
    }
    return fail(EOPNOTSUPP, fmt::format("EOPNOTSUPP: the compositor takes no {} with modifier {:#x}",
                                        fourcc_text(layout.fourcc), layout.modifier));
}

} // namespace vramlink
