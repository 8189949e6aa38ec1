// SPDX-License-Identifier: GPL-2.0-or-later
//
// How many memory mappings (VMAs) the views of this process may hold.
//
// Linux gives a process vm.max_map_count of them (65,530 unless set), and one that runs out gets ENOMEM from
// every mmap(), thread stack and malloc arena: that would end the VM. A 4K framebuffer in single 4 KiB pages
// takes 8,100. Views together take at most half; past that, a view is a copy.

#ifndef VRAMLINK_HW_VIEW_MAP_BUDGET_HPP
#define VRAMLINK_HW_VIEW_MAP_BUDGET_HPP

#include "vramlink/budget.hpp"

#include <cstdint>

namespace vramlink {

/// vm.max_map_count of this host, now; Linux's default when it cannot be read.
[[nodiscard]] uint64_t max_map_count();

/// The one budget of this process: half of what max_map_count() said at first use.
[[nodiscard]] Budget &process_map_budget();

} // namespace vramlink

#endif
