// SPDX-License-Identifier: GPL-2.0-or-later
//
// Pixel formats by their fourcc (drm_fourcc.h): size of a pixel, name, opaque twin.

#ifndef VRAMLINK_HW_PRIME_FOURCC_HPP
#define VRAMLINK_HW_PRIME_FOURCC_HPP

#include <cstdint>
#include <optional>
#include <string>

namespace vramlink {

/// Bytes a pixel of the packed RGB formats that a virtual display can have; nullopt for every other format.
std::optional<uint32_t> bytes_per_pixel(uint32_t fourcc);

/// The same layout with the alpha bits ignored. A screen is opaque, and a primary plane often offers only the
/// X variant (virtio-gpu: XR24 alone).
uint32_t opaque_twin(uint32_t fourcc);

/// "XR24", or a hexadecimal number when it is not printable.
std::string fourcc_text(uint32_t fourcc);

} // namespace vramlink

#endif
