// SPDX-License-Identifier: GPL-2.0-or-later
//
// YuvConverter: NV12 and P010 to XRGB8888 for consumers that read pixels with the CPU, by libyuv.
//
// libyuv.so.0 is loaded when somebody first asks, so that a plugin that never sees YUV does not need it.
// Colours: BT.601, limited range, which is what EGL takes for a dma-buf that says nothing
// (EGL_EXT_image_dma_buf_import), so every way to the screen shows the same. Thread: any.

#ifndef VRAMLINK_HW_VIEW_YUV_HPP
#define VRAMLINK_HW_VIEW_YUV_HPP

#include "vramlink/error.hpp"
#include "vramlink/layout.h"

#include <cstddef>
#include <cstdint>

namespace vramlink {

/// Two planes of linear memory, at the same pixel.
struct YuvPlanes {
    const std::byte *luma, *chroma;
    uint32_t luma_stride, chroma_stride; ///< bytes
};

class YuvConverter {
  public:
    /// The one of this process; the error names what the loader said.
    static Result<const YuvConverter *> get();

    /// @p width x @p height pixels of NV12 or P010; false for any other @p fourcc. An odd last column or row
    /// reads the samples that it shares.
    bool convert(uint32_t fourcc, const YuvPlanes &from, uint32_t width, uint32_t height, void *to,
                 uint32_t to_stride) const noexcept;

  private:
    YuvConverter() = default;
    static Result<YuvConverter> load();

    void *nv12_ = nullptr;
    void *p010_ = nullptr;
    const void *colours_ = nullptr;
};

} // namespace vramlink

#endif
