// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/listener_protocol.hpp"

#include "tools/viewer/glib_ptr.hpp"
#include "vramlink/still_name.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

namespace vramlink {
namespace {

constexpr const char *introspection_xml = R"(
<node>
  <interface name="org.qemu.Display1.Listener">
    <method name="Scanout">
      <arg type="u" direction="in"/><arg type="u" direction="in"/><arg type="u" direction="in"/>
      <arg type="u" direction="in"/><arg type="ay" direction="in"/>
    </method>
    <method name="Update">
      <arg type="i" direction="in"/><arg type="i" direction="in"/><arg type="i" direction="in"/>
      <arg type="i" direction="in"/><arg type="u" direction="in"/><arg type="u" direction="in"/>
      <arg type="ay" direction="in"/>
    </method>
    <method name="ScanoutDMABUF">
      <arg type="h" direction="in"/><arg type="u" direction="in"/><arg type="u" direction="in"/>
      <arg type="u" direction="in"/><arg type="u" direction="in"/><arg type="t" direction="in"/>
      <arg type="b" direction="in"/>
    </method>
    <method name="UpdateDMABUF">
      <arg type="i" direction="in"/><arg type="i" direction="in"/><arg type="i" direction="in"/>
      <arg type="i" direction="in"/>
    </method>
    <method name="Disable"/>
    <method name="MouseSet">
      <arg type="i" direction="in"/><arg type="i" direction="in"/><arg type="i" direction="in"/>
    </method>
    <method name="CursorDefine">
      <arg type="i" direction="in"/><arg type="i" direction="in"/><arg type="i" direction="in"/>
      <arg type="i" direction="in"/><arg type="ay" direction="in"/>
    </method>
    <property name="Interfaces" type="as" access="read"/>
  </interface>
</node>)";

/// The bytes of an "ay" without a copy; they belong to @p parameters.
std::span<const uint8_t> bytes_of(GVariant *parameters, gsize index)
{
    const GVariantPtr child(g_variant_get_child_value(parameters, index));
    gsize size = 0;
    const auto *data = static_cast<const uint8_t *>(g_variant_get_fixed_array(child.get(), &size, 1));
    return {data, size};
}

Result<void> check_pixels(const Pixels &p)
{
    if (p.width == 0 || p.height == 0 || p.width > max_frame_side || p.height > max_frame_side)
        return fail(EINVAL, fmt::format("{}x{} pixels: each side must be 1 to {}", p.width, p.height,
                                        max_frame_side));
    const auto pixel = bytes_per_pixel(p.format);
    if (!pixel)
        return fail(EINVAL,
                    fmt::format("pixman format {:#x} is not supported", static_cast<uint32_t>(p.format)));
    const uint64_t row = uint64_t{p.width} * *pixel;
    if (p.stride < row)
        return fail(EINVAL, fmt::format("stride {} is shorter than a row of {} bytes", p.stride, row));
    const uint64_t need = uint64_t{p.stride} * (p.height - 1) + row;
    if (need > p.data.size())
        return fail(EINVAL, fmt::format("{} bytes of pixels where {} are needed", p.data.size(), need));
    return {};
}

} // namespace

bool is_still(int dmabuf)
{
    constexpr std::string_view line = "\nname:\t" VRL_STILL_NAME "\n";
    std::array<char, 32> path{};
    std::array<char, 512> text{}; // about 100 bytes (Linux: dma_buf_show_fdinfo())
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fdinfo/%d", dmabuf);
    const UniqueFd info(open(path.data(), O_RDONLY | O_CLOEXEC));
    const ssize_t got = info ? read(info.get(), text.data(), text.size()) : 0;
    return got > 0 && std::string_view(text.data(), static_cast<size_t>(got)).find(line) != line.npos;
}

GDBusInterfaceInfo *listener_interface_info()
{
    static GDBusNodeInfo *const node = g_dbus_node_info_new_for_xml(introspection_xml, nullptr);
    return g_dbus_node_info_lookup_interface(node, listener_interface);
}

std::optional<uint32_t> bytes_per_pixel(PixelFormat format)
{
    switch (format) {
    case PixelFormat::x8r8g8b8:
    case PixelFormat::a8r8g8b8:
    case PixelFormat::x8b8g8r8:
    case PixelFormat::a8b8g8r8:
    case PixelFormat::b8g8r8x8:
    case PixelFormat::b8g8r8a8:
    case PixelFormat::r8g8b8x8:
    case PixelFormat::r8g8b8a8:
        return 4;
    case PixelFormat::r5g6b5:
        return 2;
    }
    return std::nullopt;
}

