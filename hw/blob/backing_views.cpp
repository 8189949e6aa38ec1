// SPDX-License-Identifier: GPL-2.0-or-later
//
// Backing, the half that the CPU sees: views of the pages that somebody asked for.

#include "hw/blob/backing.hpp"
#include "hw/view/copied_view.hpp"
#include "hw/view/mapped_view.hpp"
#include "vramlink/page.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vramlink {

Result<std::unique_ptr<CpuView>> Backing::make_view(const BlobRange &wanted, Facts &facts)
{
    if (choice_.view == ViewBy::Direct) {
        const Extent extent = memory_.extents()[0];
        facts.view = "direct";
        return std::make_unique<DirectView>(memory_.region_of(extent).host + extent.offset, size_);
    }
    const ViewBudgets budgets = resources_.account.for_views();
    std::string failure;
    if (choice_.view == ViewBy::Mapped) {
        auto mapped = MappedView::make(memory_, wanted, budgets);
        if (mapped) {
            facts.view = "mapped";
            return mapped;
        }
        failure = std::move(mapped.error().text);
    }
    const BlobRange pages{page_down(wanted.first), std::min(page_up(wanted.end), size_)};
    auto copied = CopiedView::make(memory_, pages, budgets);
    if (!copied) {
        copied.error().text = failure.empty() ? copied.error().text : failure + "; " + copied.error().text;
        return copied;
    }
    facts.view = "copied";
    if (!shared_ && !failure.empty()) {
        facts.plan = VRL_PLAN_COPIED;
        facts.reason = std::move(failure);
        resources_.notes.plan(facts);
    }
    return copied;
}

CpuView *Backing::existing_view(const BlobRange &wanted) const noexcept
{
    const auto found = std::find_if(views_.begin(), views_.end(),
                                    [&](const auto &view) { return view->range().covers(wanted); });
    return found != views_.end() ? found->get() : nullptr;
}

Result<CpuView *> Backing::view(const BlobRange &wanted, Facts &facts)
{
    if (CpuView *known = existing_view(wanted))
        return known;
    const bool last = views_.size() + 1 >= VRL_MAX_VIEWS;
    Views one(1);
    auto made = make_view(last ? BlobRange{0, size_} : wanted, facts);
    if (!made)
        return std::unexpected(std::move(made.error()));
    one.front() = std::move(*made);
    views_.splice(views_.end(), one);
    ++resources_.counters.views;
    return views_.back().get();
}

uint64_t Backing::gather(uint64_t offset, uint64_t length) noexcept
{
    uint64_t copied = 0;
    for (const auto &view : views_)
        copied += view->gather(offset, length);
    return copied;
}

bool Backing::has_copy() const noexcept
{
    return std::any_of(views_.begin(), views_.end(), [](const auto &view) { return view->is_copy(); });
}

bool Backing::has_lost_view() const noexcept
{
    return std::any_of(views_.begin(), views_.end(), [](const auto &view) { return view->lost(); });
}

void Backing::retire_views(Views &to) noexcept
{
    for (const auto &view : views_)
        view->retire();
    to.splice(to.end(), views_);
}

} // namespace vramlink
