// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable, the half that consumers call: framebuffers, dma-bufs, CPU views, flushes.

#include "hw/blob/blob_table.hpp"
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
    if (blob == nullptr || fb.start >= blob->facts.size)
        return -1;
    return blob->backing->dmabuf(fb.start, blob->facts);
}

void BlobTable::unshare(uint32_t id, const char *why) noexcept
{
    Blob *blob = backed(id);
    if (blob == nullptr)
        return;
    if (ops_.release_consumers != nullptr)
        ops_.release_consumers(opaque_, id, false);
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
    const auto end = framebuffer_end(fb);
    if (blob == nullptr || !end || *end > blob->facts.size)
        return nullptr;
    auto view = blob->backing->view(blob->facts);
    if (!view) {
        say(id, VRL_ERR_UNSPEC, VRL_LOG_HOST, "no CPU view: " + view.error().text);
        return nullptr;
    }
    return (*view)->data() + fb.start;
}

void BlobTable::flush(uint32_t id, const vrl_framebuffer &fb, uint32_t x, uint32_t y, uint32_t width,
                      uint32_t height) noexcept
{
    Blob *blob = backed(id);
    CpuView *view = blob != nullptr ? blob->backing->existing_view() : nullptr;
    if (view == nullptr || !view->is_copy())
        return;
    if (!fits(x, width, fb.width) || !fits(y, height, fb.height) || !framebuffer_end(fb))
        return;
    const uint64_t row = static_cast<uint64_t>(width) * fb.bytes_pp;
    uint64_t at = fb.start + static_cast<uint64_t>(y) * fb.stride + static_cast<uint64_t>(x) * fb.bytes_pp;
    for (uint32_t i = 0; i < height; ++i, at += fb.stride)
        resources_.counters.bytes_copied += view->gather(at, row);
}

} // namespace vramlink
