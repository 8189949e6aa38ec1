// SPDX-License-Identifier: GPL-2.0-or-later
//
// WaylandBuffer: a wl_buffer as a frame. It knows whether the compositor still looks at it.
//
// Ownership: destroying it destroys the wl_buffer, upon which the compositor ends its import. Thread: the
// default main context.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_WAYLAND_BUFFER_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_WAYLAND_BUFFER_HPP

#include "hw/prime/import_cache.hpp"
#include "tools/viewer/wayland/protocols.hpp"
#include "tools/viewer/wayland/window_size.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace vramlink {

class WaylandBuffer final : public Showable {
  public:
    /// Takes @p buffer. @p record: null for buffers that were not imported.
    WaylandBuffer(wl_buffer *buffer, Extent2 size, std::shared_ptr<ImportRecord> record)
        : buffer_(buffer), size_(size), record_(std::move(record))
    {
        static const wl_buffer_listener listener{[](void *self, wl_buffer *) {
            auto *own = static_cast<WaylandBuffer *>(self);
            own->in_use_ = false;
            if (const auto told = std::exchange(own->on_release_, nullptr))
                told(); // may drop this buffer
        }};
        wl_buffer_add_listener(buffer, &listener, this);
        if (record_)
            record_->live = true;
    }
    ~WaylandBuffer() override
    {
        if (record_)
            record_->live = false;
    }

    [[nodiscard]] wl_buffer *get() const { return buffer_.get(); }
    [[nodiscard]] Extent2 size() const { return size_; } ///< pixels
    [[nodiscard]] bool imported() const { return record_ != nullptr; }
    /// Committed, and the compositor has not let go of it yet.
    [[nodiscard]] bool in_use() const { return in_use_; }

    /// It is committed now.
    void committed() const { in_use_ = true; }
    /// Called once when the compositor lets go. Replaces what was asked for before; null: nothing.
    void on_release(std::function<void()> told) const { on_release_ = std::move(told); }

  private:
    WlPtr<wl_buffer> buffer_;
    Extent2 size_;
    std::shared_ptr<ImportRecord> record_;
    mutable bool in_use_ = false; ///< the compositor's state, not the frame's
    mutable std::function<void()> on_release_;
};

} // namespace vramlink

#endif
