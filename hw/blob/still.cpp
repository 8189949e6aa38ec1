// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/still.hpp"

#include "vramlink/extent.hpp"
#include "vramlink/page.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/dma-buf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace vramlink {
namespace {

/// udmabuf takes memfds that cannot shrink.
Result<UniqueFd> sealed_memory(uint64_t bytes)
{
    UniqueFd memory(::memfd_create(VRL_STILL_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(bytes)) < 0 ||
        ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return fail(errno, fmt::format("a still of {} bytes: {}", bytes, std::strerror(errno)));
    return memory;
}

Result<UniqueFd> share(int memory, uint64_t bytes, Resources &resources)
{
    const auto region = std::make_shared<Region>(
        Region{.id = 1, .kind = RegionKind::SharedRam, .fd = memory, .size = bytes, .name = VRL_STILL_NAME});
    ExtentList list;
    list.append(region, 0, bytes);
    auto dmabuf = resources.udmabuf.export_from(list, 0);
    if (!dmabuf)
        return fail(dmabuf.error().code, "a still: " + dmabuf.error().text);
    // A consumer that is not told shows it all the same.
    (void)resources.calls.ioctl(dmabuf->get(), DMA_BUF_SET_NAME, const_cast<char *>(VRL_STILL_NAME));
    return dmabuf;
}

} // namespace

Result<Still> Still::make(uint32_t stride, uint32_t height, Resources &resources)
{
    const uint64_t bytes = page_up(uint64_t{stride} * height);
    auto charge = resources.account.for_views().take(
        "a still", {.mappings = 1, .address_space = bytes, .host_memory = bytes});
    if (!charge)
        return std::unexpected(std::move(charge.error()));
    auto descriptor = resources.account.descriptors->take(1);
    if (!descriptor)
        return fail(EMFILE, "a still takes 1 descriptor, " + resources.account.descriptors->over());
    const auto memory = sealed_memory(bytes);
    if (!memory)
        return std::unexpected(memory.error());
    auto dmabuf = share(memory->get(), bytes, resources);
    if (!dmabuf)
        return std::unexpected(std::move(dmabuf.error()));
    auto pixels = Mapping::writable(memory->get(), bytes);
    if (!pixels)
        return std::unexpected(std::move(pixels.error()));
    return Still(std::move(*charge), std::move(*descriptor), std::move(*pixels), std::move(*dmabuf));
}

} // namespace vramlink
