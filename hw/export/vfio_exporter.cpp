// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/export/vfio_exporter.hpp"

#include "hw/export/vfio_abi.hpp"
#include "vramlink/errno_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
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

/// The request and its ranges in one buffer; 8-byte words, so that both are aligned.
std::vector<uint64_t> make_request(const ExtentTail &tail, uint32_t region_index, uint32_t feature)
{
    const size_t bytes = sizeof(DmaBufRequest) + tail.size() * sizeof(DmaRange);
    std::vector<uint64_t> words(bytes / sizeof(uint64_t));
    auto *request = new (words.data()) DmaBufRequest{
        .argsz = static_cast<uint32_t>(bytes),
        .feature = feature,
        .region_index = region_index,
        .open_flags = O_RDONLY | O_CLOEXEC,
        .flags = 0,
        .nr_ranges = static_cast<uint32_t>(tail.size()),
    };
    auto *ranges = reinterpret_cast<DmaRange *>(request + 1);
    for (size_t i = 0; i < tail.size(); ++i) {
        const Extent extent = tail.at(i);
        new (&ranges[i]) DmaRange{extent.offset, extent.length};
    }
    return words;
}

} // namespace

Result<UniqueFd> VfioExporter::export_from(const ExtentList &memory, uint64_t start)
{
    const ExtentTail tail = memory.tail(start);
    const Region &bar = memory.region_of(tail.extents[0]);
    std::vector<uint64_t> request =
        make_request(tail, bar.index, VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_dma_buf);
    const int result = calls_.ioctl(bar.fd, VFIO_DEVICE_FEATURE, request.data());
    if (result < 0)
        return std::unexpected(refused(-result, bar, tail.size()));
    return UniqueFd(result);
}

Result<void> VfioExporter::probe(const Region &bar)
{
    std::vector<uint64_t> request = make_request(
        {}, bar.index, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_dma_buf);
    const int result = calls_.ioctl(bar.fd, VFIO_DEVICE_FEATURE, request.data());
    if (result < 0)
        return fail(-result, fmt::format("{} cannot be exported ({}): {}", bar.name, errno_name(-result),
                                         advice(-result)));
    return {};
}

} // namespace vramlink
