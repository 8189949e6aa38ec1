// SPDX-License-Identifier: GPL-2.0-or-later
//
// MappedDmabuf: the last resort for a dma-buf that the display device refuses: the CPU reads it and copies.
//
// Works for exporters that allow mmap (udmabuf, Mesa's software renderer), not for VFIO's. Off unless the
// user asks for it: this program is about not copying, and says so when it has to.

#ifndef VRAMLINK_TOOLS_VIEWER_MAPPED_DMABUF_HPP
#define VRAMLINK_TOOLS_VIEWER_MAPPED_DMABUF_HPP

#include "hw/prime/showable.hpp"
#include "tools/viewer/display_sink.hpp"

#include <memory>

namespace vramlink {

class MappedDmabuf {
  public:
    /// Takes @p fd. Errors: as check_layout(); EOPNOTSUPP for tiled layouts and formats that the CPU cannot
    /// convert; the errno of mmap.
    static Result<std::unique_ptr<MappedDmabuf>> map(UniqueFd fd, const FrameLayout &layout);
    MappedDmabuf(const MappedDmabuf &) = delete;
    MappedDmabuf &operator=(const MappedDmabuf &) = delete;
    ~MappedDmabuf();

    /// Copies the whole frame; returns the bytes written.
    uint64_t copy_to(Canvas &target) const;

  private:
    MappedDmabuf(UniqueFd fd, const FrameLayout &layout, PixelFormat format)
        : fd_(std::move(fd)), layout_(layout), format_(format)
    {
    }

    UniqueFd fd_; ///< for DMA_BUF_IOCTL_SYNC
    FrameLayout layout_;
    PixelFormat format_;
    void *address_ = nullptr;
    size_t size_ = 0;
};

} // namespace vramlink

#endif
