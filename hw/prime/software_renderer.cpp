// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/software_renderer.hpp"

#include "vramlink/unique_fd.hpp"

#include <fcntl.h>
#include <virtgpu_drm.h>
#include <xf86drm.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace vramlink {
namespace {

struct FreeDevice {
    void operator()(drmDevice *device) const { drmFreeDevice(&device); }
};

struct FreeVersion {
    void operator()(drmVersion *version) const { drmFreeVersion(version); }
};

/// A node of the device that this process may open; the render node first, as it asks for no rights.
UniqueFd open_node(dev_t id)
{
    drmDevice *found = nullptr;
    if (drmGetDeviceFromDevId(id, 0, &found) != 0)
        return UniqueFd();
    const std::unique_ptr<drmDevice, FreeDevice> device(found);
    for (const int node : {DRM_NODE_RENDER, DRM_NODE_PRIMARY}) {
        if (!(device->available_nodes & 1 << node))
            continue;
        if (UniqueFd fd(open(device->nodes[node], O_RDWR | O_CLOEXEC)); fd)
            return fd;
    }
    return UniqueFd();
}

} // namespace

bool draws_with_cpu(dev_t device)
{
    const UniqueFd fd = open_node(device);
    if (!fd)
        return false;
    const std::unique_ptr<drmVersion, FreeVersion> version(drmGetVersion(fd.get()));
    if (!version || std::string_view(version->name) != "virtio_gpu")
        return false;
    int has_3d = 1;
    drm_virtgpu_getparam question{.param = VIRTGPU_PARAM_3D_FEATURES,
                                  .value = reinterpret_cast<uintptr_t>(&has_3d)};
    return drmIoctl(fd.get(), DRM_IOCTL_VIRTGPU_GETPARAM, &question) == 0 && has_3d == 0;
}

} // namespace vramlink
