// SPDX-License-Identifier: GPL-2.0-or-later
//
// FakeCompositor: a Wayland compositor in a thread of the test, without a screen. It asks for frames,
// releases buffers and refuses imports when the test says so, and counts what clients hold.
//
// Thread: the compositor's own, under a mutex; with() gives the test a look inside.

#ifndef VRAMLINK_TESTS_UNIT_WAYLAND_FAKE_COMPOSITOR_HPP
#define VRAMLINK_TESTS_UNIT_WAYLAND_FAKE_COMPOSITOR_HPP

#include <wayland-server.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vramlink::test {

class FakeCompositor {
  public:
    /// A surface and its role.
    struct Window {
        int commits = 0; ///< with a buffer
        bool shows_dmabuf = false;
        int32_t width = 0, height = 0; ///< of the surface, by its viewport
        int32_t damage_width = 0;      ///< of the last commit
        std::string title;
        bool full_screen = false;
        int lit = 0; ///< pixels of the last wl_shm buffer that are not as its first one

        // Its objects.
        wl_resource *surface = nullptr, *xdg_surface = nullptr, *toplevel = nullptr, *viewport = nullptr;
        wl_resource *pending = nullptr, *shown = nullptr, *held = nullptr; ///< wl_buffers
        std::vector<wl_resource *> frame_callbacks;
        bool pending_attached = false;
    };
    /// The first window, for tests that have one, and what belongs to none.
    struct State : Window {
        // What the compositor does.
        bool refuses_imports = false;
        bool asks_for_frames = true; ///< answers frame callbacks at once
        bool releases = true;        ///< lets go of a buffer when another one is committed

        // What happened.
        int imports = 0;      ///< asked for
        int dmabufs_live = 0; ///< wl_buffers of dma-bufs that exist

        wl_resource *source = nullptr; ///< the client's, which has the selection
        std::vector<std::string> source_types;
        std::string selection; ///< the host's own text
        int selections = 0;    ///< that the client has set

        std::list<Window> more; ///< surfaces but for the first
        std::vector<wl_resource *> keyboards, pointers, touches,
            data_devices; ///< each window binds the seat for itself

        /// Windows that show something.
        [[nodiscard]] int windows() const;
    };

    /// @p dmabuf: offers zwp_linux_dmabuf_v1 with XRGB8888, linear.
    explicit FakeCompositor(bool dmabuf);
    FakeCompositor(const FakeCompositor &) = delete;
    FakeCompositor &operator=(const FakeCompositor &) = delete;
    ~FakeCompositor();

    [[nodiscard]] const std::string &socket() const { return socket_; }

    template <class F> auto with(F look)
    {
        const std::lock_guard lock(mutex_);
        struct Flush {
            wl_display *display;
            ~Flush() { wl_display_flush_clients(display); }
        } flush{display_};
        return look(state_);
    }
    /// Answers every frame callback that waits.
    void ask_for_frames();
    /// Lets go of the buffer that was shown before.
    void release_held();
    /// The user drags the window's edge, or the shell puts it in full screen.
    void configure(int32_t width, int32_t height, bool full_screen);
    void close_window();
    /// The one of this title.
    void close_window(const std::string &title);
    /// The user: the focus comes into the window or leaves it, keys, buttons, movements, notches of the
    /// wheel.
    void focus(bool in);
    void key(uint32_t evdev, bool pressed);
    void button(uint32_t evdev, bool pressed);
    void move(double x, double y);
    void wheel(int notches);
    void touch_down(int32_t id, double x, double y); ///< in the first window
    void touch_move(int32_t id, double x, double y);
    void touch_up(int32_t id);
    void touch_cancel();
    /// A program of the desktop copies this text, offered as @p mime.
    void copy(const std::string &text, const char *mime = "text/plain;charset=utf-8");
    /// A program of the desktop asks for what the client has copied: the end to read from.
    int paste();

    // For the protocol's handlers.
    State &state() { return state_; }
    static FakeCompositor &of(wl_resource *resource)
    {
        return *static_cast<FakeCompositor *>(wl_resource_get_user_data(resource));
    }
    /// The window that @p resource is a part of.
    Window &window_of(wl_resource *resource);
    void forget(wl_resource *surface);
    template <class F> void for_each_window(F look)
    {
        look(static_cast<Window &>(state_));
        for (Window &window : state_.more)
            look(window);
    }
    void fire_frames();
    static void send_configure(const Window &window, int32_t width, int32_t height, bool full_screen);

  private:
    void run();

    wl_display *display_;
    std::string socket_;
    State state_;
    std::mutex mutex_;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

/// A seat with a keyboard and a pointer (fake_seat.cpp).
void offer_seat(wl_display *display, FakeCompositor &compositor);
/// The selection (fake_clipboard.cpp).
void offer_clipboard(wl_display *display, FakeCompositor &compositor);
/// Surfaces on surfaces (fake_overlay.cpp).
void offer_subsurfaces(wl_display *display, FakeCompositor &compositor);
/// Shell, viewports and dma-bufs (fake_shell.cpp).
void offer_shell(wl_display *display, FakeCompositor &compositor);
void offer_dmabuf(wl_display *display, FakeCompositor &compositor);

} // namespace vramlink::test

#endif
