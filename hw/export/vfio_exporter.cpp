// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/export/vfio_exporter.hpp"

#include "hw/export/vfio_abi.hpp"
#include "vramlink/errno_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

namespace vramlink {
namespace {

using vfio_abi::DmaBufRequest;
using vfio_abi::DmaRange;

/// What would help, by the errno of the export (Linux: drivers/vfio/pci/vfio_pci_dmabuf.c).
std::string_view advice(int code)
{
    switch (code) {
    case ENOTTY:
        return "the host's kernel has no dma-buf export for VFIO; Linux 6.19 or newer with "
               "CONFIG_VFIO_PCI_DMABUF has it, and vfio-pci-vram brings it to older ones (docs/kernel.md)";
    case EOPNOTSUPP:
        return "the device's VFIO driver cannot export; bind the device to vfio-pci itself, or to "
               "vfio-pci-vram, which on a kernel without CONFIG_PCI_P2PDMA wants unchecked_p2p=1";
    case ENODEV:
        return "the device is going away, or its BAR could not be claimed";
    case ENOMEM:
        return "the host's kernel found no memory for the list of ranges";
    case EINVAL:
        return "the kernel takes page aligned ranges inside a memory BAR that peers may reach";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is left; raise the limit on open files (RLIMIT_NOFILE)";
    default:
        return "see the kernel's log";
    }
}

Error refused(int code, const Region &bar, size_t nr_ranges)
{
    return {code, fmt::format("VFIO dma-buf export of {} ranges of {} failed with {}: {}", nr_ranges,
                              bar.name, errno_name(code), advice(code))};
}

DmaBufRequest request_for(size_t ranges, uint32_t region_index, uint32_t feature)
{
    return {
        .argsz = static_cast<uint32_t>(sizeof(DmaBufRequest) + ranges * sizeof(DmaRange)),
        .feature = feature,
        .region_index = region_index,
        .open_flags = O_RDONLY | O_CLOEXEC,
        .flags = 0,
        .nr_ranges = static_cast<uint32_t>(ranges),
    };
}

/// The list as it is, with the request's header in the room before it.
void *request_in_place(const ExtentList &memory, const DmaBufRequest &request)
{
    static_assert(sizeof(Range) == sizeof(DmaRange) &&
                  offsetof(Range, offset) == offsetof(DmaRange, offset) &&
                  offsetof(Range, length) == offsetof(DmaRange, length));
    static_assert(sizeof(DmaBufRequest) <= RangeStorage::header_room);
    return std::memcpy(memory.header(sizeof request), &request, sizeof request);
}

/// A request for a part of the list: 8-byte words, so that header and ranges are aligned.
std::vector<uint64_t> request_for_part(const ExtentTail &tail, const DmaBufRequest &request)
{
    std::vector<uint64_t> words(request.argsz / sizeof(uint64_t));
    auto *ranges = reinterpret_cast<DmaRange *>(new (words.data()) DmaBufRequest(request) + 1);
    for (size_t i = 0; i < tail.size(); ++i) {
        const Extent extent = tail[i];
        new (&ranges[i]) DmaRange{extent.offset, extent.length};
    }
    return words;
}

} // namespace

Result<UniqueFd> VfioExporter::export_from(const ExtentList &memory, uint64_t start)
{
    const ExtentTail tail(memory, start);
    const Region &bar = memory.region_of(tail[0]);
    const DmaBufRequest request =
        request_for(tail.size(), bar.index, VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_dma_buf);
    std::vector<uint64_t> part;
    if (start > 0)
        part = request_for_part(tail, request);
    void *argument = start > 0 ? part.data() : request_in_place(memory, request);
    const int result = calls_.ioctl(bar.fd, VFIO_DEVICE_FEATURE, argument);
    if (result < 0)
        return std::unexpected(refused(-result, bar, tail.size()));
    return UniqueFd(result);
}

Result<void> VfioExporter::probe(const Region &bar)
{
    DmaBufRequest request = request_for(
        0, bar.index, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_dma_buf);
    const int result = calls_.ioctl(bar.fd, VFIO_DEVICE_FEATURE, &request);
    if (result < 0)
        return fail(-result, fmt::format("{} cannot be exported ({}): {}", bar.name, errno_name(-result),
                                         advice(-result)));
    return {};
}

} // namespace vramlink
