// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest_kms.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include <fcntl.h>
#include <poll.h>

#include <drm_fourcc.h>
#include <fmt/core.h>
#include <xf86drm.h>

namespace vramlink::demo {

namespace {

constexpr int kFlipTimeoutMs = 10'000;
constexpr int kMaxCards = 16;

template <auto Free> struct Freed {
    template <class T> void operator()(T *object) const { Free(object); }
};
using Version = std::unique_ptr<drmVersion, Freed<drmFreeVersion>>;
using Resources = std::unique_ptr<drmModeRes, Freed<drmModeFreeResources>>;
using Connector = std::unique_ptr<drmModeConnector, Freed<drmModeFreeConnector>>;
using Encoder = std::unique_ptr<drmModeEncoder, Freed<drmModeFreeEncoder>>;

std::unexpected<Error> fail_with(int code, const std::string &what)
{
    return fail(code, fmt::format("{}: {}", what, std::strerror(code)));
}

/// libdrm answers -1 with errno, or -errno, depending on the function: the errno either way.
int error_of(int result)
{
    return result == -1 ? errno : -result;
}

UniqueFd open_card_of(const std::string &driver)
{
    for (int number = 0; number < kMaxCards; ++number) {
        UniqueFd fd(::open(fmt::format("/dev/dri/card{}", number).c_str(), O_RDWR | O_CLOEXEC));
        if (!fd)
            continue;
        const Version version(drmGetVersion(fd.get()));
        if (version && driver == version->name)
            return fd;
    }
    return {};
}

void on_flip(int /*fd*/, unsigned /*frame*/, unsigned /*sec*/, unsigned /*usec*/, void *data)
{
    ++*static_cast<std::uint32_t *>(data);
}

} // namespace

void GuestFramebuffer::swap(GuestFramebuffer &other) noexcept
{
    std::swap(card_, other.card_);
    std::swap(handle_, other.handle_);
    std::swap(id_, other.id_);
}

GuestFramebuffer &GuestFramebuffer::operator=(GuestFramebuffer &&other) noexcept
{
    if (this != &other) {
        close();
        swap(other);
    }
    return *this;
}

void GuestFramebuffer::close() noexcept
{
    if (const std::uint32_t id = std::exchange(id_, 0); id != 0)
        drmModeRmFB(card_, id);
    if (const std::uint32_t handle = std::exchange(handle_, 0); handle != 0)
        drmCloseBufferHandle(card_, handle);
}

Result<GuestCard> GuestCard::open(const std::string &driver, std::uint32_t width, std::uint32_t height)
{
    GuestCard card;
    card.card_ = open_card_of(driver);
    if (!card.card_)
        return fail(ENODEV, fmt::format("no /dev/dri/card0..{} is driven by {}", kMaxCards - 1, driver));
    if (auto done = card.choose_output(width, height); !done)
        return std::unexpected(done.error());
    return card;
}

Result<void> GuestCard::choose_output(std::uint32_t width, std::uint32_t height)
{
    const int fd = card_.get();
    const Resources resources(drmModeGetResources(fd));
    if (!resources)
        return fail_with(errno, "drmModeGetResources");
    for (const std::uint32_t id : std::span(resources->connectors, resources->count_connectors)) {
        const Connector connector(drmModeGetConnector(fd, id));
        if (!connector || connector->connection != DRM_MODE_CONNECTED)
            continue;
        for (const drmModeModeInfo &mode : std::span(connector->modes, connector->count_modes)) {
            if (mode.hdisplay != width || mode.vdisplay != height)
                continue;
            const Encoder encoder(
                connector->count_encoders > 0 ? drmModeGetEncoder(fd, connector->encoders[0]) : nullptr);
            if (!encoder)
                return fail(ENODEV, fmt::format("connector {} has no encoder", id));
            connector_ = id;
            mode_ = mode;
            return choose_crtc(encoder->possible_crtcs, *resources);
        }
    }
    return fail(ENODEV, fmt::format("no connected output offers a mode of {}x{}", width, height));
}

Result<void> GuestCard::choose_crtc(std::uint32_t encoders_possible_crtcs, const drmModeRes &resources)
{
    const int first = std::countr_zero(encoders_possible_crtcs);
    if (first >= resources.count_crtcs)
        return fail(ENODEV, fmt::format("no CRTC for connector {}", connector_));
    crtc_ = resources.crtcs[first];
    return {};
}

Result<GuestFramebuffer> GuestCard::import(int dmabuf) const
{
    std::uint32_t handle = 0;
    if (const int result = drmPrimeFDToHandle(card_.get(), dmabuf, &handle); result != 0)
        return fail_with(error_of(result), "drmPrimeFDToHandle");
    GuestFramebuffer framebuffer(card_.get(), handle); // closes the handle if AddFB2 fails

    const std::uint32_t width = mode_.hdisplay;
    const std::uint32_t height = mode_.vdisplay;
    const std::array<std::uint32_t, 4> handles{handle};
    const std::array<std::uint32_t, 4> pitches{width * 4};
    const std::array<std::uint32_t, 4> offsets{};
    std::uint32_t id = 0;
    const int result = drmModeAddFB2(card_.get(), width, height, DRM_FORMAT_XRGB8888, handles.data(),
                                     pitches.data(), offsets.data(), &id, 0);
    if (result != 0)
        return fail_with(error_of(result), fmt::format("drmModeAddFB2 of {}x{} XRGB8888", width, height));
    framebuffer.adopt_id(id);
    return framebuffer;
}

Result<void> GuestCard::set_crtc(const GuestFramebuffer &framebuffer) const
{
    std::uint32_t connector = connector_;
    drmModeModeInfo mode = mode_;
    const int result = drmModeSetCrtc(card_.get(), crtc_, framebuffer.id(), 0, 0, &connector, 1, &mode);
    if (result != 0)
        return fail_with(error_of(result), fmt::format("drmModeSetCrtc to framebuffer {}", framebuffer.id()));
    return {};
}

Result<void> GuestCard::flip(const GuestFramebuffer &framebuffer) const
{
    const std::uint32_t before = *flips_done_;
    const int result =
        drmModePageFlip(card_.get(), crtc_, framebuffer.id(), DRM_MODE_PAGE_FLIP_EVENT, flips_done_.get());
    if (result != 0)
        return fail_with(error_of(result),
                         fmt::format("drmModePageFlip to framebuffer {}", framebuffer.id()));
    while (*flips_done_ == before) {
        if (auto done = wait_for_flip(); !done)
            return done;
    }
    return {};
}

Result<void> GuestCard::wait_for_flip() const
{
    pollfd ready{.fd = card_.get(), .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, kFlipTimeoutMs);
    if (count == 0)
        return fail(ETIMEDOUT, fmt::format("no flip event within {} ms", kFlipTimeoutMs));
    if (count < 0)
        return errno == EINTR ? Result<void>{} : fail_with(errno, "poll of the card");
    drmEventContext context{};
    context.version = 2;
    context.page_flip_handler = on_flip;
    if (drmHandleEvent(card_.get(), &context) != 0)
        return fail_with(errno, "drmHandleEvent");
    return {};
}

Result<void> GuestCard::disable() const
{
    const int result = drmModeSetCrtc(card_.get(), crtc_, 0, 0, 0, nullptr, 0, nullptr);
    if (result != 0)
        return fail_with(error_of(result), "drmModeSetCrtc off");
    return {};
}

} // namespace vramlink::demo
