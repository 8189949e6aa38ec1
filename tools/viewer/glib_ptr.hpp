// SPDX-License-Identifier: GPL-2.0-or-later
//
// Owners for what GLib and GIO hand out, and a timer that costs nothing to arm.

#ifndef VRAMLINK_TOOLS_VIEWER_GLIB_PTR_HPP
#define VRAMLINK_TOOLS_VIEWER_GLIB_PTR_HPP

#include <gio/gio.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace vramlink {

struct GObjectUnref {
    void operator()(void *object) const { g_object_unref(object); }
};
template <class T> using GObjectPtr = std::unique_ptr<T, GObjectUnref>;

struct GVariantUnref {
    void operator()(GVariant *variant) const { g_variant_unref(variant); }
};
using GVariantPtr = std::unique_ptr<GVariant, GVariantUnref>;

/// Receives a GError from a GIO call and frees it.
class GErrorHolder {
  public:
    GErrorHolder() = default;
    GErrorHolder(const GErrorHolder &) = delete;
    GErrorHolder &operator=(const GErrorHolder &) = delete;
    ~GErrorHolder() { g_clear_error(&error_); }
    GError **operator&() { return &error_; } // NOLINT: the out-parameter idiom of GLib
    [[nodiscard]] bool cancelled() const { return g_error_matches(error_, G_IO_ERROR, G_IO_ERROR_CANCELLED); }
    [[nodiscard]] std::string text() const { return error_ ? error_->message : "no reason given"; }

  private:
    GError *error_ = nullptr;
};

/// A one-shot timer on the default main context. Made once, armed as often as you like without allocation.
class Timer {
  public:
    explicit Timer(std::function<void()> action) : action_(std::move(action))
    {
        source_ = g_source_new(&functions, sizeof(GSource));
        g_source_set_callback(source_, &Timer::fired, this, nullptr);
        g_source_attach(source_, nullptr);
    }
    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;
    ~Timer()
    {
        g_source_destroy(source_);
        g_source_unref(source_);
    }

    void arm(int64_t microseconds)
    {
        g_source_set_ready_time(source_, g_get_monotonic_time() + microseconds);
    }
    void disarm() { g_source_set_ready_time(source_, -1); }

  private:
    static gboolean fired(gpointer self)
    {
        static_cast<Timer *>(self)->action_();
        return G_SOURCE_CONTINUE;
    }
    static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
    {
        g_source_set_ready_time(source, -1);
        return callback(data);
    }
    static inline GSourceFuncs functions{nullptr, nullptr, &Timer::dispatch, nullptr, nullptr, nullptr};

    std::function<void()> action_;
    GSource *source_;
};

} // namespace vramlink

#endif
