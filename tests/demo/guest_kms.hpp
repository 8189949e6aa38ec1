// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest's display side: L2's virtio-gpu card, driven with plain libdrm.
//
// Thread: one.

#ifndef VRAMLINK_TESTS_DEMO_GUEST_KMS_HPP
#define VRAMLINK_TESTS_DEMO_GUEST_KMS_HPP

#include <cstdint>
#include <memory>
#include <string>

#include <xf86drmMode.h>

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

namespace vramlink::demo {

/// A KMS framebuffer over one imported dma-buf; owns the framebuffer and the GEM handle. The card must
/// outlive it.
class GuestFramebuffer {
  public:
    GuestFramebuffer() noexcept = default;
    /// Takes @p handle; @p card is borrowed.
    GuestFramebuffer(int card, std::uint32_t handle) noexcept : card_(card), handle_(handle) {}
    GuestFramebuffer(GuestFramebuffer &&other) noexcept { swap(other); }
    GuestFramebuffer &operator=(GuestFramebuffer &&other) noexcept;
    GuestFramebuffer(const GuestFramebuffer &) = delete;
    GuestFramebuffer &operator=(const GuestFramebuffer &) = delete;
    ~GuestFramebuffer() { close(); }

    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
    /// Takes the framebuffer that AddFB2 made of the handle.
    void adopt_id(std::uint32_t id) noexcept { id_ = id; }

    /// RmFB, then GEM_CLOSE: the guest's kernel unreferences the resource. Fine to call twice.
    void close() noexcept;

  private:
    void swap(GuestFramebuffer &other) noexcept;

    int card_ = -1;
    std::uint32_t handle_ = 0;
    std::uint32_t id_ = 0;
};

class GuestCard {
  public:
    /// Opens the first card that @p driver ("virtio_gpu") drives, with a connected output that offers a mode
    /// of this size.
    [[nodiscard]] static Result<GuestCard> open(const std::string &driver, std::uint32_t width,
                                                std::uint32_t height);

    /// PRIME import and AddFB2 as linear XRGB8888 with rows of width * 4 bytes. @p dmabuf is borrowed.
    [[nodiscard]] Result<GuestFramebuffer> import(int dmabuf) const;

    /// Full mode set: the framebuffer is on the output when this returns.
    [[nodiscard]] Result<void> set_crtc(const GuestFramebuffer &framebuffer) const;

    /// Page flip; returns after its completion event, ETIMEDOUT when none comes within 10 s.
    [[nodiscard]] Result<void> flip(const GuestFramebuffer &framebuffer) const;

    /// Switches the output off.
    [[nodiscard]] Result<void> disable() const;

  private:
    GuestCard() = default;
    Result<void> choose_output(std::uint32_t width, std::uint32_t height);
    Result<void> choose_crtc(std::uint32_t encoders_possible_crtcs, const drmModeRes &resources);
    Result<void> wait_for_flip() const;

    UniqueFd card_;
    std::uint32_t connector_ = 0;
    std::uint32_t crtc_ = 0;
    drmModeModeInfo mode_{};
    /// Counted by the event handler; on the heap, as a late event may arrive after the card was moved.
    std::unique_ptr<std::uint32_t> flips_done_ = std::make_unique<std::uint32_t>(0);
};

} // namespace vramlink::demo

#endif
