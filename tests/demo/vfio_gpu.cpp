// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_gpu.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/core.h>

#include "pci_device.hpp"
#include "scatter.hpp"
#include "vfio_uapi.hpp"

namespace vramlink::demo {

namespace {

/// An Error that says what was tried, with the errno that is set now.
std::unexpected<Error> fail_errno(const std::string &what)
{
    const int code = errno;
    return fail(code, fmt::format("{}: {}", what, std::strerror(code)));
}

Result<vfio_region_info> region_info(int device, std::uint32_t index)
{
    vfio_region_info info{};
    info.argsz = sizeof(info);
    info.index = index;
    if (::ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
        return fail_errno(fmt::format("VFIO_DEVICE_GET_REGION_INFO of region {}", index));
    return info;
}

} // namespace

void Mapping::unmap() noexcept
{
    if (!bytes_.empty())
        ::munmap(bytes_.data(), bytes_.size());
}

Mapping &Mapping::operator=(Mapping &&other) noexcept
{
    if (this != &other) {
        unmap();
        bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
}

Result<VfioGpu> VfioGpu::open(const std::string &address, std::uint32_t bar)
{
    if (auto done = bind_to_vfio(address); !done)
        return std::unexpected(done.error());
    auto group = iommu_group_of(address);
    if (!group)
        return std::unexpected(group.error());
    VfioGpu gpu;
    if (auto done = gpu.open_group(*group); !done)
        return std::unexpected(done.error());
    if (auto done = gpu.open_device(address); !done)
        return std::unexpected(done.error());
    if (auto done = gpu.map_bar(bar); !done)
        return std::unexpected(done.error());
    return gpu;
}

Result<void> VfioGpu::open_group(const std::string &group)
{
    container_.reset(::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
    if (!container_)
        return fail_errno("cannot open /dev/vfio/vfio");
    const std::string path = "/dev/vfio/" + group;
    group_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!group_)
        return fail_errno("cannot open " + path);

    vfio_group_status status{};
    status.argsz = sizeof(status);
    if (::ioctl(group_.get(), VFIO_GROUP_GET_STATUS, &status) < 0)
        return fail_errno("VFIO_GROUP_GET_STATUS of " + path);
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0)
        return fail(EBUSY, fmt::format("IOMMU group {} holds devices that the host drives", group));

    const int container = container_.get();
    if (::ioctl(group_.get(), VFIO_GROUP_SET_CONTAINER, &container) < 0)
        return fail_errno("VFIO_GROUP_SET_CONTAINER of " + path);
    if (::ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
        return fail_errno("VFIO_SET_IOMMU type 1 v2");
    return {};
}

Result<void> VfioGpu::open_device(const std::string &address)
{
    device_.reset(::ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, address.c_str()));
    if (!device_)
        return fail_errno("VFIO_GROUP_GET_DEVICE_FD of " + address);
    auto config = region_info(device_.get(), VFIO_PCI_CONFIG_REGION_INDEX);
    if (!config)
        return std::unexpected(config.error());
    config_offset_ = config->offset;
    return enable_memory(true);
}

Result<void> VfioGpu::map_bar(std::uint32_t bar)
{
    auto info = region_info(device_.get(), bar);
    if (!info)
        return std::unexpected(info.error());
    if (info->size == 0 || (info->flags & VFIO_REGION_INFO_FLAG_MMAP) == 0)
        return fail(EINVAL,
                    fmt::format("BAR {} of {} bytes cannot be mapped", bar, std::uint64_t{info->size}));
    auto *memory = static_cast<std::byte *>(::mmap(nullptr, info->size, PROT_READ | PROT_WRITE, MAP_SHARED,
                                                   device_.get(), static_cast<off_t>(info->offset)));
    if (memory == MAP_FAILED) // NOLINT(performance-no-int-to-ptr): the macro's own cast
        return fail_errno(fmt::format("cannot map {} bytes of BAR {}", std::uint64_t{info->size}, bar));
    vram_ = Mapping(std::span(memory, info->size));
    bar_ = bar;
    return {};
}

Result<UniqueFd> VfioGpu::export_pages(std::span<const std::uint64_t> page_offsets) const
{
    using uapi::DmaRange, uapi::FeatureDmaBuf;
    vfio_device_feature feature{};
    feature.argsz = static_cast<std::uint32_t>(sizeof(feature) + sizeof(FeatureDmaBuf) +
                                               page_offsets.size() * sizeof(DmaRange));
    feature.flags = VFIO_DEVICE_FEATURE_GET | uapi::kFeatureDmaBuf;
    const FeatureDmaBuf request{.region_index = bar_,
                                .open_flags = O_RDWR | O_CLOEXEC,
                                .flags = 0,
                                .nr_ranges = static_cast<std::uint32_t>(page_offsets.size())};

    std::vector<std::uint64_t> command(feature.argsz /
                                       sizeof(std::uint64_t)); // aligned as the kernel's struct is
    auto *out = reinterpret_cast<std::byte *>(command.data());
    std::memcpy(out, &feature, sizeof(feature));
    std::memcpy(out + sizeof(feature), &request, sizeof(request));
    out += sizeof(feature) + sizeof(request);
    for (const std::uint64_t offset : page_offsets) {
        const DmaRange range{.offset = offset, .length = kPageBytes};
        std::memcpy(out, &range, sizeof(range));
        out += sizeof(range);
    }
    UniqueFd dmabuf(::ioctl(device_.get(), VFIO_DEVICE_FEATURE, command.data()));
    if (!dmabuf)
        return fail_errno(
            fmt::format("VFIO_DEVICE_FEATURE_DMA_BUF of {} pages of BAR {}", page_offsets.size(), bar_));
    return dmabuf;
}

Result<void> VfioGpu::reset() const
{
    if (::ioctl(device_.get(), VFIO_DEVICE_RESET) < 0)
        return fail_errno("VFIO_DEVICE_RESET");
    return {};
}

Result<std::uint16_t> VfioGpu::read_command() const
{
    std::array<std::uint8_t, 2> bytes{}; // config space is little endian
    if (::pread(device_.get(), bytes.data(), bytes.size(),
                static_cast<off_t>(config_offset_ + PCI_COMMAND)) != 2)
        return fail_errno("cannot read the PCI command register");
    return static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8);
}

Result<bool> VfioGpu::memory_enabled() const
{
    const auto command = read_command();
    if (!command)
        return std::unexpected(command.error());
    return (*command & PCI_COMMAND_MEMORY) != 0;
}

Result<void> VfioGpu::enable_memory(bool enable) const
{
    const auto old = read_command();
    if (!old)
        return std::unexpected(old.error());
    const unsigned command = enable ? *old | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER
                                    : *old & ~static_cast<unsigned>(PCI_COMMAND_MEMORY);
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(command),
                                            static_cast<std::uint8_t>(command >> 8)};
    if (::pwrite(device_.get(), bytes.data(), bytes.size(),
                 static_cast<off_t>(config_offset_ + PCI_COMMAND)) != 2)
        return fail_errno(fmt::format("cannot write {:#06x} to the PCI command register", command));
    return {};
}

} // namespace vramlink::demo
