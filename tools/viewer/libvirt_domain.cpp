// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/libvirt_domain.hpp"

#include "tools/viewer/glib_ptr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

namespace vramlink {
namespace {

struct Found {
    bool display = false, peer_to_peer = false;
    std::string address;
};

void on_element(GMarkupParseContext *context, const char *element, const char **names, const char **values,
                gpointer user, GError **)
{
    const GSList *stack = g_markup_parse_context_get_element_stack(context);
    const bool in_devices =
        stack->next && std::string_view(static_cast<const char *>(stack->next->data)) == "devices";
    if (std::string_view(element) != "graphics" || !in_devices)
        return;
    auto *found = static_cast<Found *>(user);
    bool dbus = false, p2p = false;
    std::string address;
    for (size_t i = 0; names[i]; i++) {
        const std::string_view name = names[i], value = values[i];
        dbus = dbus || (name == "type" && value == "dbus");
        p2p = p2p || (name == "p2p" && value == "yes");
        if (name == "address")
            address = value;
    }
    if (!dbus || found->display)
        return;
    *found = {true, p2p, address};
}

std::string trimmed(std::string_view text)
{
    while (!text.empty() && g_ascii_isspace(text.back()))
        text.remove_suffix(1);
    std::string line(text);
    std::ranges::replace(line, '\n', ' ');
    return line;
}

} // namespace

Result<std::string> dbus_address_in(const std::string &xml)
{
    constexpr GMarkupParser parser{&on_element, nullptr, nullptr, nullptr, nullptr};
    Found found;
    GErrorHolder error;
    GMarkupParseContext *context =
        g_markup_parse_context_new(&parser, static_cast<GMarkupParseFlags>(0), &found, nullptr);
    const bool parsed =
        g_markup_parse_context_parse(context, xml.data(), static_cast<gssize>(xml.size()), &error) &&
        g_markup_parse_context_end_parse(context, &error);
    g_markup_parse_context_free(context);
    if (!parsed)
        return fail(EINVAL, "the domain's XML: " + error.text());
    if (!found.display)
        return fail(ENOENT, "the domain has no D-Bus display: it wants <graphics type='dbus'/>");
    if (found.peer_to_peer)
        return fail(EOPNOTSUPP,
                    "the domain's D-Bus display is peer to peer (p2p='yes'), which only libvirt's own "
                    "clients can join; without p2p it has an address");
    if (found.address.empty())
        return fail(ENOENT, "the domain's D-Bus display has no address: it is not running");
    return found.address;
}

Result<std::string> dbus_address_of_domain(const std::string &name, const std::string &uri)
{
    std::vector<const char *> words{"timeout", "10", "virsh"};
    if (!uri.empty())
        words.insert(words.end(), {"--connect", uri.c_str()});
    words.insert(words.end(), {"dumpxml", "--", name.c_str(), nullptr});
    char *out = nullptr, *said = nullptr;
    int status = 0;
    GErrorHolder error;
    const bool ran = g_spawn_sync(nullptr, const_cast<char **>(words.data()), nullptr, G_SPAWN_SEARCH_PATH,
                                  nullptr, nullptr, &out, &said, &status, &error) != FALSE;
    const std::string xml = out ? out : "", complaint = trimmed(said ? said : "");
    g_free(out);
    g_free(said);
    if (!ran)
        return fail(EIO, "virsh: " + error.text());
    GErrorHolder ended;
    if (!g_spawn_check_wait_status(status, &ended))
        return fail(EIO,
                    fmt::format("virsh dumpxml {}: {}", name, complaint.empty() ? ended.text() : complaint));
    return dbus_address_in(xml);
}

} // namespace vramlink
