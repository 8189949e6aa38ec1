// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/crtc_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace vramlink {
namespace {

/// A largest matching of connectors and CRTCs: a connector takes a CRTC whose user can move to another one.
class Matching {
  public:
    Matching(const std::vector<ConnectorInfo> &connectors, const std::set<uint32_t> &taken)
        : connectors_(connectors), taken_(taken)
    {
    }

    bool add(size_t connector)
    {
        std::set<uint32_t> seen = taken_;
        return place(connector, seen);
    }
    [[nodiscard]] uint32_t crtc_of(size_t connector) const
    {
        const auto found =
            std::ranges::find_if(user_, [&](const auto &entry) { return entry.second == connector; });
        return found == user_.end() ? 0 : found->first;
    }

  private:
    /// @p seen: CRTCs that are not tried any more.
    bool place(size_t connector, std::set<uint32_t> &seen)
    {
        const ConnectorInfo &info = connectors_[connector];
        std::vector<uint32_t> choice = info.possible_crtcs;
        std::ranges::stable_partition(choice, [&](uint32_t crtc) { return crtc == info.current_crtc; });
        for (const uint32_t crtc : choice) {
            if (!seen.insert(crtc).second)
                continue;
            const auto user = user_.find(crtc);
            if (user != user_.end() && !place(user->second, seen))
                continue;
            user_[crtc] = connector;
            return true;
        }
        return false;
    }

    const std::vector<ConnectorInfo> &connectors_;
    const std::set<uint32_t> &taken_;
    std::map<uint32_t, size_t> user_; ///< CRTC to connector
};

} // namespace

bool is_usable(const ConnectorInfo &connector)
{
    return connector.connected && !connector.modes.empty();
}

Result<std::vector<ConnectorInfo>> choose_connectors(const std::vector<ConnectorInfo> &connectors,
                                                     const std::set<uint32_t> &taken)
{
    size_t connected = 0;
    Matching matching(connectors, taken);
    for (size_t i = 0; i < connectors.size(); i++) {
        connected += connectors[i].connected;
        if (is_usable(connectors[i]))
            (void)matching.add(i);
    }
    std::vector<ConnectorInfo> chosen;
    for (size_t i = 0; i < connectors.size(); i++) {
        const uint32_t crtc = matching.crtc_of(i);
        if (!crtc)
            continue;
        chosen.push_back(connectors[i]);
        chosen.back().current_crtc = crtc;
    }
    if (!chosen.empty())
        return chosen;
    return fail(ENODEV,
                fmt::format("no usable screen: {} connectors, {} connected, none with a mode and a CRTC",
                            connectors.size(), connected));
}

} // namespace vramlink
