// SPDX-License-Identifier: GPL-2.0-or-later
//
// WaylandClipboard: the selection of the first seat as a HostClipboard (wl_data_device).
//
// A compositor tells who owns the selection to the client that has the keyboard, and lets a client own it
// that can show the serial of something that the user did. What the guest offers before that waits for the
// next key, click or focus. Drag and drop is not taken.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_CLIPBOARD_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_CLIPBOARD_HPP

#include "tools/viewer/host_clipboard.hpp"
#include "tools/viewer/wayland/connection.hpp"

#include <map>
#include <memory>
#include <string>

namespace vramlink {

class WaylandClipboard final : public HostClipboard {
  public:
    /// Null where the compositor has no seat or no wl_data_device_manager. @p connection must outlive it.
    static std::unique_ptr<WaylandClipboard> open(WaylandConnection &connection);
    ~WaylandClipboard() override;

    void offer(bool has_text) override;
    void read(Text done) override;

  private:
    struct Events; ///< the listeners
    struct Offer {
        WlPtr<wl_data_offer> object;
        std::string mime; ///< the best of its types that is text; empty: none
        bool ours = false;
    };
    WaylandClipboard(WaylandConnection &connection, WlPtr<wl_seat> seat);
    void own_selection();
    void selected(wl_data_offer *offer);

    WaylandConnection &connection_;
    WlPtr<wl_seat> seat_;
    WlPtr<wl_data_device> device_;
    WlPtr<wl_data_source> source_;
    std::map<wl_data_offer *, Offer> introduced_; ///< not the selection yet, or never
    Offer selection_;
    std::string own_mime_; ///< by which our own offer is known
    bool waits_ = false;   ///< for a serial
};

} // namespace vramlink

#endif
