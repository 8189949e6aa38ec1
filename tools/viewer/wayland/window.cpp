// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/window.hpp"

#include "tools/viewer/advice.hpp"
#include "tools/viewer/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

namespace vramlink {
namespace {

/// The guest waits for a frame's end. QEMU gives up on our answer after a second.
constexpr int64_t visible_patience_us = 800'000;
constexpr int64_t hidden_patience_us = 100'000;
constexpr int64_t resize_settles_us = 300'000;
/// Waited for the compositor to let go. The plugin waits half a second before it goes on without us.
constexpr std::chrono::milliseconds settle_limit{300};
constexpr const char *app_id = "vramlink-viewer";

int64_t now_us(clockid_t clock)
{
    timespec now{};
    clock_gettime(clock, &now);
    return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

int32_t cut(uint32_t value)
{
    return static_cast<int32_t>(std::min<uint32_t>(value, INT32_MAX));
}

} // namespace

/// One frame on its way to the screen.
struct WaylandWindow::Feedback {
    WaylandWindow *window;
    WlPtr<struct wp_presentation_feedback> object;
    int64_t committed_us;

    void end() const
    {
        window->feedback_.remove_if([this](const auto &other) { return other.get() == this; });
    }
    static void presented(void *self, struct wp_presentation_feedback *, uint32_t high, uint32_t low,
                          uint32_t ns, uint32_t, uint32_t, uint32_t, uint32_t flags)
    {
        const auto *own = static_cast<Feedback *>(self);
        const auto seconds = static_cast<int64_t>(uint64_t{high} << 32 | low);
        const int64_t took = seconds * 1'000'000 + ns / 1000 - own->committed_us;
        own->window->latency_.add(static_cast<uint64_t>(std::max<int64_t>(0, took)));
        own->window->zero_copy_ += flags & WP_PRESENTATION_FEEDBACK_KIND_ZERO_COPY ? 1 : 0;
        own->end();
    }
    static void discarded(void *self, struct wp_presentation_feedback *)
    {
        const auto *own = static_cast<Feedback *>(self);
        ++own->window->discarded_;
        own->end();
    }
};

Result<std::unique_ptr<WaylandWindow>> WaylandWindow::open(WaylandConnection &connection,
                                                           WindowOptions options)
{
    std::unique_ptr<WaylandWindow> window(new WaylandWindow(connection, std::move(options)));
    if (const auto made = window->prepare_neutral({1024, 768}); !made)
        return std::unexpected(made.error());
    window->set_up_shell();
    return window;
}

WaylandWindow::WaylandWindow(WaylandConnection &connection, WindowOptions options)
    : connection_(connection), options_(std::move(options)), importer_(connection, options_.direct),
      surface_(wl_compositor_create_surface(connection.compositor())),
      input_(connection, surface_.get(),
             {[this] { return size_.surface(); }, [this] { return size_.frame(); },
              [this] { set_full_screen(size_.state() != WindowSize::State::full); }, [this] { tell_title(); },
              [this](unsigned number) { on_output_asked(number); }, [this] { toggle_overlay(); }}),
      tell_size_([this] {
          if (size() == told_)
              return;
          told_ = size();
          on_resized(told_);
      })
{
}

WaylandWindow::~WaylandWindow()
{
    forget_before(); // the rest goes in the members' order: children before their surface
}

void WaylandWindow::set_up_shell()
{
    if (connection_.viewporter())
        viewport_.reset(wp_viewporter_get_viewport(connection_.viewporter(), surface_.get()));
    if (connection_.fractional_scale() && viewport_) {
        scale_.reset(wp_fractional_scale_manager_v1_get_fractional_scale(connection_.fractional_scale(),
                                                                         surface_.get()));
        static const wp_fractional_scale_v1_listener listener{
            [](void *self, wp_fractional_scale_v1 *, uint32_t scale) {
                static_cast<WaylandWindow *>(self)->size_.set_scale(scale);
                static_cast<WaylandWindow *>(self)->resized();
            }};
        wp_fractional_scale_v1_add_listener(scale_.get(), &listener, this);
    }
    shell_surface_.reset(xdg_wm_base_get_xdg_surface(connection_.shell(), surface_.get()));
    static const xdg_surface_listener surface_listener{[](void *self, xdg_surface *, uint32_t serial) {
        static_cast<WaylandWindow *>(self)->configured(serial);
    }};
    xdg_surface_add_listener(shell_surface_.get(), &surface_listener, this);
    toplevel_.reset(xdg_surface_get_toplevel(shell_surface_.get()));
    static const xdg_toplevel_listener toplevel_listener{
        [](void *self, xdg_toplevel *, int32_t width, int32_t height, wl_array *states) {
            static_cast<WaylandWindow *>(self)->take_states(width, height, states);
        },
        [](void *self, xdg_toplevel *) { static_cast<WaylandWindow *>(self)->on_closed(); },
        nullptr, // configure_bounds: version 4
        nullptr, // wm_capabilities: version 5
    };
    xdg_toplevel_add_listener(toplevel_.get(), &toplevel_listener, this);
    if (connection_.decoration()) {
        decoration_.reset(
            zxdg_decoration_manager_v1_get_toplevel_decoration(connection_.decoration(), toplevel_.get()));
        zxdg_toplevel_decoration_v1_set_mode(decoration_.get(), ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
    }
    xdg_toplevel_set_app_id(toplevel_.get(), app_id);
    tell_title();
    if (options_.full_screen)
        xdg_toplevel_set_fullscreen(toplevel_.get(), nullptr);
    wl_surface_commit(surface_.get());
}

void WaylandWindow::take_states(int32_t width, int32_t height, const wl_array *states)
{
    next_size_ = {static_cast<uint32_t>(std::max(0, width)), static_cast<uint32_t>(std::max(0, height))};
    next_state_ = WindowSize::State::floating;
    const auto *first = static_cast<const uint32_t *>(states->data);
    for (size_t i = 0; i < states->size / sizeof(uint32_t); i++) {
        if (first[i] == XDG_TOPLEVEL_STATE_FULLSCREEN) {
            next_state_ = WindowSize::State::full;
            return;
        }
        if (first[i] == XDG_TOPLEVEL_STATE_MAXIMIZED ||
            (first[i] >= XDG_TOPLEVEL_STATE_TILED_LEFT && first[i] <= XDG_TOPLEVEL_STATE_TILED_BOTTOM))
            next_state_ = WindowSize::State::filling;
    }
}

void WaylandWindow::configured(uint32_t serial)
{
    xdg_surface_ack_configure(shell_surface_.get(), serial);
    size_.configure(next_state_, next_size_);
    configured_ = true;
    resized();
}

void WaylandWindow::resized()
{
    if (!configured_)
        return;
    commit(attached_ ? attached_ : neutral_->buffer(), {},
           pending_); // also what has waited for the first size
    tell_size_.arm(resize_settles_us);
}

Result<void> WaylandWindow::prepare_neutral(Extent2 size)
{
    if (neutral_ && neutral_->buffer()->size() == size)
        return {};
    auto canvas = ShmCanvas::create(connection_.shm(), size.width, size.height);
    if (!canvas)
        return std::unexpected(canvas.error());
    paint_no_signal(**canvas);
    neutral_ = std::move(*canvas);
    return {};
}

Result<std::unique_ptr<Canvas>> WaylandWindow::make_canvas(uint32_t width, uint32_t height)
{
    auto canvas = ShmCanvas::create(connection_.shm(), width, height);
    if (!canvas)
        return std::unexpected(canvas.error());
    return std::move(*canvas);
}

void WaylandWindow::commit(const BufferRef &buffer, const Rect &damage, bool pace)
{
    if (buffer != attached_) {
        forget_before();
        before_ = attached_ && attached_->in_use() ? attached_ : nullptr;
    }
    attached_ = buffer;
    if (!configured_)
        return; // configured() comes back to it
    if (viewport_) {
        const Extent2 logical = size_.surface();
        wp_viewport_set_destination(viewport_.get(), cut(logical.width), cut(logical.height));
    }
    wl_surface_attach(surface_.get(), buffer->get(), 0, 0);
    if (damage.width == 0 || damage.height == 0)
        wl_surface_damage_buffer(surface_.get(), 0, 0, INT32_MAX, INT32_MAX);
    else
        wl_surface_damage_buffer(surface_.get(), cut(damage.x), cut(damage.y), cut(damage.width),
                                 cut(damage.height));
    if (pace) {
        frame_callback_.reset(wl_surface_frame(surface_.get()));
        static const wl_callback_listener listener{[](void *self, wl_callback *, uint32_t) {
            auto *window = static_cast<WaylandWindow *>(self);
            window->frame_callback_.reset();
            window->hidden_ = false;
            window->maybe_visible();
        }};
        wl_callback_add_listener(frame_callback_.get(), &listener, this);
        ask_for_feedback();
    }
    if (before_)
        before_->on_release([this] {
            before_.reset();
            maybe_visible();
        });
    buffer->committed();
    wl_surface_commit(surface_.get());
    wl_display_flush(connection_.display());
    ++commits_;
}

void WaylandWindow::ask_for_feedback()
{
    if (!connection_.presentation())
        return;
    auto feedback = std::make_unique<Feedback>();
    feedback->window = this;
    feedback->committed_us = now_us(connection_.clock());
    feedback->object.reset(wp_presentation_feedback(connection_.presentation(), surface_.get()));
    static const wp_presentation_feedback_listener listener{
        [](void *, struct wp_presentation_feedback *, wl_output *) {}, &Feedback::presented,
        &Feedback::discarded};
    wp_presentation_feedback_add_listener(feedback->object.get(), &listener, feedback.get());
    feedback_.push_back(std::move(feedback));
}

void WaylandWindow::maybe_visible()
{
    if (!pending_ || frame_callback_ || before_)
        return;
    pending_ = false;
    on_visible();
}

Result<Screen::Shown> WaylandWindow::show(const FrameRef &frame, const Rect &damage)
{
    auto buffer = std::static_pointer_cast<const WaylandBuffer>(frame); // our own make, see Screen::show()
    size_.set_frame(buffer->size());
    if (const auto made = prepare_neutral(buffer->size()); !made) // now, while there is time
        return std::unexpected(made.error());
    pending_ = true;
    commit(buffer, damage, true);
    return Shown::pending;
}

Result<void> WaylandWindow::show_neutral()
{
    pending_ = false;
    frame_callback_.reset();
    commit(neutral_->buffer(), {}, false);
    forget_before();
    return {};
}

void WaylandWindow::forget_before()
{
    if (before_)
        before_->on_release(nullptr);
    before_.reset();
}

void WaylandWindow::settle()
{
    if (!connection_.roundtrip(settle_limit))
        Log::warning("the compositor has not answered within {} ms; it may still hold the guest's buffers",
                     settle_limit.count());
}

int64_t WaylandWindow::patience_us() const
{
    return hidden_ ? hidden_patience_us : visible_patience_us;
}

Result<void> WaylandWindow::give_up()
{
    if (!hidden_ && frame_callback_)
        Log::debug("the compositor asks for no frames: the window is hidden");
    hidden_ = frame_callback_ != nullptr;
    frames_hidden_ += hidden_ ? 1 : 0;
    pending_ = false;
    forget_before();
    return {};
}

void WaylandWindow::set_title(const std::string &title)
{
    options_.title = title;
    tell_title();
}

void WaylandWindow::note(const std::string &why)
{
    if (why == note_)
        return;
    note_ = why;
    tell_title();
}

void WaylandWindow::tell_title()
{
    constexpr size_t longest = 300; // a request holds 4 KiB; a title bar shows less
    std::string title = note_.empty() ? options_.title : options_.title + " - " + note_;
    if (input_.grabbed())
        title += " - Ctrl+Alt+G lets go";
    xdg_toplevel_set_title(toplevel_.get(), title.substr(0, longest).c_str());
}

void WaylandWindow::set_full_screen(bool full)
{
    if (full)
        xdg_toplevel_set_fullscreen(toplevel_.get(), nullptr);
    else
        xdg_toplevel_unset_fullscreen(toplevel_.get());
}

void WaylandWindow::toggle_overlay()
{
    if (overlay_)
        return overlay_.reset();
    auto opened = Overlay::open(connection_, surface_.get(), [this] { return overlay_content(); });
    if (!opened)
        return Log::info("{}", opened.error().text);
    overlay_ = std::move(*opened);
}

ScreenSize WaylandWindow::size() const
{
    const Extent2 pixels = size_.wanted();
    return {pixels.width, pixels.height, 0, 0};
}

std::string WaylandWindow::describe() const
{
    const Extent2 logical = size_.surface();
    return fmt::format("a window of {}x{}", logical.width, logical.height);
}

void WaylandWindow::add_stats(nlohmann::json &stats) const
{
    stats["screen"] = "wayland";
    stats["commits"] = commits_;
    stats["frames_hidden"] = frames_hidden_;
    stats["frames_zero_copy"] = zero_copy_;
    stats["frames_discarded"] = discarded_;
    stats["latency"] = latency_.summary();
    stats["note"] = note_.empty() ? nlohmann::json() : nlohmann::json(note_);
    const std::string fix = advice_for(note_);
    stats["fix"] = fix.empty() ? nlohmann::json() : nlohmann::json(fix);
}

void WaylandWindow::listen(std::function<void(const std::string &)> gone)
{
    connection_.listen(std::move(gone));
}

} // namespace vramlink
