// SPDX-License-Identifier: GPL-2.0-or-later
//
// ProcessBudgets: what all tables of a process may spend together. The VM ends when its process runs out of
// any of these, so blobs get a part and leave the rest.

#ifndef VRAMLINK_HW_BLOB_PROCESS_BUDGETS_HPP
#define VRAMLINK_HW_BLOB_PROCESS_BUDGETS_HPP

#include "vramlink/budget.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace vramlink {

/// A limit, and where it comes from.
struct Limit {
    uint64_t value = Budget::unlimited;
    std::string from{};
};

struct ProcessLimits {
    Limit descriptors{};   ///< open files
    Limit mappings{};      ///< VMAs
    Limit address_space{}; ///< bytes
    Limit host_memory{};   ///< bytes
};

/// Outlives every table and every charge.
struct ProcessBudgets {
    explicit ProcessBudgets(const ProcessLimits &limits = {});

    Budget descriptors, mappings, address_space, host_memory;
    Budget pinned; ///< bytes of guest RAM; vrl_limits says how many
};

/// The one of this process, read at first use.
[[nodiscard]] ProcessBudgets &process_budgets();

/// Half of RLIMIT_NOFILE, soft.
[[nodiscard]] Limit descriptor_limit();
/// Half of vm.max_map_count. Linux's default (65,530) when that cannot be read. A process that runs out gets
/// ENOMEM from every mmap(), thread stack and malloc arena.
[[nodiscard]] Limit mapping_limit(const std::filesystem::path &max_map_count);
/// 16 TiB of the 128 that a process has, or a quarter of what RLIMIT_AS leaves over what is in use now.
[[nodiscard]] Limit address_space_limit();
/// 512 MiB, or an eighth of @p ram bytes, or an eighth of what the control groups allow.
[[nodiscard]] Limit host_memory_limit(uint64_t ram, uint64_t control_group);
/// The smallest memory.max of a process' control group and its ancestors; Budget::unlimited when none has
/// one. @p membership is /proc/self/cgroup, @p hierarchy where control groups (version 2) are mounted.
[[nodiscard]] uint64_t smallest_memory_max(const std::filesystem::path &membership,
                                           const std::filesystem::path &hierarchy);

} // namespace vramlink

#endif
