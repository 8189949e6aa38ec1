// SPDX-License-Identifier: GPL-2.0-or-later
//
// ViewBudgets: who pays for views, borrowed. ViewCharge: what one view costs.

#ifndef VRAMLINK_HW_VIEW_VIEW_BUDGETS_HPP
#define VRAMLINK_HW_VIEW_VIEW_BUDGETS_HPP

#include "vramlink/budget.hpp"
#include "vramlink/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

namespace vramlink {

struct ViewCharge {
    Charge mappings{}, address_space{}, host_memory{};
};

struct ViewBudgets {
    Budget &mappings;
    Budget &address_space; ///< bytes
    Budget &host_memory;   ///< bytes

    struct Cost {
        uint64_t mappings;
        uint64_t address_space;
        uint64_t host_memory = 0;
    };
    /// ENOSPC names the limit that @p what is over.
    [[nodiscard]] Result<ViewCharge> take(std::string_view what, const Cost &cost) const
    {
        auto maps = mappings.take(cost.mappings);
        if (!maps)
            return fail(ENOSPC, fmt::format("{} of {} mappings is {}", what, cost.mappings, mappings.over()));
        auto space = address_space.take(cost.address_space);
        if (!space)
            return fail(ENOSPC, fmt::format("{} of {} bytes of address space is {}", what, cost.address_space,
                                            address_space.over()));
        auto memory = host_memory.take(cost.host_memory);
        if (!memory)
            return fail(ENOSPC,
                        fmt::format("{} of {} bytes is {}", what, cost.host_memory, host_memory.over()));
        return ViewCharge{std::move(*maps), std::move(*space), std::move(*memory)};
    }
};

} // namespace vramlink

#endif
