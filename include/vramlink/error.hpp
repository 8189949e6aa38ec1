// SPDX-License-Identifier: GPL-2.0-or-later
//
// Error: what went wrong, in words for a person, with the errno caught at once.
//
// Every fallible call across parts returns Result<T> = std::expected<T, Error>. The text names the value that
// was wrong and the limit it broke; it has no trailing newline and no prefix.

#ifndef VRAMLINK_ERROR_HPP
#define VRAMLINK_ERROR_HPP

#include <expected>
#include <string>
#include <utility>

namespace vramlink {

struct Error {
    int code = 0;     ///< errno value; 0 where no system call failed
    std::string text; ///< one sentence
};

template <class T> using Result = std::expected<T, Error>;

/// Shorthand for returning an Error from a function that returns Result<T>.
[[nodiscard]] inline std::unexpected<Error> fail(int code, std::string text)
{
    return std::unexpected<Error>(Error{code, std::move(text)});
}

} // namespace vramlink

#endif
