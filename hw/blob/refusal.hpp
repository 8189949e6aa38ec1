// SPDX-License-Identifier: GPL-2.0-or-later
//
// Refusal: why a command of the guest is not carried out: the virtio answer, whose mistake it was, in words.

#ifndef VRAMLINK_HW_BLOB_REFUSAL_HPP
#define VRAMLINK_HW_BLOB_REFUSAL_HPP

#include "vramlink/blob_table.h"

#include <expected>
#include <string>
#include <utility>

namespace vramlink {

struct Refusal {
    vrl_status status = VRL_ERR_UNSPEC;
    vrl_log_level level = VRL_LOG_GUEST;
    std::string sentence;    ///< names the value and the limit
    bool unreadable = false; ///< plan Rejected: a piece of the backing is not readable memory
};

template <class T> using Answer = std::expected<T, Refusal>;

/// The guest's mistake.
[[nodiscard]] inline std::unexpected<Refusal> refuse(vrl_status status, std::string sentence)
{
    return std::unexpected<Refusal>(Refusal{status, VRL_LOG_GUEST, std::move(sentence)});
}

/// The backing names something that is not readable memory.
[[nodiscard]] inline std::unexpected<Refusal> reject(vrl_log_level level, std::string sentence)
{
    return std::unexpected<Refusal>(Refusal{VRL_ERR_INVALID_PARAMETER, level, std::move(sentence), true});
}

} // namespace vramlink

#endif
