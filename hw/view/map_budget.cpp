// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/map_budget.hpp"

#include <fstream>

namespace vramlink {

uint64_t max_map_count()
{
    constexpr uint64_t linux_default = 65530;
    std::ifstream file("/proc/sys/vm/max_map_count");
    uint64_t count = 0;
    return file >> count ? count : linux_default;
}

Budget &process_map_budget()
{
    static Budget budget(max_map_count() / 2);
    return budget;
}

} // namespace vramlink
