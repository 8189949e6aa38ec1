// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/dumb_memory.hpp"

#include "hw/prime/frame_layout.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vramlink {

Result<DumbMemory> DumbMemory::create(DrmDevice &device, uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0 || width > max_frame_side || height > max_frame_side)
        return fail(EINVAL, fmt::format("a dumb buffer of {}x{} pixels: each side must be 1 to {}", width,
                                        height, max_frame_side));
    DumbAllocation dumb;
    if (const int r = device.api().create_dumb(device.fd(), width, height, &dumb); r < 0)
        return fail(-r, fmt::format("no dumb buffer of {}x{} on {}: {}", width, height, device.path(),
                                    std::strerror(-r)));
    DumbMemory memory(device, width, height, dumb);
    if (const int r = device.api().map_dumb(device.fd(), dumb, &memory.address_); r < 0)
        return fail(-r,
                    fmt::format("cannot map a dumb buffer of {} bytes: {}", dumb.size, std::strerror(-r)));
    memory.size_ = dumb.size;
    std::memset(memory.address_, 0, memory.size_);
    return memory;
}

DumbMemory::DumbMemory(DumbMemory &&other) noexcept
    : device_(other.device_), width_(other.width_), height_(other.height_), pitch_(other.pitch_),
      handle_(std::move(other.handle_)), size_(other.size_), address_(std::exchange(other.address_, nullptr))
{
}

DumbMemory::~DumbMemory()
{
    if (address_)
        device_.api().unmap_dumb(address_, size_);
}

std::span<uint32_t> DumbMemory::row(uint32_t y)
{
    auto *bytes = static_cast<char *>(address_) + size_t{y} * pitch_;
    return {reinterpret_cast<uint32_t *>(bytes),
            width_}; // the mapping is page aligned, the pitch a multiple of 4
}

} // namespace vramlink
