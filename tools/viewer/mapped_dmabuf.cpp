// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/mapped_dmabuf.hpp"

#include "hw/prime/fourcc.hpp"
#include "tools/viewer/pixel_copy.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace vramlink {
namespace {

std::optional<PixelFormat> format_of(uint32_t fourcc)
{
    switch (opaque_twin(fourcc)) {
    case DRM_FORMAT_XRGB8888:
        return PixelFormat::x8r8g8b8;
    case DRM_FORMAT_XBGR8888:
        return PixelFormat::x8b8g8r8;
    case DRM_FORMAT_BGRX8888:
        return PixelFormat::b8g8r8x8;
    case DRM_FORMAT_RGBX8888:
        return PixelFormat::r8g8b8x8;
    case DRM_FORMAT_RGB565:
        return PixelFormat::r5g6b5;
    default:
        return std::nullopt;
    }
}

/// Tells the exporter when the CPU reads. Exporters without caches to care for answer an error: no matter.
void sync(int fd, uint64_t flags)
{
    dma_buf_sync request{flags | DMA_BUF_SYNC_READ};
    (void)ioctl(fd, DMA_BUF_IOCTL_SYNC, &request);
}

} // namespace

Result<std::unique_ptr<MappedDmabuf>> MappedDmabuf::map(UniqueFd fd, const FrameLayout &layout)
{
    const auto format = format_of(layout.fourcc);
    const bool linear = layout.modifier == DRM_FORMAT_MOD_LINEAR || layout.modifier == DRM_FORMAT_MOD_INVALID;
    if (!format || !linear)
        return fail(EOPNOTSUPP, fmt::format("{} with modifier {:#x} cannot be copied by the CPU",
                                            fourcc_text(layout.fourcc), layout.modifier));
    const off_t size = lseek(fd.get(), 0, SEEK_END);
    if (size < 0)
        return fail(errno, "lseek of a dma-buf failed");
    if (const auto checked = check_layout(layout, static_cast<uint64_t>(size)); !checked)
        return std::unexpected(checked.error());

    std::unique_ptr<MappedDmabuf> mapped(new MappedDmabuf(std::move(fd), layout, *format));
    void *address = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_SHARED, mapped->fd_.get(), 0);
    if (address == MAP_FAILED) {
        const int code = errno;
        return fail(code, fmt::format("the dma-buf cannot be mapped either: {}", std::strerror(code)));
    }
    mapped->address_ = address;
    mapped->size_ = static_cast<size_t>(size);
    return mapped;
}

MappedDmabuf::~MappedDmabuf()
{
    if (address_)
        munmap(address_, size_);
}

uint64_t MappedDmabuf::copy_to(Canvas &target) const
{
    const auto *bytes = static_cast<const uint8_t *>(address_) + layout_.offset;
    const Pixels pixels{
        layout_.width, layout_.height, layout_.stride, format_, {bytes, size_ - layout_.offset}};
    sync(fd_.get(), DMA_BUF_SYNC_START);
    const uint64_t copied = copy_pixels(pixels, 0, 0, target);
    sync(fd_.get(), DMA_BUF_SYNC_END);
    return copied;
}

} // namespace vramlink
