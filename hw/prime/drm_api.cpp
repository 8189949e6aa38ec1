// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/drm_api.hpp"

#include <drm_mode.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

namespace vramlink {
namespace {

template <class T, void (*Free)(T *)> struct Freer {
    void operator()(T *p) const { Free(p); }
};
using ResourcesPtr = std::unique_ptr<drmModeRes, Freer<drmModeRes, drmModeFreeResources>>;
using ConnectorPtr = std::unique_ptr<drmModeConnector, Freer<drmModeConnector, drmModeFreeConnector>>;
using EncoderPtr = std::unique_ptr<drmModeEncoder, Freer<drmModeEncoder, drmModeFreeEncoder>>;
using CrtcPtr = std::unique_ptr<drmModeCrtc, Freer<drmModeCrtc, drmModeFreeCrtc>>;
using PlaneResourcesPtr = std::unique_ptr<drmModePlaneRes, Freer<drmModePlaneRes, drmModeFreePlaneResources>>;
using PlanePtr = std::unique_ptr<drmModePlane, Freer<drmModePlane, drmModeFreePlane>>;
using PropertiesPtr =
    std::unique_ptr<drmModeObjectProperties, Freer<drmModeObjectProperties, drmModeFreeObjectProperties>>;
using PropertyPtr = std::unique_ptr<drmModePropertyRes, Freer<drmModePropertyRes, drmModeFreeProperty>>;
using AtomicPtr = std::unique_ptr<drmModeAtomicReq, Freer<drmModeAtomicReq, drmModeAtomicFree>>;

/// libdrm answers -1 with errno in some functions and -errno in others.
int from_errno(int result)
{
    return result < 0 ? -errno : 0;
}

std::vector<uint32_t> crtcs_of_mask(const drmModeRes &resources, uint32_t mask)
{
    std::vector<uint32_t> crtcs;
    for (int i = 0; i < resources.count_crtcs && i < 32; i++) {
        if (mask & (1U << i))
            crtcs.push_back(resources.crtcs[i]);
    }
    return crtcs;
}

/// The CRTCs that any encoder of the connector can be driven by.
std::vector<uint32_t> possible_crtcs(int fd, const drmModeRes &resources, const drmModeConnector &connector)
{
    uint32_t mask = 0;
    for (int i = 0; i < connector.count_encoders; i++) {
        const EncoderPtr encoder(drmModeGetEncoder(fd, connector.encoders[i]));
        if (encoder)
            mask |= encoder->possible_crtcs;
    }
    return crtcs_of_mask(resources, mask);
}

ConnectorInfo describe(int fd, const drmModeRes &resources, const drmModeConnector &connector)
{
    ConnectorInfo info;
    info.id = connector.connector_id;
    info.type = connector.connector_type;
    info.type_index = connector.connector_type_id;
    info.connected = connector.connection == DRM_MODE_CONNECTED;
    info.possible_crtcs = possible_crtcs(fd, resources, connector);
    info.width_mm = connector.mmWidth;
    info.height_mm = connector.mmHeight;
    info.modes.assign(connector.modes, connector.modes + connector.count_modes);
    if (connector.encoder_id) {
        const EncoderPtr encoder(drmModeGetEncoder(fd, connector.encoder_id));
        info.current_crtc = encoder ? encoder->crtc_id : 0;
    }
    return info;
}

struct Property {
    uint32_t id = 0;
    uint64_t value = 0;
};

/// By name. nullopt: errno tells why.
std::optional<std::map<std::string, Property>> properties_of(int fd, uint32_t object)
{
    const PropertiesPtr all(drmModeObjectGetProperties(fd, object, DRM_MODE_OBJECT_ANY));
    if (!all)
        return std::nullopt;
    std::map<std::string, Property> found;
    for (uint32_t i = 0; i < all->count_props; i++) {
        const PropertyPtr property(drmModeGetProperty(fd, all->props[i]));
        if (property)
            found[property->name] = {property->prop_id, all->prop_values[i]};
    }
    return found;
}

bool is_primary(int fd, uint32_t plane)
{
    const auto properties = properties_of(fd, plane);
    if (!properties)
        return false;
    const auto type = properties->find("type");
    return type != properties->end() && type->second.value == DRM_PLANE_TYPE_PRIMARY;
}

/// Walks the kernel's event records; drm_event.length covers header and payload.
void collect_flips(const char *data, size_t size, std::vector<uint64_t> *cookies)
{
    size_t at = 0;
    while (size - at >= sizeof(drm_event)) {
        drm_event header{};
        std::memcpy(&header, data + at, sizeof(header));
        if (header.length < sizeof(header) || header.length > size - at)
            return;
        if (header.type == DRM_EVENT_FLIP_COMPLETE && header.length >= sizeof(drm_event_vblank)) {
            drm_event_vblank flip{};
            std::memcpy(&flip, data + at, sizeof(flip));
            cookies->push_back(flip.user_data);
        }
        at += header.length;
    }
}

class Libdrm final : public DrmApi {
  public:
    int open(const char *path) override
    {
        const int fd = ::open(path, O_RDWR | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }

    int get_cap(int fd, uint64_t capability, uint64_t *value) override
    {
        return from_errno(drmGetCap(fd, capability, value));
    }

    int is_master(int fd) override { return drmIsMaster(fd); }

    int prime_fd_to_handle(int fd, int dmabuf, uint32_t *handle) override
    {
        return from_errno(drmPrimeFDToHandle(fd, dmabuf, handle));
    }

    int gem_close(int fd, uint32_t handle) override
    {
        drm_gem_close request{};
        request.handle = handle;
        return from_errno(drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &request));
    }

