// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/plan.hpp"

#include "hw/view/cpu_view.hpp"
#include "vramlink/checked.hpp"
#include "vramlink/page.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vramlink {
namespace {

/// What matters of the shape of a blob's memory.
struct Shape {
    bool starts_aligned = true; ///< every extent starts at a page, and all but the last end at one
    bool tail_aligned = true;   ///< the last one ends at a page
    uint64_t odd_offset = 0;    ///< of the first extent that breaks starts_aligned
    const Region *odd_region = nullptr;
    bool one_region = true;
    bool all_vfio = true;
    bool all_shared_ram = true;
    bool all_have_fd = true;
    bool direct = false;
};

void look_at_regions(const ExtentList &memory, Shape &shape)
{
    const auto regions = memory.regions();
    const auto all = [&](RegionKind kind) {
        return std::all_of(regions.begin(), regions.end(), [kind](const auto &r) { return r->kind == kind; });
    };
    shape.one_region = regions.size() == 1;
    shape.all_vfio = all(RegionKind::VfioBar);
    shape.all_shared_ram = all(RegionKind::SharedRam);
    shape.all_have_fd = std::all_of(regions.begin(), regions.end(), [](const auto &r) { return r->fd >= 0; });
    const Extent first = memory.extents()[0];
    shape.direct = memory.extents().size() == 1 && regions[0]->host != nullptr &&
                   fits(first.offset + first.length, view_slack, regions[0]->size);
}

/// In a BAR, what counts is the offset in the BAR; in a file, the offset in the file.
uint64_t aligned_offset(const Region &region, const Extent &extent)
{
    return region.kind == RegionKind::SharedRam ? region.map_offset + extent.offset : extent.offset;
}

/// In a file, the region's own place counts, too.
bool surely_aligned(const ExtentList &memory)
{
    const auto regions = memory.regions();
    return memory.surely_aligned(page_size()) &&
           std::all_of(regions.begin(), regions.end(), [](const auto &r) {
               return r->kind != RegionKind::SharedRam || page_aligned(r->map_offset);
           });
}

void look_at_extents(const ExtentList &memory, Shape &shape)
{
    if (surely_aligned(memory))
        return;
    size_t left = memory.extents().size();
    for (const Extent extent : memory.extents()) {
        const Region &region = memory.region_of(extent);
        const bool last = --left == 0;
        const bool ends_aligned = page_aligned(extent.length);
        if (last)
            shape.tail_aligned = ends_aligned;
        if (page_aligned(aligned_offset(region, extent)) && (last || ends_aligned))
            continue;
        shape.starts_aligned = false;
        shape.odd_offset = extent.offset;
        shape.odd_region = &region;
        return;
    }
}

Shape look_at(const ExtentList &memory)
{
    Shape shape;
    look_at_regions(memory, shape);
    look_at_extents(memory, shape);
    return shape;
}

void append_region_names(std::string &to, const ExtentList &memory)
{
    constexpr size_t shown = 4;
    const auto regions = memory.regions();
    for (size_t i = 0; i < regions.size() && i < shown; ++i) {
        if (i > 0)
            to += ", ";
        to += regions[i]->name;
    }
    if (regions.size() > shown)
        to += ", ...";
}

std::string region_names(const ExtentList &memory)
{
    std::string names;
    append_region_names(names, memory);
    return names;
}

/// In one piece of memory and without a format to parse: each framebuffer that a guest creates comes here.
std::string why_shared(const ExtentList &memory)
{
    constexpr size_t usual = 95;
    std::string why;
    why.reserve(usual);
    why += std::to_string(memory.extents().size());
    why += " ranges of ";
    append_region_names(why, memory);
    why += " in one dma-buf";
    return why;
}

/// Why no exporter takes it.
std::string why_unshared(const ExtentList &memory, const Shape &shape)
{
    if (!shape.starts_aligned)
        return fmt::format("the piece at {:#x} of {} is not page aligned", shape.odd_offset,
                           shape.odd_region->name);
    if (!shape.tail_aligned)
        return fmt::format("the backing ends inside a page, after {} bytes", memory.length());
    if (shape.all_vfio && !shape.one_region)
        return fmt::format("the pieces lie in several BARs ({}), and the kernel exports from one",
                           region_names(memory));
    if (shape.one_region)
        return fmt::format("{} is private to the VMM; memory-backend-memfd,share=on would make it shareable",
                           region_names(memory));
    return fmt::format("the pieces lie in memory of several kinds ({}), and no exporter takes that",
                       region_names(memory));
}

ShareBy choose_share(const Shape &shape)
{
    if (!shape.starts_aligned || !shape.tail_aligned)
        return ShareBy::None;
    if (shape.all_vfio && shape.one_region)
        return ShareBy::Vfio;
    return shape.all_shared_ram ? ShareBy::Udmabuf : ShareBy::None;
}

ViewBy choose_view(const Shape &shape)
{
    if (shape.direct)
        return ViewBy::Direct;
    return shape.starts_aligned && shape.all_have_fd ? ViewBy::Mapped : ViewBy::Copied;
}

} // namespace

PlanChoice choose_plan(const ExtentList &memory)
{
    const Shape shape = look_at(memory);
    PlanChoice choice{choose_share(shape), choose_view(shape), {}};
    choice.reason = choice.share == ShareBy::None ? why_unshared(memory, shape) : why_shared(memory);
    return choice;
}

const char *plan_name(vrl_plan plan) noexcept
{
    switch (plan) {
    case VRL_PLAN_SHARED:
        return "shared";
    case VRL_PLAN_MAPPED:
        return "mapped";
    case VRL_PLAN_COPIED:
        return "copied";
    case VRL_PLAN_REJECTED:
        return "rejected";
    case VRL_PLAN_NONE:
        break;
    }
    return "none";
}

} // namespace vramlink
