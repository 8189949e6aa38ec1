// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/dumb_buffer.hpp"

#include <drm_fourcc.h>

#include <utility>

namespace vramlink {

Result<std::unique_ptr<DumbBuffer>> DumbBuffer::create(DrmDevice &device, uint32_t width, uint32_t height)
{
    auto memory = DumbMemory::create(device, width, height);
    if (!memory)
        return std::unexpected(memory.error());
    FramebufferRequest request;
    request.width = width;
    request.height = height;
    request.fourcc = DRM_FORMAT_XRGB8888;
    request.handles[0] = memory->handle();
    request.pitches[0] = memory->pitch();
    auto framebuffer = UniqueFramebuffer::add(device, request);
    if (!framebuffer)
        return std::unexpected(framebuffer.error());
    memory->close_handle();
    const FrameLayout layout{width, height, memory->pitch(), 0, DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR};
    auto shown = std::make_shared<ShownBuffer>(std::move(*framebuffer), layout, nullptr);
    return std::unique_ptr<DumbBuffer>(new DumbBuffer(std::move(*memory), std::move(shown)));
}

} // namespace vramlink
