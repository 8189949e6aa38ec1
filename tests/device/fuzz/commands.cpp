// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/fuzz/commands.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace vramlink::test {

namespace {

constexpr std::uint32_t last_id = 10;

virtio_gpu_ctrl_hdr header(Random &random, std::uint32_t type)
{
    virtio_gpu_ctrl_hdr hdr{};
    hdr.type = type;
    if (random.chance(40)) {
        hdr.flags = VIRTIO_GPU_FLAG_FENCE;
        hdr.fence_id = random.any();
    }
    return hdr;
}

std::uint32_t some_id(Random &random)
{
    return random.chance(97) ? random.in32(1, last_id) : random.edge();
}

virtio_gpu_rect some_rect(Random &random)
{
    if (random.chance(70))
        return {0, 0, 4 * random.in32(4, 32), random.in32(16, 96)};
    if (random.chance(50))
        return {random.in32(0, 64), random.in32(0, 64), random.in32(0, 128), random.in32(0, 128)};
    return {random.edge(), random.edge(), random.edge(), random.edge()};
}

Entry some_entry(Random &random, const Places &places)
{
    const bool good = random.chance(96);
    const auto &from = good ? places.memory : places.none;
    const auto &stretch = from[random.in(0, from.size() - 1)];
    const std::uint64_t pages = stretch.size / page;
    std::uint64_t address = stretch.address + page * random.in(0, pages - 1);
    std::uint32_t length = static_cast<std::uint32_t>(page) * random.in32(1, 4);
    if (random.chance(4)) // pieces that are no pages
        address += random.in(0, page - 1);
    if (random.chance(4))
        length = random.in32(0, 3 * static_cast<std::uint32_t>(page));
    if (random.chance(2))
        length = random.edge();
    if (random.chance(1))
        address = ~std::uint64_t{0} - random.in(0, 2 * page);
    return {address, length, random.chance(95) ? 0 : random.in32(0, 0xffffffff)};
}

/// Single pages of one stretch of memory, as a GPU's driver hands them out.
std::vector<Entry> scattered_entries(Random &random, const Places &places)
{
    const auto &stretch = places.memory[random.in(0, places.memory.size() - 1)];
    const std::uint32_t pages = random.in32(1, 96);
    const std::uint32_t step = random.in32(1, 3);
    const std::uint64_t room = stretch.size / page - std::uint64_t{pages} * step;
    return scattered(stretch.address + page * random.in(0, room), pages, random.in32(0, 1000), step);
}

std::vector<Entry> some_entries(Random &random, const Places &places)
{
    if (random.chance(60))
        return scattered_entries(random, places);
    std::vector<Entry> entries(random.in(1, 40));
    for (Entry &entry : entries)
        entry = some_entry(random, places);
    return entries;
}

std::uint64_t length_of(const std::vector<Entry> &entries)
{
    std::uint64_t length = 0;
    for (const Entry &entry : entries)
        length += entry.length;
    return length;
}

std::uint32_t some_count(Random &random, const std::vector<Entry> &entries)
{
    return random.chance(96) ? static_cast<std::uint32_t>(entries.size()) : random.edge();
}

Bytes create_blob(Random &random, const Places &places)
{
    const auto entries = some_entries(random, places);
    std::uint64_t size = length_of(entries);
    if (random.chance(20))
        size = random.in(1, size + 1);
    if (random.chance(3))
        size = random.chance(50) ? random.edge() : random.any();
    const std::uint32_t mem = random.chance(97) ? VIRTIO_GPU_BLOB_MEM_GUEST : random.in32(0, 4);
    return create_blob_bytes(some_id(random), size, some_count(random, entries), entries, mem);
}

Bytes attach(Random &random, const Places &places)
{
    const auto entries = some_entries(random, places);
    return attach_bytes(some_id(random), some_count(random, entries), entries);
}

Bytes set_scanout_blob(Random &random)
{
    virtio_gpu_set_scanout_blob command{};
    command.hdr = header(random, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB);
    command.r = some_rect(random);
    command.scanout_id = random.chance(95) ? random.in32(0, 1) : random.edge();
    command.resource_id = random.chance(90) ? some_id(random) : 0;
    command.width = random.chance(95) ? command.r.x + command.r.width : random.edge();
    command.height = random.chance(95) ? command.r.y + command.r.height : random.edge();
    command.format = random.chance(95) ? xrgb8888 : random.in32(0, 140);
    command.strides[0] = random.chance(90) ? 4 * command.width : random.edge();
    command.offsets[0] = random.chance(80) ? 0 : random.chance(70) ? 4 * random.in32(0, 4096) : random.edge();
    return bytes_of(command);
}

Bytes on_resource(Random &random, std::uint32_t type)
{
    return bytes_of(virtio_gpu_resource_unref{header(random, type), some_id(random), 0});
}

Bytes two_d(Random &random)
{
    switch (random.in(0, 3)) {
    case 0:
        return bytes_of(
            virtio_gpu_resource_create_2d{header(random, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), some_id(random),
                                          random.chance(95) ? xrgb8888 : random.edge(),
                                          random.chance(95) ? random.in32(16, 128) : random.edge(),
                                          random.chance(95) ? random.in32(16, 128) : random.edge()});
    case 1:
        return bytes_of(virtio_gpu_set_scanout{header(random, VIRTIO_GPU_CMD_SET_SCANOUT), some_rect(random),
                                               random.in32(0, 2), random.chance(80) ? some_id(random) : 0});
    default:
        return bytes_of(virtio_gpu_transfer_to_host_2d{
            header(random, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D), some_rect(random),
            random.chance(80) ? 0 : random.any(), some_id(random), 0});
    }
}

Bytes whole_command(Random &random, const Places &places)
{
    const std::uint64_t kind = random.in(0, 99);
    if (kind < 25)
        return create_blob(random, places);
    if (kind < 45)
        return set_scanout_blob(random);
    if (kind < 62)
        return bytes_of(virtio_gpu_resource_flush{header(random, VIRTIO_GPU_CMD_RESOURCE_FLUSH),
                                                  some_rect(random), some_id(random), 0});
    if (kind < 70)
        return attach(random, places);
    if (kind < 78)
        return on_resource(random, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING);
    if (kind < 86)
        return on_resource(random, VIRTIO_GPU_CMD_RESOURCE_UNREF);
    if (kind < 95)
        return two_d(random);
    return on_resource(random, random.chance(50) ? VIRTIO_GPU_CMD_GET_DISPLAY_INFO + random.in32(0, 16)
                                                 : VIRTIO_GPU_CMD_CTX_CREATE + random.in32(0, 8));
}

/// Changes, cuts or lengthens.
void spoil(Random &random, Bytes &bytes)
{
    if (random.chance(70)) {
        for (std::uint64_t n = random.in(1, 4); n > 0; n--)
            bytes[random.in(0, std::min<std::size_t>(bytes.size(), 120) - 1)] =
                static_cast<std::uint8_t>(random.any());
    } else if (random.chance(60)) {
        bytes.resize(random.in(1, bytes.size()));
    } else {
        bytes.resize(bytes.size() + random.in(1, 64), static_cast<std::uint8_t>(random.any()));
    }
}

} // namespace

