// SPDX-License-Identifier: GPL-2.0-or-later
//
// CommandCounts: how many commands of each type the guest has sent (virtio 1.3, 5.7.6.7).

#ifndef VRAMLINK_HW_BLOB_COMMAND_COUNTS_HPP
#define VRAMLINK_HW_BLOB_COMMAND_COUNTS_HPP

#include <linux/virtio_gpu.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace vramlink {

class CommandCounts {
  public:
    /// The 2D types are numbers in a row from VIRTIO_GPU_CMD_GET_DISPLAY_INFO.
    static constexpr std::array names{
        "GET_DISPLAY_INFO",
        "RESOURCE_CREATE_2D",
        "RESOURCE_UNREF",
        "SET_SCANOUT",
        "RESOURCE_FLUSH",
        "TRANSFER_TO_HOST_2D",
        "RESOURCE_ATTACH_BACKING",
        "RESOURCE_DETACH_BACKING",
        "GET_CAPSET_INFO",
        "GET_CAPSET",
        "GET_EDID",
        "RESOURCE_ASSIGN_UUID",
        "RESOURCE_CREATE_BLOB",
        "SET_SCANOUT_BLOB",
        "other",
    };

    static const char *name_of(uint32_t type) noexcept { return names[number_of(type)]; }

    void add(uint32_t type) noexcept
    {
        ++total_;
        ++by_number_[number_of(type)];
    }

    [[nodiscard]] uint64_t total() const noexcept { return total_; }
    /// Of the type called names[@p number].
    [[nodiscard]] uint64_t of(size_t number) const noexcept { return by_number_[number]; }

  private:
    static size_t number_of(uint32_t type) noexcept
    {
        const size_t number = type - uint32_t{VIRTIO_GPU_CMD_GET_DISPLAY_INFO}; // wraps for smaller ones
        return number < other ? number : other;
    }

    static constexpr size_t other = names.size() - 1;
    static_assert(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB - VIRTIO_GPU_CMD_GET_DISPLAY_INFO == other - 1);

    std::array<uint64_t, names.size()> by_number_{};
    uint64_t total_ = 0;
};

} // namespace vramlink

#endif
