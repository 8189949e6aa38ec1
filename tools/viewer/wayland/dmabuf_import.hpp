// SPDX-License-Identifier: GPL-2.0-or-later
//
// DmabufImport: dma-bufs in, wl_buffers out, each buffer imported once (hw/prime/import_cache.hpp). The
// compositor does the PRIME import, and says whether it worked.
//
// Ownership. The descriptor is borrowed: libwayland sends a duplicate. The compositor holds the buffer until
// the wl_buffer is destroyed.
//
// Direct display (weston_direct_display_v1): the compositor keeps the buffer away from its renderer and only
// scans it out. For buffers that its GPU shows but does not sample; useful in full screen alone.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_DMABUF_IMPORT_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_DMABUF_IMPORT_HPP

#include "tools/viewer/wayland/connection.hpp"
#include "tools/viewer/wayland/wayland_buffer.hpp"

namespace vramlink {

enum class DirectDisplay {
    never, ///< the renderer takes every buffer
    retry, ///< what the renderer refuses is offered for scan-out
    always ///< no buffer reaches the renderer
};

class DmabufImport final : public ImportCache {
  public:
    /// @p connection must outlive the imports.
    DmabufImport(WaylandConnection &connection, DirectDisplay direct)
        : connection_(connection), direct_(direct)
    {
    }

  private:
    /// Blocks until the compositor has answered, for two seconds at most. Errors: EOPNOTSUPP when the
    /// compositor takes no dma-bufs, or none of this format, or would not survive it; EIO when it refuses
    /// this one (Wayland gives no reason); ETIMEDOUT.
    Result<FrameRef> import_new(int dmabuf, const FrameLayout &layout,
                                const std::shared_ptr<ImportRecord> &record) override;
    Result<FrameRef> ask(int dmabuf, const FrameLayout &layout, std::pair<uint32_t, uint64_t> format,
                         bool direct, const std::shared_ptr<ImportRecord> &record);

    WaylandConnection &connection_;
    DirectDisplay direct_;
};

} // namespace vramlink

#endif
