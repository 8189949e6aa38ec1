// SPDX-License-Identifier: GPL-2.0-or-later
//
// Host: what a table uses of the host, borrowed, so that a test can stand in for it.
// Resources: what all blobs of one table share: exporters, budgets, counters, the log.

#ifndef VRAMLINK_HW_BLOB_RESOURCES_HPP
#define VRAMLINK_HW_BLOB_RESOURCES_HPP

#include "hw/blob/clock.hpp"
#include "hw/blob/command_counts.hpp"
#include "hw/blob/lingering.hpp"
#include "hw/blob/log.hpp"
#include "hw/blob/notes.hpp"
#include "hw/blob/process_budgets.hpp"
#include "hw/export/udmabuf_exporter.hpp"
#include "hw/export/vfio_exporter.hpp"
#include "hw/prime/prime_probe.hpp"
#include "hw/view/view_budgets.hpp"
#include "vramlink/blob_table.h"
#include "vramlink/budget.hpp"
#include "vramlink/range_storage.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace vramlink {

/// Outlives the table.
struct Host {
    DeviceCalls &calls;
    ProcessBudgets &process;
    const Clock &clock;
};

/// The real one.
[[nodiscard]] Host this_host();

/// What one table has taken of what the process may spend. Charges may outlive the table, so each of these
/// lives as long as its charges.
struct Account {
    Account(ProcessBudgets &process, const vrl_limits &limits);

    [[nodiscard]] ViewBudgets for_views() const noexcept { return {*mappings, *address_space, *host_memory}; }

    std::shared_ptr<Budget> descriptors, mappings, address_space, host_memory, pinned;
};

/// Totals since the table was made; a device reset does not clear them.
struct Counters {
    CommandCounts commands;
    uint64_t flips = 0;
    uint64_t superseded = 0;
    uint64_t flushes = 0;
    uint64_t exports = 0;
    uint64_t exports_failed = 0;
    uint64_t imports = 0; ///< by displays; those of the probe it counts itself
    uint64_t imports_failed = 0;
    uint64_t views = 0;
    uint64_t bytes_copied = 0;
    uint64_t stills = 0;
    uint64_t stills_lost = 0;
    uint64_t revocations = 0;
    uint64_t held_over = 0; ///< blobs whose dma-buf a consumer still held when the wait for it was over
    uint64_t cut_off = 0;   ///< consumers whose connection was ended for that
    uint64_t command_errors = 0;
    std::array<uint64_t, VRL_ERR_INVALID_PARAMETER - VRL_ERR_UNSPEC + 1> errors{}; ///< by status
};

struct Resources {
    Resources(const vrl_ops &ops, void *opaque, const vrl_limits &limits, const Host &host)
        : vfio(host.calls), udmabuf(host.calls), extents(limits.max_extents_total),
          addresses(limits.max_extents_total), account(host.process, limits), calls(host.calls),
          clock(host.clock), log(ops, opaque, host.clock), lingering(host.calls, log), notes(ops, opaque)
    {
    }

    VfioExporter vfio;
    UdmabufExporter udmabuf;
    RangePool ranges;
    Budget extents;
    Budget addresses;                  ///< entries kept in AddressLists
    Budget dmabufs{Budget::unlimited}; ///< of blobs, open now
    Account account;
    DeviceCalls &calls;
    const Clock &clock;
    std::optional<PrimeProbe> probe; ///< none: nobody asked whether a GPU can import
    Counters counters;
    uint32_t vfio_backings = 0; ///< that there are now
    std::string last_failure;   ///< of an export: one that repeats with every blob is logged once
    Log log;
    mutable Lingering lingering; ///< the stats look again, too
    Notes notes;
};

} // namespace vramlink

#endif
