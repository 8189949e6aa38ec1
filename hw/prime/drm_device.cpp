// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/drm_device.hpp"

#include "hw/prime/fourcc.hpp"

#include <fmt/format.h>
#include <xf86drm.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace vramlink {

std::string errno_name(int code)
{
    const char *name = strerrorname_np(std::abs(code));
    return name ? name : fmt::format("errno {}", std::abs(code));
}

Result<std::unique_ptr<DrmDevice>> DrmDevice::open(DrmApi &api, const std::string &path)
{
    const int raw = api.open(path.c_str());
    if (raw < 0)
        return fail(-raw, fmt::format("cannot open {}: {}", path, std::strerror(-raw)));
    return adopt(api, UniqueFd(raw), path);
}

Result<std::unique_ptr<DrmDevice>> DrmDevice::adopt(DrmApi &api, UniqueFd fd, const std::string &path)
{
    const int raw = fd.get();
    std::unique_ptr<DrmDevice> device(new DrmDevice(api, std::move(fd), path));

    uint64_t prime = 0;
    if (const int r = api.get_cap(raw, DRM_CAP_PRIME, &prime); r < 0)
        return fail(-r, fmt::format("{} does not answer as a DRM device: {}", path, std::strerror(-r)));
    if (!(prime & DRM_PRIME_CAP_IMPORT))
        return fail(EOPNOTSUPP, fmt::format("{} cannot import dma-bufs (DRM_CAP_PRIME is {})", path, prime));
    if (!api.is_master(raw))
        return fail(EACCES, fmt::format("another process drives {}: stop the compositor first", path));

    uint64_t modifiers = 0;
    device->takes_modifiers_ = api.get_cap(raw, DRM_CAP_ADDFB2_MODIFIERS, &modifiers) == 0 && modifiers != 0;
    device->is_atomic_ = api.use_atomic(raw) == 0;
    return device;
}

UniqueGemHandle::UniqueGemHandle(DrmDevice &device, uint32_t handle) : device_(&device), handle_(handle)
{
    ++device_->gem_handles_;
}

UniqueGemHandle::UniqueGemHandle(UniqueGemHandle &&other) noexcept
    : device_(std::exchange(other.device_, nullptr)), handle_(std::exchange(other.handle_, 0))
{
}

UniqueGemHandle &UniqueGemHandle::operator=(UniqueGemHandle &&other) noexcept
{
    if (this != &other) {
        reset();
        device_ = std::exchange(other.device_, nullptr);
        handle_ = std::exchange(other.handle_, 0);
    }
    return *this;
}

void UniqueGemHandle::reset() noexcept
{
    if (!device_)
        return;
    // A refusal would mean that the handle is gone already: in both cases we hold it no longer.
    (void)device_->api_.gem_close(device_->fd(), handle_);
    --device_->gem_handles_;
    device_ = nullptr;
    handle_ = 0;
}

Result<UniqueFramebuffer> UniqueFramebuffer::add(DrmDevice &device, const FramebufferRequest &request)
{
    UniqueFramebuffer framebuffer;
    if (const int r = device.api_.add_framebuffer(device.fd(), request, &framebuffer.id_); r < 0)
        return fail(-r, fmt::format("AddFB2 of {}x{}, stride {}, {} ({})", request.width, request.height,
                                    request.pitches[0], fourcc_text(request.fourcc), std::strerror(-r)));
    framebuffer.device_ = &device;
    ++device.framebuffers_;
    return framebuffer;
}

UniqueFramebuffer::UniqueFramebuffer(UniqueFramebuffer &&other) noexcept
    : device_(std::exchange(other.device_, nullptr)), id_(std::exchange(other.id_, 0))
{
}

UniqueFramebuffer &UniqueFramebuffer::operator=(UniqueFramebuffer &&other) noexcept
{
    if (this != &other) {
        reset();
        device_ = std::exchange(other.device_, nullptr);
        id_ = std::exchange(other.id_, 0);
    }
    return *this;
}

void UniqueFramebuffer::reset() noexcept
{
    if (!device_)
        return;
    (void)device_->api_.remove_framebuffer(device_->fd(), id_);
    --device_->framebuffers_;
    device_ = nullptr;
    id_ = 0;
}

} // namespace vramlink
