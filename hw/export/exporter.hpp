// SPDX-License-Identifier: GPL-2.0-or-later
//
// Exporter: has the kernel make one dma-buf out of many stretches of memory.

#ifndef VRAMLINK_HW_EXPORT_EXPORTER_HPP
#define VRAMLINK_HW_EXPORT_EXPORTER_HPP

#include "vramlink/error.hpp"
#include "vramlink/extent.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>

namespace vramlink {

class Exporter {
  public:
    virtual ~Exporter() = default;
    Exporter() = default;
    Exporter(const Exporter &) = delete;
    Exporter &operator=(const Exporter &) = delete;

    /// One dma-buf, close-on-exec, of @p memory from byte @p start to its end. The caller (the plan) has
    /// checked that start and all extents are page aligned and lie in regions that this exporter takes. The
    /// error names the errno and, in words, what would help.
    virtual Result<UniqueFd> export_from(const ExtentList &memory, uint64_t start) = 0;
};

} // namespace vramlink

#endif
