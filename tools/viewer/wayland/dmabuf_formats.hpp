// SPDX-License-Identifier: GPL-2.0-or-later
//
// DmabufFormats: which formats and modifiers a compositor takes, and which of them to use for a frame.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_DMABUF_FORMATS_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_DMABUF_FORMATS_HPP

#include "hw/prime/frame_layout.hpp"

#include <cstdint>
#include <set>
#include <utility>

namespace vramlink {

class DmabufFormats {
  public:
    void add(uint32_t fourcc, uint64_t modifier) { pairs_.emplace(fourcc, modifier); }
    void clear() { pairs_.clear(); }
    [[nodiscard]] bool empty() const { return pairs_.empty(); }
    [[nodiscard]] bool takes(uint32_t fourcc, uint64_t modifier) const
    {
        return pairs_.contains({fourcc, modifier});
    }

    /// Fourcc and modifier to announce a frame of this layout with. The opaque twin of the format is
    /// preferred: a screen is opaque. A layout that names no modifier is linear (guest and host agree on
    /// that), and is announced so where the compositor lists it: without a modifier it would be the exporting
    /// driver's secret, which another GPU's driver does not know. EOPNOTSUPP when the compositor lists none.
    [[nodiscard]] Result<std::pair<uint32_t, uint64_t>> choose(const FrameLayout &layout) const;

  private:
    std::set<std::pair<uint32_t, uint64_t>> pairs_;
};

} // namespace vramlink

#endif