    int add_framebuffer(int fd, const FramebufferRequest &r, uint32_t *id) override
    {
        return drmModeAddFB2WithModifiers(fd, r.width, r.height, r.fourcc, r.handles.data(), r.pitches.data(),
                                          r.offsets.data(), r.with_modifiers ? r.modifiers.data() : nullptr,
                                          id, r.with_modifiers ? DRM_MODE_FB_MODIFIERS : 0);
    }

    int remove_framebuffer(int fd, uint32_t id) override { return drmModeRmFB(fd, id); }

    int create_dumb(int fd, uint32_t width, uint32_t height, DumbAllocation *out) override
    {
        drm_mode_create_dumb request{};
        request.width = width;
        request.height = height;
        request.bpp = 32;
        if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &request) < 0)
            return -errno;
        *out = {request.handle, request.pitch, request.size};
        return 0;
    }

    int map_dumb(int fd, const DumbAllocation &dumb, void **address) override
    {
        drm_mode_map_dumb request{};
        request.handle = dumb.handle;
        if (drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &request) < 0)
            return -errno;
        void *p = mmap(nullptr, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, // NOLINT
                       static_cast<off_t>(request.offset));
        if (p == MAP_FAILED)
            return -errno;
        *address = p;
        return 0;
    }

    void unmap_dumb(void *address, size_t size) override { munmap(address, size); }

    int get_connectors(int fd, std::vector<ConnectorInfo> *out) override
    {
        const ResourcesPtr resources(drmModeGetResources(fd));
        if (!resources)
            return -errno;
        std::vector<ConnectorInfo> found;
        for (int i = 0; i < resources->count_connectors; i++) {
            const ConnectorPtr connector(drmModeGetConnector(fd, resources->connectors[i]));
            if (connector)
                found.push_back(describe(fd, *resources, *connector));
        }
        *out = std::move(found);
        return 0;
    }

    int get_crtc(int fd, uint32_t crtc, CrtcState *out) override
    {
        const CrtcPtr state(drmModeGetCrtc(fd, crtc));
        if (!state)
            return -errno;
        *out = {state->buffer_id, state->x, state->y, state->mode_valid != 0, state->mode};
        return 0;
    }

    int set_crtc(int fd, uint32_t crtc, uint32_t connector, const CrtcState &state) override
    {
        if (!state.framebuffer)
            return drmModeSetCrtc(fd, crtc, 0, 0, 0, nullptr, 0, nullptr);
        drmModeModeInfo mode = state.mode; // libdrm takes it without const
        return drmModeSetCrtc(fd, crtc, state.framebuffer, state.x, state.y, &connector, 1, &mode);
    }

    int page_flip(int fd, uint32_t crtc, uint32_t framebuffer, uint64_t cookie) override
    {
        return drmModePageFlip(fd, crtc, framebuffer, DRM_MODE_PAGE_FLIP_EVENT,
                               reinterpret_cast<void *>(static_cast<uintptr_t>(cookie))); // NOLINT
    }

    int use_atomic(int fd) override { return from_errno(drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1)); }

    int get_primary_planes(int fd, std::vector<PlaneInfo> *out) override
    {
        const ResourcesPtr resources(drmModeGetResources(fd));
        const PlaneResourcesPtr planes(drmModeGetPlaneResources(fd));
        if (!resources || !planes)
            return -errno;
        std::vector<PlaneInfo> found;
        for (uint32_t i = 0; i < planes->count_planes; i++) {
            const PlanePtr plane(drmModeGetPlane(fd, planes->planes[i]));
            if (plane && is_primary(fd, plane->plane_id))
                found.push_back({plane->plane_id, crtcs_of_mask(*resources, plane->possible_crtcs)});
        }
        *out = std::move(found);
        return 0;
    }

    int get_properties(int fd, uint32_t object, std::map<std::string, uint32_t> *out) override
    {
        const auto properties = properties_of(fd, object);
        if (!properties)
            return -errno;
        out->clear();
        for (const auto &[name, property] : *properties)
            (*out)[name] = property.id;
        return 0;
    }

    int create_blob(int fd, const void *data, size_t size, uint32_t *id) override
    {
        return drmModeCreatePropertyBlob(fd, data, size, id);
    }

    int destroy_blob(int fd, uint32_t id) override { return drmModeDestroyPropertyBlob(fd, id); }

    int commit(int fd, const AtomicRequest &r) override
    {
        const AtomicPtr request(drmModeAtomicAlloc());
        if (!request)
            return -ENOMEM;
        for (const PropertyValue &value : r.values) {
            if (drmModeAtomicAddProperty(request.get(), value.object, value.property, value.value) < 0)
                return -ENOMEM;
        }
        const uint32_t flags = (r.may_set_mode ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0U) |
                               (r.cookie ? DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT : 0U);
        return drmModeAtomicCommit(fd, request.get(), flags,
                                   reinterpret_cast<void *>(static_cast<uintptr_t>(r.cookie))); // NOLINT
    }

    int set_cursor(int fd, uint32_t crtc, const CursorRequest &c) override
    {
        return drmModeSetCursor2(fd, crtc, c.handle, c.width, c.height, c.hot_x, c.hot_y);
    }

    int move_cursor(int fd, uint32_t crtc, int x, int y) override
    {
        return drmModeMoveCursor(fd, crtc, x, y);
    }

    int read_flip_events(int fd, std::vector<uint64_t> *cookies) override
    {
        pollfd waiting{fd, POLLIN, 0};
        while (poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN)) {
            std::array<char, 1024> buffer{};
            const ssize_t got = read(fd, buffer.data(), buffer.size());
            if (got < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
            collect_flips(buffer.data(), static_cast<size_t>(got), cookies);
        }
        return 0;
    }
};

} // namespace

DrmApi &libdrm_api()
{
    static Libdrm api;
    return api;
}

} // namespace vramlink
