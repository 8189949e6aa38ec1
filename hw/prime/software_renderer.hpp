// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether a compositor draws with the CPU although it takes dma-bufs.

#ifndef VRAMLINK_HW_PRIME_SOFTWARE_RENDERER_HPP
#define VRAMLINK_HW_PRIME_SOFTWARE_RENDERER_HPP

#include <sys/types.h>

namespace vramlink {

/// True when the DRM device @p device, a compositor's main device (zwp_linux_dmabuf_feedback_v1), imports
/// dma-bufs of other devices and cannot draw: a virtio-gpu without 3D. Mesa then draws with the CPU
/// (kms_swrast). It takes what the device imports, reads it through a mapping that the kernel gives of no
/// imported buffer (drivers/gpu/drm/drm_gem.c, drm_gem_dumb_map_offset), does not look whether there is one,
/// and the compositor ends with SIGSEGV (sway 1.10 and weston 14 with Mesa 25 did). Other devices without an
/// engine refuse such an import, so that the compositor says no. False also when the device cannot be asked.
[[nodiscard]] bool draws_with_cpu(dev_t device);

} // namespace vramlink

#endif
