// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/mapping.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>

namespace vramlink {

Result<Mapping> Mapping::make(uint64_t length, int protection, int flags, int fd, uint64_t offset)
{
    void *address = ::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset));
    if (address == MAP_FAILED) {
        const int code = errno;
        return fail(code, fmt::format("mmap of {} bytes failed (errno {})", length, code));
    }
    return Mapping(static_cast<std::byte *>(address), length);
}

Result<Mapping> Mapping::reserve(uint64_t length)
{
    return make(length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

Result<Mapping> Mapping::zeroed(uint64_t length)
{
    return make(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

Result<Mapping> Mapping::of_file(int fd, uint64_t offset, uint64_t length)
{
    return make(length, PROT_READ, MAP_SHARED, fd, offset);
}

Result<Mapping> Mapping::writable(int fd, uint64_t length)
{
    return make(length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int Mapping::place(uint64_t at, int fd, uint64_t offset, uint64_t length) noexcept
{
    const auto file_offset = static_cast<off_t>(offset);
    if (::mmap(data_ + at, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, file_offset) == MAP_FAILED)
        return errno;
    return 0;
}

int Mapping::open_zeros(uint64_t at, uint64_t length) noexcept
{
    return ::mprotect(data_ + at, length, PROT_READ) == 0 ? 0 : errno;
}

int Mapping::place_zeros(uint64_t length) noexcept
{
    void *zeros = ::mmap(data_, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return zeros == MAP_FAILED ? errno : 0;
}

void Mapping::unmap() noexcept
{
    if (data_ != nullptr)
        ::munmap(data_, length_);
    data_ = nullptr;
    length_ = 0;
}

} // namespace vramlink
