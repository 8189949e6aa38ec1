// SPDX-License-Identifier: GPL-2.0-or-later
//
// What stands behind the C interface's opaque table, for tests that bring a host of their own.

#ifndef VRAMLINK_HW_BLOB_C_API_HPP
#define VRAMLINK_HW_BLOB_C_API_HPP

#include "hw/blob/blob_table.hpp"

struct vrl_table {
    vramlink::BlobTable blobs;
};

namespace vramlink {

/// vrl_table_new() with @p host, which outlives the table. Null when out of memory.
vrl_table *new_table(const vrl_ops &ops, void *opaque, const vrl_limits *limits, const Host &host) noexcept;

} // namespace vramlink

#endif
