// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/dumb_buffer.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vramlink {

Result<std::unique_ptr<DumbBuffer>> DumbBuffer::create(DrmDevice &device, uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0 || width > max_frame_side || height > max_frame_side)
        return fail(EINVAL, fmt::format("a dumb buffer of {}x{} pixels: each side must be 1 to {}", width,
                                        height, max_frame_side));
    DumbAllocation dumb;
    if (const int r = device.api().create_dumb(device.fd(), width, height, &dumb); r < 0)
        return fail(-r, fmt::format("no dumb buffer of {}x{} on {}: {}", width, height, device.path(),
                                    std::strerror(-r)));
    const UniqueGemHandle handle(device, dumb.handle);

    std::unique_ptr<DumbBuffer> buffer(new DumbBuffer(device, width, height, dumb.pitch));
    if (const int r = device.api().map_dumb(device.fd(), dumb, &buffer->address_); r < 0)
        return fail(-r,
                    fmt::format("cannot map a dumb buffer of {} bytes: {}", dumb.size, std::strerror(-r)));
    buffer->size_ = dumb.size;
    std::memset(buffer->address_, 0, buffer->size_);

    FramebufferRequest request;
    request.width = width;
    request.height = height;
    request.fourcc = DRM_FORMAT_XRGB8888;
    request.handles[0] = handle.get();
    request.pitches[0] = dumb.pitch;
    auto framebuffer = UniqueFramebuffer::add(device, request);
    if (!framebuffer)
        return std::unexpected(framebuffer.error());
    const FrameLayout layout{width, height, dumb.pitch, 0, DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR};
    buffer->shown_ = std::make_shared<ShownBuffer>(std::move(*framebuffer), layout, nullptr);
    return buffer;
}

DumbBuffer::~DumbBuffer()
{
    if (address_)
        device_.api().unmap_dumb(address_, size_);
}

std::span<uint32_t> DumbBuffer::row(uint32_t y)
{
    auto *bytes = static_cast<char *>(address_) + y * pitch_;
    return {reinterpret_cast<uint32_t *>(bytes),
            width_}; // the mapping is page aligned, the pitch a multiple of 4
}

} // namespace vramlink
