// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/vm_info.hpp"

#include "tools/viewer/glib_ptr.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

namespace vramlink {
namespace {

constexpr std::string_view console_prefix = "/org/qemu/Display1/Console_";

std::optional<unsigned> console_id(std::string_view path)
{
    if (!path.starts_with(console_prefix))
        return std::nullopt;
    path.remove_prefix(console_prefix.size());
    unsigned id = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), id);
    if (error != std::errc() || end != path.data() + path.size())
        return std::nullopt;
    return id;
}

GVariantPtr interface_of(GVariant *object, const char *name)
{
    return GVariantPtr(g_variant_lookup_value(object, name, G_VARIANT_TYPE_VARDICT));
}

std::string text(GVariant *properties, const char *name)
{
    const char *value = "";
    (void)g_variant_lookup(properties, name, "&s", &value);
    return value;
}

uint32_t number(GVariant *properties, const char *name)
{
    guint32 value = 0;
    (void)g_variant_lookup(properties, name, "u", &value);
    return value;
}

} // namespace

const ConsoleInfo *VmInfo::console(unsigned id) const
{
    const auto found = std::ranges::find(consoles, id, &ConsoleInfo::id);
    return found == consoles.end() ? nullptr : &*found;
}

Result<VmInfo> decode_vm(GVariant *objects)
{
    VmInfo vm;
    bool found = false;
    const GVariantPtr list(g_variant_get_child_value(objects, 0));
    GVariantIter next;
    g_variant_iter_init(&next, list.get());
    const char *path = nullptr;
    GVariant *raw = nullptr;
    while (g_variant_iter_next(&next, "{&o@a{sa{sv}}}", &path, &raw)) {
        const GVariantPtr object(raw);
        if (const auto properties = interface_of(object.get(), "org.qemu.Display1.VM")) {
            found = true;
            vm.name = text(properties.get(), "Name");
            vm.uuid = text(properties.get(), "UUID");
        }
        const auto properties = interface_of(object.get(), "org.qemu.Display1.Console");
        const auto id = console_id(path);
        if (properties && id) {
            GVariant *of = properties.get();
            vm.consoles.push_back({*id, text(of, "Label"), text(of, "Type") == "Graphic", number(of, "Head"),
                                   number(of, "Width"), number(of, "Height"), text(of, "DeviceAddress")});
        }
    }
    if (!found)
        return fail(EPROTO, "QEMU's D-Bus display shows no VM");
    std::ranges::sort(vm.consoles, {}, &ConsoleInfo::id);
    return vm;
}

} // namespace vramlink
