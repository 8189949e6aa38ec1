// SPDX-License-Identifier: GPL-2.0-or-later
//
// Screen: where the Presenter puts frames. A KMS output, or a window of a Wayland compositor.
//
// A screen shows one frame at a time. It imports dma-bufs, lends canvases for pixels, and says when the frame
// that show() was given is visible. It has a neutral frame of its own, which takes no memory of the guest.
//
// Thread: the default main context, for calls and callbacks alike.

#ifndef VRAMLINK_TOOLS_VIEWER_SCREEN_HPP
#define VRAMLINK_TOOLS_VIEWER_SCREEN_HPP

#include "hw/prime/import_cache.hpp"
#include "tools/viewer/display_sink.hpp"
#include "tools/viewer/input_sink.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vramlink {

struct ScreenSize {
    uint32_t width = 0, height = 0;       ///< pixels; 0: the guest is to choose
    uint32_t width_mm = 0, height_mm = 0; ///< 0: not known
    bool operator==(const ScreenSize &) const = default;
};

class Screen {
  public:
    Screen() = default;
    Screen(const Screen &) = delete;
    Screen &operator=(const Screen &) = delete;
    virtual ~Screen() = default;

    /// The frames that this screen shows out of dma-bufs.
    virtual ImportCache &importer() = 0;
    [[nodiscard]] virtual const ImportCache &importer() const = 0;
    /// A black canvas, sides as in max_frame_side.
    virtual Result<std::unique_ptr<Canvas>> make_canvas(uint32_t width, uint32_t height) = 0;

    enum class Shown {
        now,    ///< the frame is visible
        pending ///< on_visible() follows
    };
    /// Shows @p frame, which the importer or make_canvas() of this screen has made and which must stay alive
    /// while it is shown or pending. @p damage: what has changed since the last frame; empty: everything. On
    /// an error the screen shows what it showed before.
    virtual Result<Shown> show(const FrameRef &frame, const Rect &damage) = 0;

    /// Shows the neutral frame and forgets a pending one. After it has returned nothing of an earlier frame
    /// is looked at, as far as that is ours to say.
    virtual Result<void> show_neutral() = 0;
    /// Every frame has been dropped: returns when whoever shows them has heard of it, within a bounded time.
    virtual void settle() {}

    /// How long a pending frame may take, in microseconds.
    [[nodiscard]] virtual int64_t patience_us() const = 0;
    /// That time is over. An error: the frame is lost. Otherwise it counts as shown. on_visible() does not
    /// follow any more.
    virtual Result<void> give_up() = 0;

    /// Where keys and the pointer go; null: nowhere. Must outlive the screen or be taken back.
    virtual void set_input(InputSink *input) { (void)input; }
    /// The guest's pointer, where this screen shows one.
    virtual void cursor(const CursorImage &image) { (void)image; }
    virtual void cursor_at(const CursorPlace &place) { (void)place; }

    /// What the VM and this output of it are called.
    virtual void set_title(const std::string &title) { (void)title; }
    /// Why the guest's picture is not shown as it should be, in one sentence; empty: it is.
    virtual void note(const std::string &why) { (void)why; }

    /// False: nobody sees it, for its monitor was unplugged. It goes on for the day when it is back.
    [[nodiscard]] virtual bool has_monitor() const { return true; }
    [[nodiscard]] virtual ScreenSize size() const = 0;
    [[nodiscard]] virtual std::string describe() const = 0;
    /// Adds what only this kind of screen counts.
    virtual void add_stats(nlohmann::json &stats) const = 0;
    /// Listens for events on the default main context from now on. @p gone: the screen cannot be used any
    /// more; the sentence says why.
    virtual void listen(std::function<void(const std::string &)> gone) = 0;

    std::function<void()> on_visible = [] {}; ///< the pending frame is
    std::function<void()> on_closed = [] {};  ///< the user has closed the window
    /// The user wants to see the output of this number, from 1 on.
    std::function<void(unsigned)> on_output_asked = [](unsigned) {};
    /// The statistics of what is shown here, for an overlay.
    std::function<std::vector<std::string>()> overlay_content = [] { return std::vector<std::string>(); };
    std::function<void(const ScreenSize &)> on_resized = [](const ScreenSize &) {};
};

} // namespace vramlink

#endif
