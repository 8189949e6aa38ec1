// SPDX-License-Identifier: GPL-2.0-or-later
//
// Facts: what is told about a blob in the stats, also when its memory, or the blob itself, is gone.

#ifndef VRAMLINK_HW_BLOB_FACTS_HPP
#define VRAMLINK_HW_BLOB_FACTS_HPP

#include "vramlink/blob_table.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace vramlink {

enum class State : uint8_t {
    Unbacked,
    Backed,
    Revoked,  ///< a tombstone: the memory went away, the guest has not unreferenced or attached again
    Gone,     ///< only in the history
    Rejected, ///< only in the history: never made, the backing was not readable memory
};

struct Facts {
    uint32_t id = 0;
    State state = State::Unbacked;
    uint64_t size = 0; ///< bytes

    // Of the present backing, or of the last one there was.
    uint32_t entries = 0; ///< in the guest's command
    uint64_t ranges = 0;  ///< after merging
    vrl_plan plan = VRL_PLAN_NONE;
    std::string reason;
    std::string region;            ///< name of the first one
    uint64_t plan_ns = 0;          ///< nanoseconds that translating, merging and choosing the plan took
    uint64_t export_us = 0;        ///< microseconds that the export of the whole blob took
    std::vector<uint64_t> dmabufs; ///< inodes, in the order of export
    const char *view = "none";     ///< "direct", "mapped" or "copied" once a CPU consumer asked
    std::string shown;             ///< how, when a display gets other pixels than the blob's
    std::string revoked;           ///< why, for tombstones
};
static_assert(std::is_nothrow_move_assignable_v<Facts>, "the history takes it without fail");

} // namespace vramlink

#endif