Result<Pixels> decode_scanout(GVariant *parameters)
{
    Pixels pixels;
    uint32_t format = 0;
    g_variant_get(parameters, "(uuuu@ay)", &pixels.width, &pixels.height, &pixels.stride, &format, nullptr);
    pixels.format = static_cast<PixelFormat>(format);
    pixels.data = bytes_of(parameters, 4);
    if (const auto checked = check_pixels(pixels); !checked)
        return std::unexpected(checked.error());
    return pixels;
}

Result<PixelUpdate> decode_update(GVariant *parameters)
{
    int32_t x = 0, y = 0, width = 0, height = 0;
    uint32_t stride = 0, format = 0;
    g_variant_get(parameters, "(iiiiuu@ay)", &x, &y, &width, &height, &stride, &format, nullptr);
    if (x < 0 || y < 0 || width < 0 || height < 0)
        return fail(EINVAL, fmt::format("an update of {}x{} pixels at {},{}: negative", width, height, x, y));
    PixelUpdate update;
    update.x = static_cast<uint32_t>(x);
    update.y = static_cast<uint32_t>(y);
    update.pixels = {static_cast<uint32_t>(width), static_cast<uint32_t>(height), stride,
                     static_cast<PixelFormat>(format), bytes_of(parameters, 6)};
    if (const auto checked = check_pixels(update.pixels); !checked)
        return std::unexpected(checked.error());
    return update;
}

Result<DmabufFrame> decode_scanout_dmabuf(GVariant *parameters, std::span<UniqueFd> fds)
{
    DmabufFrame frame;
    int32_t index = -1;
    gboolean y0_top = FALSE;
    FrameLayout &layout = frame.layout;
    g_variant_get(parameters, "(huuuutb)", &index, &layout.width, &layout.height, &layout.stride,
                  &layout.fourcc, &layout.modifier, &y0_top);
    if (index < 0 || static_cast<size_t>(index) >= fds.size())
        return fail(EBADF,
                    fmt::format("dma-buf handle {} in a message with {} descriptors", index, fds.size()));
    frame.fd = std::move(fds[static_cast<size_t>(index)]);
    frame.bottom_up = y0_top != FALSE;
    frame.still = is_still(frame.fd.get());
    return frame;
}

Result<CursorImage> decode_cursor(GVariant *parameters)
{
    constexpr int32_t largest = 512; // QEMU's own limit (ui/cursor.c)
    int32_t width = 0, height = 0, hot_x = 0, hot_y = 0;
    g_variant_get(parameters, "(iiii@ay)", &width, &height, &hot_x, &hot_y, nullptr);
    if (width < 0 || height < 0 || width > largest || height > largest)
        return fail(EINVAL, fmt::format("a cursor of {}x{} pixels: each side must be 0 to {}", width, height,
                                        largest));
    CursorImage image{static_cast<uint32_t>(width), static_cast<uint32_t>(height), 0, 0,
                      bytes_of(parameters, 4)};
    const size_t need = size_t{image.width} * image.height * 4;
    if (image.argb.size() < need)
        return fail(EINVAL, fmt::format("{} bytes of a cursor where {} are needed", image.argb.size(), need));
    image.argb = image.argb.first(need);
    // A hot spot outside of the picture is the guest's whim; the nearest pixel does.
    image.hot_x = static_cast<uint32_t>(std::clamp(hot_x, 0, std::max(0, width - 1)));
    image.hot_y = static_cast<uint32_t>(std::clamp(hot_y, 0, std::max(0, height - 1)));
    return image;
}

Rect decode_update_dmabuf(GVariant *parameters)
{
    int32_t x = 0, y = 0, width = 0, height = 0;
    g_variant_get(parameters, "(iiii)", &x, &y, &width, &height);
    if (x < 0 || y < 0 || width < 0 || height < 0)
        return {};
    return {static_cast<uint32_t>(x), static_cast<uint32_t>(y), static_cast<uint32_t>(width),
            static_cast<uint32_t>(height)};
}

} // namespace vramlink
