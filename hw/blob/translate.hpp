// SPDX-License-Identifier: GPL-2.0-or-later
//
// From what the guest says (entries of guest addresses) to what the host has (a merged list of extents).
//
// All numbers of an entry are checked here, once, before anything is translated; what comes out carries the
// proof. Pieces are merged as they arrive: the list is never longer than the memory is scattered.

#ifndef VRAMLINK_HW_BLOB_TRANSLATE_HPP
#define VRAMLINK_HW_BLOB_TRANSLATE_HPP

#include "hw/blob/refusal.hpp"
#include "hw/blob/region_registry.hpp"
#include "vramlink/blob_table.h"
#include "vramlink/extent.hpp"

#include <cstdint>
#include <span>

namespace vramlink {

/// Calls of ops.translate for one command: an IOMMU answers page by page, and 2^20 pages are 4 GiB. A guest
/// may name the same memory again and again, so the blob's size alone bounds nothing.
inline constexpr uint64_t max_pieces_per_command = 1ULL << 20;

/// Where translations come from and what one command may cost.
struct TranslateContext {
    const vrl_ops &ops;
    void *opaque;
    RegionRegistry &regions;
    uint32_t max_entries;  ///< per command
    uint64_t extents_left; ///< of the table's limit
    uint64_t max_pieces = max_pieces_per_command;
    RangePool *pool = nullptr; ///< outlives what comes out
};

struct Translated {
    ExtentList memory;
    bool iommu = false; ///< an IOMMU answered for a part of it
};

/// The memory of @p size bytes behind @p entries, cut to size rounded up to a page and never past what the
/// entries cover. Entries behind that are checked but not translated.
Answer<Translated> translate_entries(const TranslateContext &context, uint64_t size,
                                     std::span<const vrl_entry> entries);

} // namespace vramlink

#endif
