// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable, the half that consumers call: framebuffers, dma-bufs, CPU views, flushes.

#include "hw/blob/blob_table.hpp"
#include "hw/blob/layouts.hpp"
#include "hw/view/yuv.hpp"
#include "vramlink/checked.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace vramlink {

vrl_status BlobTable::framebuffer(uint32_t id, const FramebufferRequest &request, vrl_framebuffer &out)
{
    const auto found = blobs_.find(id);
    if (found == blobs_.end())
        return say(id, VRL_ERR_INVALID_RESOURCE_ID, VRL_LOG_GUEST, "a framebuffer in an unknown id");
    if (found->second.facts.state == State::Revoked)
        return say(id, VRL_ERR_INVALID_RESOURCE_ID, VRL_LOG_GUEST,
                   "a framebuffer in a blob whose memory went away: " + found->second.facts.revoked);
    auto made = make_framebuffer(found->second.facts.size, request);
    if (!made)
        return say(id, made.error());
    out = *made;
    return VRL_OK;
}

int BlobTable::dmabuf(uint32_t id, const vrl_framebuffer &fb)
{
    Blob *blob = backed(id);
    const auto end = framebuffer_end(fb);
    if (blob == nullptr || !end || *end > blob->facts.size)
        return -1;
    return blob->backing->dmabuf(fb.start, blob->facts);
}

void BlobTable::unshare(uint32_t id, const char *why) noexcept
{
    Blob *blob = backed(id);
    if (blob == nullptr)
        return;
    if (ops_.release_consumers != nullptr)
        (void)ops_.release_consumers(opaque_, id, false); // the views stay
    try {
        blob->backing->unshare(why, blob->facts);
    } catch (const std::exception &) {
        return; // out of memory for the words: the dma-bufs stay, and are offered once more
    }
}

Result<void> BlobTable::probe_with(const char *node)
{
    auto probe = PrimeProbe::open(resources_.calls, node);
    if (!probe)
        return std::unexpected(std::move(probe.error()));
    resources_.probe = std::move(*probe);
    return {};
}

void *BlobTable::view(uint32_t id, const vrl_framebuffer &fb)
{
    Blob *blob = backed(id);
    const auto range = framebuffer_range(fb);
    if (blob == nullptr || !range || range->end > blob->facts.size)
        return nullptr;
    auto view = blob->backing->view(*range, blob->facts);
    if (!view) {
        say(id, VRL_ERR_UNSPEC, VRL_LOG_HOST, "no CPU view: " + view.error().text);
        return nullptr;
    }
    return (*view)->at(fb.start);
}

bool BlobTable::view_is_copy(uint32_t id, const vrl_framebuffer &fb) noexcept
{
    const Blob *blob = backed(id);
    const auto range = framebuffer_range(fb);
    const CpuView *view = blob != nullptr && range ? blob->backing->existing_view(*range) : nullptr;
    return view != nullptr && view->is_copy();
}

void BlobTable::flush(uint32_t id, const vrl_framebuffer &fb, uint32_t x, uint32_t y, uint32_t width,
                      uint32_t height) noexcept
{
    Blob *blob = backed(id);
    if (blob == nullptr || !blob->backing->has_copy())
        return;
    Backing &backing = *blob->backing;
    if (!fits(x, width, fb.width) || !fits(y, height, fb.height) || !framebuffer_end(fb))
        return;
    const uint64_t row = static_cast<uint64_t>(width) * fb.bytes_pp;
    uint64_t at = fb.start + static_cast<uint64_t>(y) * fb.stride + static_cast<uint64_t>(x) * fb.bytes_pp;
    if (row == fb.stride) { // one stretch: whole pages are copied, not what each row has of them
        resources_.counters.bytes_copied += backing.gather(at, row * height);
    } else {
        for (uint32_t i = 0; i < height; ++i, at += fb.stride)
            resources_.counters.bytes_copied += backing.gather(at, row);
    }
    for (uint32_t i = 1; i < fb.layout.nr_planes && i < VRL_MAX_PLANES; ++i)
        gather_plane(backing, fb, i, y, height);
}

/// Whole rows: nobody reads these planes but a conversion.
void BlobTable::gather_plane(Backing &backing, const vrl_framebuffer &fb, uint32_t number, uint32_t y,
                             uint32_t height) noexcept
{
    const vrl_samples &sample = fb.layout.plane[number];
    const vrl_plane &plane = fb.more[number - 1];
    const uint64_t row = (uint64_t{fb.width} + sample.across - 1) / sample.across * sample.bytes;
    const uint32_t last = (y + height + sample.down - 1) / sample.down;
    for (uint32_t i = y / sample.down; i < last; ++i)
        resources_.counters.bytes_copied += backing.gather(plane.start + uint64_t{i} * plane.stride, row);
}

void BlobTable::tell_shown(uint32_t id, const char *how)
{
    if (Blob *blob = backed(id))
        blob->facts.shown = how;
}

bool BlobTable::convert(uint32_t id, const vrl_framebuffer &fb, const Target &to, const Part &part)
{
    if (!is_yuv(fb.layout) || !vrl_layout_is_linear(&fb.layout) || !fits(part.x, part.width, fb.width) ||
        !fits(part.y, part.height, fb.height))
        return false;
    const auto converter = YuvConverter::get();
    const auto *first = static_cast<const std::byte *>(view(id, fb));
    if (!converter || first == nullptr)
        return false;
    const vrl_samples &chroma = fb.layout.plane[1];
    const uint32_t x = part.x - part.x % chroma.across;
    const uint32_t y = part.y - part.y % chroma.down;
    const auto to_chroma = static_cast<ptrdiff_t>(fb.more[0].start) - static_cast<ptrdiff_t>(fb.start);
    const YuvPlanes from{
        .luma = first + uint64_t{y} * fb.stride + uint64_t{x} * fb.bytes_pp,
        .chroma = first + to_chroma + uint64_t{y / chroma.down} * fb.more[0].stride +
                  uint64_t{x / chroma.across} * chroma.bytes,
        .luma_stride = fb.stride,
        .chroma_stride = fb.more[0].stride,
    };
    constexpr uint32_t xrgb = 4;
    auto *pixels = static_cast<std::byte *>(to.pixels);
    std::byte *target = pixels + uint64_t{y} * to.stride + uint64_t{x} * xrgb;
    return (*converter)
        ->convert(fb.layout.fourcc, from, part.x + part.width - x, part.y + part.height - y, target,
                  to.stride);
}

} // namespace vramlink