Bytes random_command(Random &random, const Places &places)
{
    Bytes bytes = whole_command(random, places);
    if (random.chance(8))
        spoil(random, bytes);
    return bytes;
}

Bytes random_cursor_command(Random &random)
{
    virtio_gpu_update_cursor command{};
    command.hdr =
        header(random, random.chance(70) ? VIRTIO_GPU_CMD_UPDATE_CURSOR : VIRTIO_GPU_CMD_MOVE_CURSOR);
    command.pos.scanout_id = random.chance(95) ? random.in32(0, 1) : random.edge();
    command.pos.x = random.edge();
    command.pos.y = random.edge();
    command.resource_id = random.chance(80) ? some_id(random) : 0;
    command.hot_x = random.edge();
    command.hot_y = random.edge();
    Bytes bytes = bytes_of(command);
    if (random.chance(10))
        spoil(random, bytes);
    return bytes;
}

std::string described(const Bytes &command)
{
    std::uint32_t type = 0;
    std::uint32_t id = 0;
    std::memcpy(&type, command.data(), std::min(sizeof type, command.size()));
    if (command.size() >= sizeof(virtio_gpu_ctrl_hdr) + sizeof id)
        std::memcpy(&id, command.data() + sizeof(virtio_gpu_ctrl_hdr), sizeof id);
    std::string text = "command " + std::to_string(type) + ", first word " + std::to_string(id) + ", " +
                       std::to_string(command.size()) + " bytes:";
    constexpr std::size_t shown = 160;
    static constexpr std::array<char, 17> digits{"0123456789abcdef"};
    for (std::size_t i = 0; i < command.size() && i < shown; i++) {
        text += i % 4 == 0 ? " " : "";
        text += digits[command[i] >> 4];
        text += digits[command[i] & 15];
    }
    return text;
}

} // namespace vramlink::test
