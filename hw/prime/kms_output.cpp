// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/kms_output.hpp"

#include "hw/prime/crtc_choice.hpp"
#include "hw/prime/fourcc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vramlink {

KmsOutput::KmsOutput(DrmDevice &device, ConnectorInfo connector)
    : device_(device), connector_(std::move(connector)), crtc_(connector_.current_crtc),
      pipe_(KmsPipe::make(device, crtc_))
{
}

Result<std::unique_ptr<KmsOutput>> KmsOutput::open(DrmDevice &device, ConnectorInfo connector)
{
    std::unique_ptr<KmsOutput> output(new KmsOutput(device, std::move(connector)));
    CrtcState before;
    if (const int r = device.api().get_crtc(device.fd(), output->crtc_, &before); r < 0)
        return fail(
            -r, fmt::format("{}: cannot read CRTC {}: {}", device.path(), output->crtc_, std::strerror(-r)));
    output->mode_ = idle_mode(output->connector_);
    if (const auto shown = output->show_neutral(); !shown)
        return std::unexpected(shown.error());
    output->before_ = before; // from here on the destructor has something to undo
    return output;
}

KmsOutput::~KmsOutput()
{
    if (frame_.framebuffer == 0 || asleep_)
        return;
    if (!before_.mode_valid)
        before_.framebuffer = 0;
    if (device_.api().set_crtc(device_.fd(), crtc_, connector_.id, before_) < 0 && before_.framebuffer)
        (void)device_.api().set_crtc(device_.fd(), crtc_, connector_.id, CrtcState{});
}

std::string KmsOutput::describe() const
{
    return fmt::format("{} {}, CRTC {} ({}), {}x{} at {} Hz", device_.path(), connector_name(connector_),
                       crtc_, pipe_->name(), mode_.hdisplay, mode_.vdisplay, mode_.vrefresh);
}

KmsOutput::Screen KmsOutput::screen() const
{
    const drmModeModeInfo preferred = idle_mode(connector_);
    return {preferred.hdisplay, preferred.vdisplay, connector_.width_mm, connector_.height_mm};
}

Extent2 KmsOutput::seen() const
{
    return {std::min<uint32_t>(frame_.width, mode_.hdisplay),
            std::min<uint32_t>(frame_.height, mode_.vdisplay)};
}

KmsOutput::Frame KmsOutput::frame_of(const ShownBuffer &buffer)
{
    const FrameLayout &layout = buffer.layout();
    return {buffer.framebuffer(), layout.width, layout.height, opaque_twin(layout.fourcc)};
}

Result<void> KmsOutput::set(const Frame &frame, const drmModeModeInfo &mode)
{
    if (asleep_) {
        frame_ = frame;
        mode_ = mode;
        return {};
    }
    if (const int r = pipe_->set_mode(connector_.id, frame.framebuffer, mode); r < 0)
        return fail(-r, fmt::format("{}: setting mode {}x{} on {} ({})", errno_name(r), mode.hdisplay,
                                    mode.vdisplay, connector_name(connector_), std::strerror(-r)));
    pending_cookie_ = 0; // it waits for the flip before it
    frame_ = frame;
    mode_ = mode;
    return {};
}

Result<KmsOutput::Shown> KmsOutput::show(const ShownBuffer &buffer, const Rect &damage)
{
    const Frame frame = frame_of(buffer);
    const auto mode = mode_for(connector_, frame.width, frame.height);
    if (!mode)
        return fail(ENOSPC, fmt::format("ENOSPC: every mode of {} is larger than the frame of {}x{} pixels",
                                        connector_name(connector_), frame.width, frame.height));
    if (asleep_) {
        frame_ = frame;
        mode_ = *mode;
        return Shown::pending;
    }
    if (frame.fourcc == frame_.fourcc && same_mode(*mode, mode_)) {
        const uint64_t cookie = device_.next_cookie();
        const bool again = frame.framebuffer == frame_.framebuffer;
        const int r = pipe_->flip(frame.framebuffer, again ? damage : Rect{}, cookie);
        if (r == 0) {
            pending_cookie_ = cookie;
            frame_ = frame;
            return Shown::pending;
        }
        // Some drivers refuse a flip that setting the mode can do (another tiling), or are still busy with an
        // abandoned one.
        if (r != -EBUSY && r != -EINVAL)
            return fail(-r, fmt::format("{}: page flip on {} ({})", errno_name(r), connector_name(connector_),
                                        std::strerror(-r)));
    }
    if (const auto shown = set(frame, *mode); !shown)
        return std::unexpected(shown.error());
    return Shown::now;
}

Result<void> KmsOutput::prepare_neutral(const drmModeModeInfo &mode)
{
    if (neutral_ && neutral_->width() == mode.hdisplay && neutral_->height() == mode.vdisplay)
        return {};
    auto buffer = DumbBuffer::create(device_, mode.hdisplay, mode.vdisplay);
    if (!buffer)
        return std::unexpected(buffer.error());
    paint_no_signal(**buffer);
    neutral_ = std::move(*buffer); // the old one is not on the screen now
    return {};
}

Result<void> KmsOutput::show_neutral()
{
    drmModeModeInfo mode = mode_;
    if (const auto ready = prepare_neutral(mode); !ready) {
        if (!neutral_)
            return ready;
        // No memory for this size: the frame we have, with the mode it was made for.
        mode = mode_for(connector_, neutral_->width(), neutral_->height()).value_or(idle_mode(connector_));
    }
    return set(frame_of(*neutral_->shown()), mode);
}

bool KmsOutput::flip_ended(uint64_t cookie)
{
    if (cookie == 0 || cookie != pending_cookie_)
        return false;
    pending_cookie_ = 0;
    return true;
}

void KmsOutput::sleep()
{
    asleep_ = true;
    pending_cookie_ = 0;
}

Result<void> KmsOutput::wake()
{
    asleep_ = false;
    if (!has_monitor() || set(frame_, mode_))
        return {};
    return show_neutral();
}

Result<void> KmsOutput::replug(const ConnectorInfo &now)
{
    const bool was_there = connector_.connected;
    connector_ = now;
    connector_.current_crtc = crtc_;
    if (!is_usable(now) || was_there)
        return {};
    const auto mode = mode_for(connector_, frame_.width, frame_.height);
    if (frame_.framebuffer != neutral_->shown()->framebuffer() && mode && set(frame_, *mode))
        return {};
    mode_ = idle_mode(connector_);
    return show_neutral();
}

} // namespace vramlink
