// SPDX-License-Identifier: GPL-2.0-or-later
#include "scattered_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "scatter.hpp"
#include "stopwatch.hpp"

namespace vramlink::demo {

namespace {

/// Copies @p bytes to byte @p position of the linear buffer that @p pages make up.
void copy_into_pages(std::span<const std::byte> bytes, std::uint64_t position,
                     std::span<const std::uint64_t> pages, std::span<std::byte> vram)
{
    while (!bytes.empty()) {
        const std::uint64_t in_page = position % kPageBytes;
        const std::size_t length = std::min<std::size_t>(bytes.size(), kPageBytes - in_page);
        std::memcpy(vram.data() + pages[position / kPageBytes] + in_page, bytes.data(), length);
        bytes = bytes.subspan(length);
        position += length;
    }
}

} // namespace

Result<ScatteredBuffer> ScatteredBuffer::make(const VfioGpu &gpu, const GuestCard &card,
                                              std::vector<std::uint64_t> pages)
{
    ScatteredBuffer buffer;
    buffer.pages_ = std::move(pages);
    const Stopwatch exporting;
    auto dmabuf = gpu.export_pages(buffer.pages_);
    if (!dmabuf)
        return std::unexpected(dmabuf.error());
    buffer.dmabuf_ = std::move(*dmabuf);
    buffer.export_us_ = exporting.us();

    const Stopwatch importing;
    auto framebuffer = card.import(buffer.dmabuf_.get());
    if (!framebuffer)
        return std::unexpected(framebuffer.error());
    buffer.framebuffer_ = std::move(*framebuffer);
    buffer.import_us_ = importing.us();
    return buffer;
}

void ScatteredBuffer::paint(const TestCard &card, std::span<std::byte> vram) const
{
    std::vector<std::uint32_t> row(card.spec().width);
    std::uint64_t position = 0;
    for (std::uint32_t y = 0; y < card.spec().height; ++y) {
        card.paint_row(y, row);
        const auto bytes = std::as_bytes(std::span(row));
        copy_into_pages(bytes, position, pages_, vram);
        position += bytes.size();
    }
}

} // namespace vramlink::demo
