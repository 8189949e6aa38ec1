// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/export/udmabuf_exporter.hpp"

#include "vramlink/errno_text.hpp"

#include <fmt/format.h>
#include <linux/udmabuf.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

namespace vramlink {
namespace {

constexpr const char *device_path = "/dev/udmabuf";

/// A parameter of the udmabuf module, or "unknown".
std::string module_parameter(const char *name)
{
    std::ifstream file(fmt::format("/sys/module/udmabuf/parameters/{}", name));
    std::string value;
    return file >> value ? value : "unknown";
}

std::string open_advice(int code)
{
    if (code == EACCES || code == EPERM)
        return "the VMM's user may not open it; give it read and write permission";
    return "load the udmabuf module (modprobe udmabuf)";
}

std::string export_advice(int code)
{
    switch (code) {
    case EINVAL:
        return fmt::format("the memory must be a memfd sealed against shrinking (QEMU: "
                           "memory-backend-memfd,share=on), in at most list_limit = {} ranges and "
                           "size_limit_mb = {} MiB (udmabuf.list_limit=N raises it)",
                           module_parameter("list_limit"), module_parameter("size_limit_mb"));
    case EBADFD:
        return "the guest's RAM is no memfd; use QEMU's memory-backend-memfd,share=on";
    case ENOMEM:
        return "the host's kernel found no memory for the list of pages";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is left; raise the limit on open files (RLIMIT_NOFILE)";
    default:
        return "see the kernel's log";
    }
}

/// struct udmabuf_create_list and its items in one buffer of 8-byte words, as both are aligned to 8.
std::vector<uint64_t> make_request(const ExtentList &memory, const ExtentTail &tail)
{
    static_assert(sizeof(udmabuf_create_list) == 8 && sizeof(udmabuf_create_item) == 24);
    const size_t bytes = sizeof(udmabuf_create_list) + tail.size() * sizeof(udmabuf_create_item);
    std::vector<uint64_t> words(bytes / sizeof(uint64_t));
    auto *list = reinterpret_cast<udmabuf_create_list *>(words.data());
    list->flags = UDMABUF_FLAGS_CLOEXEC;
    list->count = static_cast<uint32_t>(tail.size());
    auto *items = reinterpret_cast<udmabuf_create_item *>(list + 1);
    for (size_t i = 0; i < tail.size(); ++i) {
        const Extent extent = tail[i];
        const Region &region = memory.region_of(extent);
        items[i].memfd = static_cast<uint32_t>(region.fd);
        items[i].offset = region.map_offset + extent.offset;
        items[i].size = extent.length;
    }
    return words;
}

} // namespace

Result<UniqueFd> UdmabufExporter::export_from(const ExtentList &memory, uint64_t start)
{
    const UniqueFd device(calls_.open(device_path));
    if (!device)
        return fail(-device.get(), fmt::format("{} cannot be opened ({}): {}", device_path,
                                               errno_name(-device.get()), open_advice(-device.get())));
    const ExtentTail tail(memory, start);
    std::vector<uint64_t> request = make_request(memory, tail);
    const int result = calls_.ioctl(device.get(), UDMABUF_CREATE_LIST, request.data());
    if (result < 0)
        return fail(-result, fmt::format("udmabuf export of {} ranges failed with {}: {}", tail.size(),
                                         errno_name(-result), export_advice(-result)));
    return UniqueFd(result);
}

} // namespace vramlink
