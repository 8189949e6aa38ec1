// SPDX-License-Identifier: GPL-2.0-or-later
//
// Names for errno values in sentences for people: "ENOTTY", not "Inappropriate ioctl for device".

#ifndef VRAMLINK_ERRNO_TEXT_HPP
#define VRAMLINK_ERRNO_TEXT_HPP

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace vramlink {

/// @p code as its symbolic name, or as a number when it has none.
inline std::string errno_name(int code)
{
    if (code == EOPNOTSUPP) // the kernel's word for it; glibc says ENOTSUP, the same number
        return "EOPNOTSUPP";
    const char *name = ::strerrorname_np(code);
    return name != nullptr ? name : fmt::format("errno {}", code);
}

} // namespace vramlink

#endif
