// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable, the part that migration calls: blobs as they travel to another host, and made again there.

#include "hw/blob/blob_table.hpp"

#include <utility>
#include <vector>

namespace vramlink {

void BlobTable::save(Save take, void *opaque) const
{
    for (const auto &[id, blob] : blobs_) {
        const bool travels = blob.backing && !blob.backing->in_vfio();
        const auto entries = travels ? blob.addresses.entries() : std::vector<vrl_entry>();
        const vrl_saved_blob saved{
            .id = id,
            .size = blob.facts.size,
            .revoked = blob.facts.state == State::Revoked,
            .entries = entries.data(),
            .nr_entries = static_cast<uint32_t>(entries.size()),
        };
        take(opaque, &saved);
    }
}

vrl_status BlobTable::restore(const vrl_saved_blob &saved)
{
    if (saved.nr_entries != 0)
        return create(saved.id, saved.size, {saved.entries, saved.nr_entries});
    if (auto checked = check_new(saved.id, saved.size); !checked)
        return say(saved.id, checked.error());
    Blob blob;
    blob.facts.id = saved.id;
    blob.facts.size = saved.size;
    blob.facts.state = saved.revoked ? State::Revoked : State::Unbacked;
    if (saved.revoked)
        blob.facts.revoked = "the memory went away before the guest came to this host";
    add(saved.id, std::move(blob));
    return VRL_OK;
}

} // namespace vramlink
