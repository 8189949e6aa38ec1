// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mapping: sole owner of one stretch of address space, unmapped exactly once.

#ifndef VRAMLINK_HW_VIEW_MAPPING_HPP
#define VRAMLINK_HW_VIEW_MAPPING_HPP

#include "vramlink/error.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace vramlink {

class Mapping {
  public:
    Mapping() noexcept = default;
    Mapping(Mapping &&other) noexcept
        : data_(std::exchange(other.data_, nullptr)), length_(std::exchange(other.length_, 0))
    {
    }
    Mapping &operator=(Mapping &&other) noexcept
    {
        if (this != &other) {
            unmap();
            data_ = std::exchange(other.data_, nullptr);
            length_ = std::exchange(other.length_, 0);
        }
        return *this;
    }
    Mapping(const Mapping &) = delete;
    Mapping &operator=(const Mapping &) = delete;
    ~Mapping() { unmap(); }

    /// Address space only: PROT_NONE, no memory behind it. @p length is a multiple of the page.
    [[nodiscard]] static Result<Mapping> reserve(uint64_t length);
    /// Private zeroed memory that takes host memory only where it is written.
    [[nodiscard]] static Result<Mapping> zeroed(uint64_t length);
    /// The first @p length bytes of @p fd, shared, to be written.
    [[nodiscard]] static Result<Mapping> writable(int fd, uint64_t length);
    /// @p length bytes at @p offset of @p fd, shared and read-only. Both are page aligned.
    [[nodiscard]] static Result<Mapping> of_file(int fd, uint64_t offset, uint64_t length);

    /// Puts @p length bytes at @p offset of @p fd, shared and read-only, at byte @p at of this mapping. All
    /// are page aligned and inside. 0 or the errno.
    [[nodiscard]] int place(uint64_t at, int fd, uint64_t offset, uint64_t length) noexcept;

    /// Makes reserved address space read as zeros. Page aligned and inside. 0 or the errno.
    [[nodiscard]] int open_zeros(uint64_t at, uint64_t length) noexcept;

    /// Puts zeros, read-only, in the place of what is mapped in the first @p length bytes, in one step. Whole
    /// pages. 0 or the errno; nothing has changed then.
    [[nodiscard]] int place_zeros(uint64_t length) noexcept;

    [[nodiscard]] std::byte *data() const noexcept { return data_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

  private:
    Mapping(std::byte *data, uint64_t length) noexcept : data_(data), length_(length) {}
    static Result<Mapping> make(uint64_t length, int protection, int flags, int fd, uint64_t offset);
    void unmap() noexcept;

    std::byte *data_ = nullptr;
    uint64_t length_ = 0;
};

} // namespace vramlink

#endif
