// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/region_registry.hpp"

#include "vramlink/checked.hpp"

#include <fmt/format.h>

namespace vramlink {
namespace {

RegionKind kind_of(const vrl_region &region)
{
    switch (region.kind) {
    case VRL_REGION_VFIO_BAR:
        return RegionKind::VfioBar;
    case VRL_REGION_SHARED_RAM:
        return region.fd >= 0 ? RegionKind::SharedRam : RegionKind::PrivateRam;
    case VRL_REGION_PRIVATE_RAM:
        break;
    }
    return RegionKind::PrivateRam;
}

std::string name_of(const vrl_region &region)
{
    return region.name != nullptr ? region.name : fmt::format("region {}", region.id);
}

Answer<void> check(const vrl_region &region)
{
    if (region.id == 0)
        return reject(VRL_LOG_HOST, fmt::format("{} has the region id 0", name_of(region)));
    if (!checked_add(region.map_offset, region.size))
        return reject(VRL_LOG_HOST, fmt::format("{}: {:#x} bytes at {:#x} of its file pass 64 bits",
                                                name_of(region), region.size, region.map_offset));
    const bool readable = kind_of(region) == RegionKind::PrivateRam ? region.host != nullptr : region.fd >= 0;
    if (!readable)
        return reject(VRL_LOG_HOST, fmt::format("{} is not readable memory: it has neither a file descriptor "
                                                "nor a mapping",
                                                name_of(region)));
    return {};
}

} // namespace

Answer<std::shared_ptr<const Region>> RegionRegistry::intern(const vrl_region &region)
{
    const auto known = regions_.find(region.id);
    if (known != regions_.end())
        if (auto alive = known->second.lock())
            return alive;
    if (auto checked = check(region); !checked)
        return std::unexpected(std::move(checked.error()));
    const RegionKind kind = kind_of(region);
    auto made = std::make_shared<const Region>(Region{
        .id = region.id,
        .kind = kind,
        .fd = kind == RegionKind::PrivateRam ? -1 : region.fd,
        .index = region.index,
        .size = region.size,
        .map_offset = region.map_offset,
        .host = kind == RegionKind::VfioBar ? nullptr : static_cast<std::byte *>(region.host),
        .name = name_of(region),
    });
    drop_unused();
    regions_[region.id] = made;
    return made;
}

bool RegionRegistry::in_use(uint64_t id) const noexcept
{
    const auto known = regions_.find(id);
    return known != regions_.end() && !known->second.expired();
}

void RegionRegistry::drop_unused()
{
    std::erase_if(regions_, [](const auto &entry) { return entry.second.expired(); });
}

} // namespace vramlink
