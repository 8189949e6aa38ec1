// SPDX-License-Identifier: GPL-2.0-or-later
//
// CpuView: a stretch of a blob as linear memory, for consumers that read pixels with the CPU.
//
// Ownership: the view owns its mapping or its shadow; the memory behind it stays the VMM's. Thread: main
// loop. A load from a view of VRAM whose region was revoked is SIGBUS, so a view does not outlive its blob's
// backing, but for one that has retired; for what the host takes away unasked, read inside a BusGuard.

#ifndef VRAMLINK_HW_VIEW_CPU_VIEW_HPP
#define VRAMLINK_HW_VIEW_CPU_VIEW_HPP

#include <cstddef>
#include <cstdint>

namespace vramlink {

/// Readable bytes behind a view's last one, whatever they hold. QEMU's displays read `stride * height` bytes
/// of a surface, and the tail of the last row may lie behind the blob: strides up to this much are safe.
inline constexpr uint64_t view_slack = 256ULL * 1024;

/// Bytes [first, end) of a blob.
struct BlobRange {
    uint64_t first = 0, end = 0;

    [[nodiscard]] uint64_t length() const noexcept { return end - first; }
    [[nodiscard]] bool covers(const BlobRange &other) const noexcept
    {
        return first <= other.first && other.end <= end;
    }
};

class CpuView {
  public:
    virtual ~CpuView() = default;
    CpuView(const CpuView &) = delete;
    CpuView &operator=(const CpuView &) = delete;

    [[nodiscard]] const BlobRange &range() const noexcept { return range_; }
    /// The blob's byte @p byte, which lies in range(). Linear to the range's last byte, and readable for
    /// view_slack more.
    [[nodiscard]] std::byte *at(uint64_t byte) const noexcept { return data_ + (byte - range_.first); }
    /// True when this is a copy: bytes change only by gather().
    [[nodiscard]] virtual bool is_copy() const noexcept { return false; }
    /// Brings what it has of [offset, offset + length) of the blob up to date. Returns how many bytes were
    /// copied: always 0 for a view that is no copy, less than asked when memory could not be read. Allocates
    /// nothing.
    virtual uint64_t gather(uint64_t /*offset*/, uint64_t /*length*/) noexcept { return 0; }
    /// The memory behind it did not answer: what it shows from then on is not the blob.
    [[nodiscard]] virtual bool lost() const noexcept { return false; }
    /// The blob's memory goes, but somebody may read the view for a while: lets go of that memory, and stays
    /// readable. Nothing else is called then. Of the VMM's own mapping, the VMM takes care itself.
    virtual void retire() noexcept {}

  protected:
    CpuView(std::byte *data, BlobRange range) noexcept : data_(data), range_(range) {}

    std::byte *data_; // NOLINT(misc-non-private-member-variables-in-classes)
    BlobRange range_; // NOLINT(misc-non-private-member-variables-in-classes)
};

/// The VMM's own mapping, where the blob is one extent of a region that has one. Owns nothing.
class DirectView final : public CpuView {
  public:
    DirectView(std::byte *first_byte, uint64_t size) noexcept : CpuView(first_byte, {0, size}) {}
};

} // namespace vramlink

#endif
