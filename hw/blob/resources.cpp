// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/resources.hpp"

namespace vramlink {

Host this_host()
{
    static const Clock clock;
    return {kernel_calls(), process_budgets(), clock};
}

Account::Account(ProcessBudgets &process, const vrl_limits &limits)
    : descriptors(std::make_shared<Budget>(Budget::unlimited, "", &process.descriptors)),
      mappings(std::make_shared<Budget>(Budget::unlimited, "", &process.mappings)),
      address_space(std::make_shared<Budget>(Budget::unlimited, "", &process.address_space)),
      host_memory(std::make_shared<Budget>(limits.max_bytes_copied, "the device's limit on host memory",
                                           &process.host_memory)),
      pinned(std::make_shared<Budget>(Budget::unlimited, "", &process.pinned))
{
    if (limits.max_bytes_pinned != 0)
        process.pinned.set_limit(limits.max_bytes_pinned);
}

} // namespace vramlink
