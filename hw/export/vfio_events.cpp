// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/export/vfio_events.hpp"

#include "hw/export/vfio_abi.hpp"

namespace vramlink {

std::expected<void, int> VfioEvents::listen(int device_fd, int event) noexcept
{
    vfio_abi::EventRequest request{
        .argsz = sizeof request,
        .feature = VFIO_DEVICE_FEATURE_SET | vfio_abi::feature_event,
        .eventfd = event,
        .reserved = 0,
    };
    const int result = calls_.ioctl(device_fd, VFIO_DEVICE_FEATURE, &request);
    if (result < 0)
        return std::unexpected(-result);
    return {};
}

std::expected<DmaBufState, int> VfioEvents::state(int device_fd, int dmabuf) noexcept
{
    vfio_abi::StateRequest request{
        .argsz = sizeof request,
        .feature = VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_state,
        .dmabuf = dmabuf,
        .state = 0,
        .generation = 0,
    };
    const int result = calls_.ioctl(device_fd, VFIO_DEVICE_FEATURE, &request);
    if (result < 0)
        return std::unexpected(-result);
    return DmaBufState{.live = request.state == vfio_abi::state_live, .generation = request.generation};
}

} // namespace vramlink
