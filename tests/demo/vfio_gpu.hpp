// SPDX-License-Identifier: GPL-2.0-or-later
//
// VfioGpu: the passthrough "GPU" as its driver sees it: VRAM behind one BAR, owned through vfio-pci.
//
// Opens by group and type 1 container. The whole BAR stays mapped while the object lives. The device must not
// be touched through vram() while its memory is disabled or a reset runs: the kernel answers with SIGBUS.
// Thread: one.

#ifndef VRAMLINK_TESTS_DEMO_VFIO_GPU_HPP
#define VRAMLINK_TESTS_DEMO_VFIO_GPU_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

namespace vramlink::demo {

/// Sole owner of one mmap().
class Mapping {
  public:
    Mapping() noexcept = default;
    explicit Mapping(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
    Mapping(Mapping &&other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    Mapping &operator=(Mapping &&other) noexcept;
    Mapping(const Mapping &) = delete;
    Mapping &operator=(const Mapping &) = delete;
    ~Mapping() { unmap(); }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

  private:
    void unmap() noexcept;

    std::span<std::byte> bytes_;
};

class VfioGpu {
  public:
    /// Binds the device at @p address to vfio-pci, opens it and maps BAR @p bar.
    [[nodiscard]] static Result<VfioGpu> open(const std::string &address, std::uint32_t bar);

    [[nodiscard]] std::span<std::byte> vram() const noexcept { return vram_.bytes(); }

    /// One dma-buf over the pages that start at @p page_offsets (bytes in the BAR), in this order.
    [[nodiscard]] Result<UniqueFd> export_pages(std::span<const std::uint64_t> page_offsets) const;

    /// VFIO_DEVICE_RESET: revokes every dma-buf of the device and waits until all importers have let go.
    [[nodiscard]] Result<void> reset() const;

    /// Reads or sets the memory enable bit of the PCI command register.
    [[nodiscard]] Result<bool> memory_enabled() const;
    [[nodiscard]] Result<void> enable_memory(bool enable) const;

  private:
    VfioGpu() = default;
    Result<void> open_group(const std::string &group);
    Result<void> open_device(const std::string &address);
    Result<void> map_bar(std::uint32_t bar);
    [[nodiscard]] Result<std::uint16_t> read_command() const;

    // In the order of opening; closed in reverse.
    UniqueFd container_;
    UniqueFd group_;
    UniqueFd device_;
    Mapping vram_;
    std::uint32_t bar_ = 0;
    std::uint64_t config_offset_ = 0; ///< where PCI config space lies in device_
};

} // namespace vramlink::demo

#endif
