// SPDX-License-Identifier: GPL-2.0-or-later
//
// The wire side of org.qemu.Display1.Listener (QEMU: ui/dbus-display1.xml): what we offer, and decoding of
// what arrives. Numbers are hostile until decode_* has answered.

#ifndef VRAMLINK_TOOLS_VIEWER_LISTENER_PROTOCOL_HPP
#define VRAMLINK_TOOLS_VIEWER_LISTENER_PROTOCOL_HPP

#include "tools/viewer/display_sink.hpp"
#include "vramlink/error.hpp"

#include <gio/gio.h>

#include <optional>

namespace vramlink {

inline constexpr const char *listener_path = "/org/qemu/Display1/Listener";
inline constexpr const char *listener_interface = "org.qemu.Display1.Listener";

/// Introspection data of the listener interface. Lives as long as the program.
GDBusInterfaceInfo *listener_interface_info();

/// Bytes a pixel; nullopt when we cannot show the format.
std::optional<uint32_t> bytes_per_pixel(PixelFormat format);

/// Scanout(uuuuay). The span borrows from @p parameters.
Result<Pixels> decode_scanout(GVariant *parameters);

struct PixelUpdate {
    uint32_t x = 0, y = 0;
    Pixels pixels;
};
/// Update(iiiiuuay). The span borrows from @p parameters.
Result<PixelUpdate> decode_update(GVariant *parameters);

/// Whether the dma-buf has the name of a still; Linux tells it in /proc/self/fdinfo.
bool is_still(int dmabuf);

/// ScanoutDMABUF(huuuutb). @p fds: what came with the message; the one that is meant is taken out of it.
Result<DmabufFrame> decode_scanout_dmabuf(GVariant *parameters, std::span<UniqueFd> fds);

/// CursorDefine(iiiiay). The span borrows from @p parameters.
Result<CursorImage> decode_cursor(GVariant *parameters);

/// UpdateDMABUF(iiii). A bad rectangle degrades to an empty one, which stands for "everything".
Rect decode_update_dmabuf(GVariant *parameters);

} // namespace vramlink

#endif
