// SPDX-License-Identifier: GPL-2.0-or-later
//
// Output: one console of the VM on one screen: what QEMU sends, the screen's size back, keys and pointer.
//
// Each output has its own pace, imports and listener; the connection to QEMU's objects is shared. A listener
// that QEMU has cut off while it lives (it did not want to wait for us any longer) registers again by itself.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_OUTPUT_HPP
#define VRAMLINK_TOOLS_VIEWER_OUTPUT_HPP

#include "tools/viewer/display_client.hpp"
#include "tools/viewer/display_connection.hpp"
#include "tools/viewer/presenter.hpp"
#include "tools/viewer/screen.hpp"

#include <functional>
#include <memory>
#include <string>

namespace vramlink {

class Output {
  public:
    struct Owner {
        /// Nothing comes any more, and nothing of QEMU's is held. The output may be joined again.
        std::function<void(const std::string &)> lost;
        std::function<void()> closed;   ///< by the user. Not a place to destroy the output
        std::function<void()> unusable; ///< as Presenter::on_unusable
        std::function<void()> needed;   ///< as GuestInput::on_needed
        bool plugs_in = true;           ///< the guest is told of the screen; otherwise it never hears of us
    };
    /// @p connection must outlive it.
    Output(unsigned console, std::unique_ptr<Screen> screen, const DisplayConnection &connection,
           Owner owner);
    Output(const Output &) = delete;
    Output &operator=(const Output &) = delete;
    ~Output();

    /// Registers with QEMU; the connection is up. @p info: of this console.
    void join(const ConsoleInfo &info);
    /// QEMU has taken another client meanwhile; keys and pointer go over the new connection.
    void follow() { client_.follow(connection_); }
    /// The VM goes on without this screen: the guest sees its monitor unplugged.
    void unplug() { client_.unplug(); }
    /// Ends the listener; shows the neutral frame and lets go of everything.
    void leave();

    [[nodiscard]] unsigned console() const { return console_; }
    [[nodiscard]] const std::string &label() const { return label_; }
    [[nodiscard]] bool has_joined() const { return client_.has_joined(); }
    /// Registers now, or will after it was cut off.
    [[nodiscard]] bool is_joining() const { return waiting_ || client_.is_joining(); }
    [[nodiscard]] Presenter &presenter() { return presenter_; }
    [[nodiscard]] const Presenter &presenter() const { return presenter_; }
    [[nodiscard]] Screen &screen() { return *screen_; }

  private:
    void lost(const std::string &reason);
    void tell_size(const ScreenSize &size);

    unsigned console_;
    std::string label_;
    bool first_head_ = true; ///< of its device, which is plugged in from the start
    bool waiting_ = false;
    const DisplayConnection &connection_;
    Owner owner_;
    std::unique_ptr<Screen> screen_;
    Presenter presenter_;
    DisplayClient client_;
    Timer again_;
};

} // namespace vramlink

#endif
