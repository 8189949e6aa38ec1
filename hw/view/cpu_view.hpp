// SPDX-License-Identifier: GPL-2.0-or-later
//
// CpuView: a blob as one stretch of linear memory, for consumers that read pixels with the CPU.
//
// Ownership: the view owns its mapping or its shadow; the memory behind it stays the VMM's. Thread: main
// loop. A load from a view of VRAM whose region was revoked is SIGBUS, so a view never outlives its blob's
// backing; for what the host takes away unasked, read inside a BusGuard.

#ifndef VRAMLINK_HW_VIEW_CPU_VIEW_HPP
#define VRAMLINK_HW_VIEW_CPU_VIEW_HPP

#include <cstddef>
#include <cstdint>

namespace vramlink {

/// Readable bytes behind a view's last one, whatever they hold. QEMU's displays read `stride * height` bytes
/// of a surface, and the tail of the last row may lie behind the blob: strides up to this much are safe.
inline constexpr uint64_t view_slack = 256ULL * 1024;

class CpuView {
  public:
    virtual ~CpuView() = default;
    CpuView(const CpuView &) = delete;
    CpuView &operator=(const CpuView &) = delete;

    /// The blob's first byte. Linear to the blob's last byte, and readable for view_slack more.
    [[nodiscard]] std::byte *data() const noexcept { return data_; }
    /// True when this is a copy: bytes change only by gather().
    [[nodiscard]] virtual bool is_copy() const noexcept { return false; }
    /// Brings [offset, offset + length) of the blob up to date, cut at the view's end. Returns how many bytes
    /// were copied: always 0 for a view that is no copy, less than asked when memory could not be read.
    /// Allocates nothing.
    virtual uint64_t gather(uint64_t /*offset*/, uint64_t /*length*/) noexcept { return 0; }
    /// The memory behind it did not answer: what it shows from then on is not the blob.
    [[nodiscard]] virtual bool lost() const noexcept { return false; }

  protected:
    explicit CpuView(std::byte *data) noexcept : data_(data) {}

    std::byte *data_; // NOLINT(misc-non-private-member-variables-in-classes)
};

/// The VMM's own mapping, where the blob is one extent of a region that has one. Owns nothing.
class DirectView final : public CpuView {
  public:
    explicit DirectView(std::byte *first_byte) noexcept : CpuView(first_byte) {}
};

} // namespace vramlink

#endif
