// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/process_budgets.hpp"

#include "vramlink/blob_table.h"
#include "vramlink/page.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <system_error>

namespace vramlink {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t share_of_files = 2;
constexpr uint64_t share_of_mappings = 2;
constexpr uint64_t share_of_address_space = 4;
constexpr uint64_t share_of_memory = 8;
constexpr uint64_t most_address_space = 16ULL << 40;

/// The first number of a file; @p otherwise when there is none.
uint64_t number_in(const fs::path &path, uint64_t otherwise)
{
    std::ifstream file(path);
    uint64_t number = 0;
    return file >> number ? number : otherwise;
}

/// The control group's path; empty when it is not told or lies outside of what this process sees.
fs::path group_in(const fs::path &membership)
{
    constexpr std::string_view version_2 = "0::/";
    std::ifstream file(membership);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(version_2))
            continue;
        const fs::path group = line.substr(version_2.size());
        const bool outside = std::find(group.begin(), group.end(), "..") != group.end();
        return outside ? fs::path() : group;
    }
    return {};
}

uint64_t physical_memory()
{
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    return pages > 0 ? static_cast<uint64_t>(pages) * page_size() : Budget::unlimited;
}

} // namespace

Limit descriptor_limit()
{
    constexpr rlim_t usual = 1024;
    rlimit limit{usual, usual};
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
    return {limit.rlim_cur / share_of_files, "half of RLIMIT_NOFILE"};
}

Limit mapping_limit(const fs::path &max_map_count)
{
    constexpr uint64_t linux_default = 65530;
    return {number_in(max_map_count, linux_default) / share_of_mappings, "half of vm.max_map_count"};
}

Limit address_space_limit()
{
    rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
    (void)::getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        return {most_address_space, "the limit on address space for views"};
    const uint64_t used = number_in("/proc/self/statm", 0) * page_size();
    const uint64_t part =
        (limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, used)) / share_of_address_space;
    return {std::min(part, most_address_space), "a quarter of what RLIMIT_AS leaves"};
}

uint64_t smallest_memory_max(const fs::path &membership, const fs::path &hierarchy)
{
    uint64_t smallest = Budget::unlimited; // "max" is no number
    for (fs::path group = group_in(membership);; group = group.parent_path()) {
        smallest = std::min(smallest, number_in(hierarchy / group / "memory.max", Budget::unlimited));
        if (group.empty())
            return smallest;
    }
}

Limit host_memory_limit(uint64_t ram, uint64_t control_group)
{
    Limit limit{VRL_DEFAULT_MAX_BYTES_COPIED, "the limit on host memory for copies"};
    if (ram / share_of_memory < limit.value)
        limit = {ram / share_of_memory, "an eighth of the machine's memory"};
    if (control_group / share_of_memory < limit.value)
        limit = {control_group / share_of_memory, "an eighth of the control group's memory.max"};
    return limit;
}

ProcessBudgets::ProcessBudgets(const ProcessLimits &limits)
    : descriptors(limits.descriptors.value, limits.descriptors.from),
      mappings(limits.mappings.value, limits.mappings.from),
      address_space(limits.address_space.value, limits.address_space.from),
      host_memory(limits.host_memory.value, limits.host_memory.from),
      pinned(Budget::unlimited, "the guest's RAM")
{
}

ProcessBudgets &process_budgets()
{
    static ProcessBudgets budgets(ProcessLimits{
        .descriptors = descriptor_limit(),
        .mappings = mapping_limit("/proc/sys/vm/max_map_count"),
        .address_space = address_space_limit(),
        .host_memory =
            host_memory_limit(physical_memory(), smallest_memory_max("/proc/self/cgroup", "/sys/fs/cgroup")),
    });
    return budgets;
}

} // namespace vramlink
