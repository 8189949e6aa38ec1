// SPDX-License-Identifier: GPL-2.0-or-later
//
// WaylandWindow: a window of a Wayland compositor as a Screen.
//
// A frame is one commit. It counts as visible when the compositor has asked for the next frame (frame
// callback) and has let go of the buffer before (wl_buffer.release): then the guest may paint into that one
// again. A window that nobody sees gets no frame callbacks; after the first one that stays away the guest is
// paced by a clock until they come back.
//
// The neutral frame and canvases are wl_shm; dma-bufs are the compositor's to import. The window follows the
// guest's size, and tells the guest when the user has chosen another one (window_size.hpp).
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/screen.hpp"
#include "tools/viewer/wayland/connection.hpp"
#include "tools/viewer/wayland/dmabuf_import.hpp"
#include "tools/viewer/wayland/latency.hpp"
#include "tools/viewer/wayland/overlay.hpp"
#include "tools/viewer/wayland/shm_canvas.hpp"
#include "tools/viewer/wayland/window_input.hpp"
#include "tools/viewer/wayland/window_size.hpp"

#include <list>
#include <memory>
#include <string>

namespace vramlink {

struct WindowOptions {
    std::string title = "vramlink-viewer"; ///< the note of what is wrong is added to it
    bool full_screen = false;
    DirectDisplay direct = DirectDisplay::never;
};

class WaylandWindow final : public Screen {
  public:
    /// Opens the window with the neutral frame in it. @p connection must outlive it.
    static Result<std::unique_ptr<WaylandWindow>> open(WaylandConnection &connection, WindowOptions options);
    ~WaylandWindow() override;

    DmabufImport &importer() override { return importer_; }
    [[nodiscard]] const DmabufImport &importer() const override { return importer_; }
    Result<std::unique_ptr<Canvas>> make_canvas(uint32_t width, uint32_t height) override;
    Result<Shown> show(const FrameRef &frame, const Rect &damage) override;
    Result<void> show_neutral() override;
    void settle() override;
    [[nodiscard]] int64_t patience_us() const override;
    Result<void> give_up() override;
    void set_title(const std::string &title) override;
    void note(const std::string &why) override;
    [[nodiscard]] ScreenSize size() const override;
    [[nodiscard]] std::string describe() const override;
    void add_stats(nlohmann::json &stats) const override;
    void listen(std::function<void(const std::string &)> gone) override;

    void set_input(InputSink *input) override { input_.set_sink(input); }
    void cursor(const CursorImage &image) override { input_.set_cursor(image); }
    void cursor_at(const CursorPlace &place) override { input_.show_cursor(place.visible); }

    void set_full_screen(bool full);
    void toggle_overlay();

  private:
    struct Feedback;
    using BufferRef = std::shared_ptr<const WaylandBuffer>;

    WaylandWindow(WaylandConnection &connection, WindowOptions options);
    void set_up_shell();
    void configured(uint32_t serial);
    void resized();
    void take_states(int32_t width, int32_t height, const wl_array *states);
    Result<void> prepare_neutral(Extent2 size);
    void commit(const BufferRef &buffer, const Rect &damage, bool pace);
    void ask_for_feedback();
    void maybe_visible();
    void forget_before();
    void tell_title();

    WaylandConnection &connection_;
    WindowOptions options_;
    DmabufImport importer_;
    WindowSize size_;
    WlPtr<wl_surface> surface_;
    WlPtr<wp_viewport> viewport_;
    WlPtr<wp_fractional_scale_v1> scale_;
    WlPtr<xdg_surface> shell_surface_;
    WlPtr<xdg_toplevel> toplevel_;
    WlPtr<zxdg_toplevel_decoration_v1> decoration_;
    WlPtr<wl_callback> frame_callback_; ///< of the pending frame
    std::unique_ptr<Overlay> overlay_;
    WindowInput input_;
    std::unique_ptr<ShmCanvas> neutral_;
    BufferRef attached_; ///< committed last
    BufferRef before_;   ///< committed before that one and not released yet
    bool pending_ = false;
    bool hidden_ = false;     ///< the last frame callback did not come in time
    bool configured_ = false; ///< the compositor has said how large we are
    WindowSize::State next_state_ = WindowSize::State::floating; ///< until xdg_surface.configure
    Extent2 next_size_;
    ScreenSize told_; ///< what on_resized() has been called with
    Timer tell_size_; ///< a drag is many sizes; the guest hears of the last
    std::string note_;
    std::list<std::unique_ptr<Feedback>> feedback_; ///< frames whose presentation is not known yet
    Latency latency_;
    uint64_t commits_ = 0, frames_hidden_ = 0, zero_copy_ = 0, discarded_ = 0;
};

} // namespace vramlink

#endif
