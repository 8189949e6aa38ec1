// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/prime_importer.hpp"

#include "hw/prime/fourcc.hpp"
#include "hw/prime/stopwatch.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vramlink {

ShownBuffer::ShownBuffer(UniqueFramebuffer framebuffer, const FrameLayout &layout,
                         std::shared_ptr<ImportRecord> record)
    : framebuffer_(std::move(framebuffer)), layout_(layout), record_(std::move(record))
{
    if (record_)
        record_->live = true;
}

ShownBuffer::~ShownBuffer()
{
    if (record_)
        record_->live = false;
}

Result<BufferRef> PrimeImporter::import(int dmabuf, const FrameLayout &layout)
{
    auto frame = import_frame(dmabuf, layout);
    if (!frame)
        return std::unexpected(frame.error());
    return std::static_pointer_cast<const ShownBuffer>(*frame); // import_new() makes no others
}

Result<FrameRef> PrimeImporter::import_new(int dmabuf, const FrameLayout &layout,
                                           const std::shared_ptr<ImportRecord> &record)
{
    uint32_t raw = 0;
    const Stopwatch import_time;
    const int r = device_.api().prime_fd_to_handle(device_.fd(), dmabuf, &raw);
    record->import_us = import_time.microseconds();
    if (r < 0)
        return fail(-r, fmt::format("{}: {} does not import this dma-buf of {} bytes ({})", errno_name(r),
                                    device_.path(), record->size, std::strerror(-r)));
    const UniqueGemHandle handle(device_, raw); // closed on return, whatever AddFB2 says

    const Stopwatch addfb_time;
    auto framebuffer = add_framebuffer(handle.get(), layout);
    record->addfb_us = addfb_time.microseconds();
    if (!framebuffer)
        return std::unexpected(framebuffer.error());
    return std::make_shared<ShownBuffer>(std::move(*framebuffer), layout, record);
}

Result<UniqueFramebuffer> PrimeImporter::add_framebuffer(uint32_t handle, const FrameLayout &layout)
{
    const bool explicit_layout = layout.modifier != DRM_FORMAT_MOD_INVALID;
    const bool linear = layout.modifier == DRM_FORMAT_MOD_LINEAR;
    if (explicit_layout && !linear && !device_.takes_modifiers())
        return fail(EOPNOTSUPP,
                    fmt::format("EOPNOTSUPP: modifier {:#x}, but {} takes linear framebuffers only",
                                layout.modifier, device_.path()));
    FramebufferRequest request;
    request.width = layout.width;
    request.height = layout.height;
    request.fourcc = opaque_twin(layout.fourcc);
    request.handles[0] = handle;
    request.pitches[0] = layout.stride;
    request.offsets[0] = layout.offset;
    if (explicit_layout && device_.takes_modifiers()) {
        request.modifiers[0] = layout.modifier;
        request.with_modifiers = true;
    }
    auto framebuffer = UniqueFramebuffer::add(device_, request);
    if (!framebuffer)
        return fail(framebuffer.error().code,
                    fmt::format("{}: {}", errno_name(framebuffer.error().code), framebuffer.error().text));
    return framebuffer;
}

} // namespace vramlink
