// SPDX-License-Identifier: GPL-2.0-or-later
//
// Presenter: puts what QEMU sends on a Screen. dma-bufs are imported and shown; pixels are copied into a
// canvas of the screen, and counted. When QEMU says Disable, or leaves, the neutral frame is shown first, and
// then everything that was the guest's is let go of. A still (a dma-buf with the plugin's name for one)
// stands for a buffer that the guest moves: every other buffer is let go of, the one on the screen when the
// still's flip ends ("flip" is whatever makes the screen show another frame).
//
// Thread: the default main context.

#ifndef VRAMLINK_TOOLS_VIEWER_PRESENTER_HPP
#define VRAMLINK_TOOLS_VIEWER_PRESENTER_HPP

#include "hw/prime/frame_queue.hpp"
#include "tools/viewer/display_sink.hpp"
#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/mapped_dmabuf.hpp"
#include "tools/viewer/screen.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vramlink {

class Presenter final : public DisplaySink {
  public:
    enum class Showing { neutral, pixels, dmabuf };
    struct Counters {
        uint64_t frames_flipped = 0; ///< completed flips and mode sets that show a frame of the guest
        uint64_t flips_failed = 0;
        uint64_t updates = 0;
        uint64_t bytes_copied = 0;
        uint64_t stills = 0;      ///< last frames of buffers that the guest moves
        uint64_t revocations = 0; ///< Disable calls that took a picture away
    };

    /// @p screen must outlive the presenter. @p on_disconnect: called after everything has been let go of.
    Presenter(Screen &screen, std::function<void(const std::string &)> on_disconnect);

    void scanout(const Pixels &frame) override;
    void update(uint32_t x, uint32_t y, const Pixels &pixels) override;
    void scanout_dmabuf(DmabufFrame frame) override;
    void update_dmabuf(const Rect &damage, Completion done) override;
    void disable() override;
    void cursor(const CursorImage &image) override { screen_.cursor(image); }
    void cursor_at(const CursorPlace &place) override { screen_.cursor_at(place); }
    void connected() override;
    void disconnected(const std::string &reason) override;

    /// Copy dma-bufs that the screen refuses, instead of showing nothing. Off at first.
    void allow_copy(bool allowed) { allow_copy_ = allowed; }
    /// A dma-buf can be neither shown nor copied: somebody may ask its sender for another one. Called from
    /// the main loop, once for each connection.
    std::function<void()> on_unusable = [] {};
    /// We end the connection ourselves: shows the neutral frame and lets go of everything.
    void leave();

    [[nodiscard]] const Counters &counters() const { return counters_; }
    [[nodiscard]] const Screen &screen() const { return screen_; }
    [[nodiscard]] bool is_connected() const { return connected_; }
    [[nodiscard]] unsigned times_connected() const { return times_connected_; }
    [[nodiscard]] Showing showing() const { return showing_; }

  private:
    void show_frame(DmabufFrame frame);
    void show_copy_of_still(UniqueFd fd, const FrameLayout &layout, const std::string &why);
    void overdue();
    void pump();
    void add_damage(const Rect &damage);
    bool resize_pixels(uint32_t width, uint32_t height);
    bool grow_pixels(uint32_t x, uint32_t y, const Pixels &pixels);
    void copy_instead(DmabufFrame frame, const std::string &why);
    bool copy_refused(const FrameRef &frame, const Error &why);
    void copy_mapped();
    void frame_is_visible();
    void frame_failed(const std::string &reason);
    void say_once(const std::string &sentence);
    void show_nothing();
    void let_go();

    Screen &screen_;
    std::function<void(const std::string &)> on_disconnect_;
    FrameQueue queue_;
    std::optional<Rect> damage_;           ///< since the last frame that was shown; empty: everything
    std::unique_ptr<Canvas> pixels_;       ///< the frame of the last scanout() with pixels
    std::unique_ptr<MappedDmabuf> mapped_; ///< the frame of the last scanout_dmabuf(), if it has to be copied
    /// The last scanout_dmabuf() until its update. It outlives a disable() in between as a mere descriptor,
    /// which holds nothing up in the kernel: QEMU's own virtio-gpu says Disable for the previous buffer right
    /// after it has announced the next one.
    std::optional<DmabufFrame> announced_;
    /// The frame that goes to the screen for the first time, until it is there: the kernel may refuse it.
    std::optional<DmabufFrame> unproven_;
    Counters counters_;
    Showing showing_ = Showing::neutral;
    bool allow_copy_ = false;
    bool connected_ = false;
    unsigned times_connected_ = 0;
    bool said_bottom_up_ = false;
    std::string last_failure_; ///< not to say the same sentence sixty times a second
    std::string
        unusable_why_; ///< on this connection a dma-buf could not be shown nor copied; stays in the note
    Timer update_overdue_, flip_overdue_, unusable_;
};

} // namespace vramlink

#endif
