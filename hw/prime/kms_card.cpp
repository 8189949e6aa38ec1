// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/kms_card.hpp"

#include "hw/prime/crtc_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace vramlink {

Result<std::unique_ptr<KmsCard>> KmsCard::open(DrmDevice &device)
{
    std::unique_ptr<KmsCard> card(new KmsCard(device));
    const auto there = card->connectors();
    if (!there)
        return std::unexpected(there.error());
    const auto chosen = choose_connectors(*there);
    if (!chosen)
        return fail(chosen.error().code, fmt::format("{}: {}", device.path(), chosen.error().text));
    if (const auto lit = card->light(*chosen); !lit && card->outputs_.empty())
        return std::unexpected(lit.error());
    return card;
}

Result<std::vector<ConnectorInfo>> KmsCard::connectors()
{
    std::vector<ConnectorInfo> connectors;
    if (const int r = device_.api().get_connectors(device_.fd(), &connectors); r < 0)
        return fail(-r, fmt::format("{} has no mode setting: {}", device_.path(), std::strerror(-r)));
    return connectors;
}

Result<void> KmsCard::light(const std::vector<ConnectorInfo> &chosen)
{
    Result<void> all;
    for (const ConnectorInfo &connector : chosen) {
        auto output = KmsOutput::open(device_, connector);
        if (output)
            outputs_.push_back(std::move(*output));
        else if (all)
            all = std::unexpected(output.error());
    }
    return all;
}

Result<std::vector<KmsOutput *>> KmsCard::read_events()
{
    flipped_.clear();
    if (const int r = device_.api().read_flip_events(device_.fd(), &flipped_); r < 0)
        return fail(-r, fmt::format("reading events of {}: {}", device_.path(), std::strerror(-r)));
    std::vector<KmsOutput *> ended;
    for (const uint64_t cookie : flipped_) {
        const auto whose =
            std::ranges::find_if(outputs_, [&](auto &output) { return output->flip_ended(cookie); });
        if (whose != outputs_.end())
            ended.push_back(whose->get());
    }
    return ended;
}

void KmsCard::sleep()
{
    asleep_ = true;
    for (const auto &output : outputs_)
        output->sleep();
}

Result<void> KmsCard::wake()
{
    asleep_ = false;
    Result<void> all;
    for (const auto &output : outputs_) {
        if (const auto lit = output->wake(); !lit && all)
            all = lit;
    }
    return all;
}

Result<void> KmsCard::rescan()
{
    if (asleep_)
        return {};
    auto there = connectors();
    if (!there)
        return std::unexpected(there.error());
    Result<void> all;
    const auto replug = [&](KmsOutput &output, const ConnectorInfo &now) {
        if (const auto shown = output.replug(now); !shown && all)
            all = shown;
    };
    std::set<uint32_t> taken;
    std::vector<KmsOutput *> orphans; // DisplayPort: a branch device was unplugged with its connectors
    for (const auto &output : outputs_) {
        taken.insert(output->crtc());
        const auto now = std::ranges::find(*there, output->connector().id, &ConnectorInfo::id);
        if (now == there->end()) {
            ConnectorInfo gone = output->connector();
            gone.connected = false;
            replug(*output, gone);
            orphans.push_back(output.get());
            continue;
        }
        replug(*output, *now);
        there->erase(now);
    }
    for (KmsOutput *orphan : orphans) {
        const auto heir = std::ranges::find_if(*there, [&](const ConnectorInfo &connector) {
            return is_usable(connector) && std::ranges::count(connector.possible_crtcs, orphan->crtc()) > 0;
        });
        if (heir == there->end())
            continue;
        replug(*orphan, *heir);
        there->erase(heir);
    }
    const auto chosen = choose_connectors(*there, taken);
    if (!chosen) // nothing new
        return all;
    const auto lit = light(*chosen);
    return all ? lit : all;
}

} // namespace vramlink
