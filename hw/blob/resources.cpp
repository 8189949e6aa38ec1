// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/resources.hpp"

#include "hw/view/map_budget.hpp"

#include <sys/resource.h>

namespace vramlink {
namespace {

uint64_t half_of_open_files()
{
    constexpr rlim_t usual = 1024;
    rlimit limit{usual, usual};
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur / 2;
}

} // namespace

Host this_host()
{
    static const Clock clock;
    return {kernel_calls(), process_map_budget(), clock, half_of_open_files()};
}

} // namespace vramlink
