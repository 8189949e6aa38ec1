// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/gpu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

namespace vramlink::test {

namespace {

template <class T> void append(Bytes &bytes, const T &value)
{
    const auto *raw = reinterpret_cast<const std::uint8_t *>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof value);
}

/// A command and what follows it.
template <class T> Bytes with_entries(const T &command, const std::vector<Entry> &entries)
{
    Bytes bytes = bytes_of(command);
    for (const auto &entry : entries)
        append(bytes, entry);
    return bytes;
}

virtio_gpu_rect wire(Rect r)
{
    return {r.x, r.y, r.width, r.height};
}

} // namespace

const char *answer_name(std::uint32_t type)
{
    switch (type) {
    case no_answer:
        return "no answer";
    case wrong_fence:
        return "an answer with another fence than the command's";
    case short_answer:
        return "an answer shorter than a header";
    case VIRTIO_GPU_RESP_OK_NODATA:
        return "OK";
    case VIRTIO_GPU_RESP_ERR_UNSPEC:
        return "ERR_UNSPEC";
    case VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY:
        return "ERR_OUT_OF_MEMORY";
    case VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID:
        return "ERR_INVALID_SCANOUT_ID";
    case VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID:
        return "ERR_INVALID_RESOURCE_ID";
    case VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER:
        return "ERR_INVALID_PARAMETER";
    default:
        return "another answer";
    }
}

std::uint32_t Gpu::send(const Bytes &request, std::size_t piece, int timeout_ms)
{
    virtio_gpu_ctrl_hdr answer{};
    const int written = vm_gpu_command(gpu_, request.data(), request.size(), piece, &answer, sizeof answer,
                                       patience(timeout_ms));
    if (written < 0)
        return no_answer;
    return written < static_cast<int>(sizeof answer) ? short_answer : answer.type;
}

std::vector<std::uint32_t> Gpu::send_all(const std::vector<Bytes> &requests, const vm_watch *watch,
                                         int timeout_ms)
{
    std::vector<vm_request> batch;
    batch.reserve(requests.size());
    for (const Bytes &request : requests)
        batch.push_back({request.data(), request.size(), 0});
    if (!vm_gpu_batch(gpu_, batch.data(), batch.size(), watch, patience(timeout_ms)))
        return std::vector(requests.size(), std::uint32_t{no_answer});
    std::vector<std::uint32_t> answers;
    answers.reserve(batch.size());
    for (const vm_request &one : batch)
        answers.push_back(one.answer);
    return answers;
}

Bytes Gpu::ask(const Bytes &request, std::size_t size)
{
    constexpr int timeout_ms = 10000;
    Bytes answer(size);
    const int written =
        vm_gpu_command(gpu_, request.data(), request.size(), 0, answer.data(), size, patience(timeout_ms));
    answer.resize(written < 0 ? 0 : static_cast<std::size_t>(written));
    return answer;
}

BlobScanout nv12_square(std::uint32_t id, std::uint32_t side, std::uint32_t scanout)
{
    constexpr std::uint32_t nv12 = 0x3231564e; // DRM's number
    return {.scanout = scanout,
            .id = id,
            .rect = {0, 0, side, side},
            .width = side,
            .height = side,
            .format = nv12,
            .stride = side,
            .second_stride = side,
            .second_offset = side * side};
}

Bytes create_blob_bytes(std::uint32_t id, std::uint64_t size, std::uint32_t nr_entries,
                        const std::vector<Entry> &entries, std::uint32_t blob_mem)
{
    virtio_gpu_resource_create_blob command{};
    command.hdr = header(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB);
    command.resource_id = id;
    command.blob_mem = blob_mem;
    command.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE;
    command.nr_entries = nr_entries;
    command.size = size;
    return with_entries(command, entries);
}

Bytes set_scanout_blob_bytes(const BlobScanout &s)
{
    virtio_gpu_set_scanout_blob command{};
    command.hdr = header(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB);
    command.r = wire(s.rect);
    command.scanout_id = s.scanout;
    command.resource_id = s.id;
    command.width = s.width;
    command.height = s.height;
    command.format = s.format;
    command.strides[0] = s.stride;
    command.offsets[0] = s.offset;
    command.strides[1] = s.second_stride;
    command.offsets[1] = s.second_offset;
    return bytes_of(command);
}

Bytes flush_bytes(std::uint32_t id, Rect rect)
{
    return bytes_of(virtio_gpu_resource_flush{header(VIRTIO_GPU_CMD_RESOURCE_FLUSH), wire(rect), id, 0});
}

Bytes unref_bytes(std::uint32_t id)
{
    return bytes_of(virtio_gpu_resource_unref{header(VIRTIO_GPU_CMD_RESOURCE_UNREF), id, 0});
}

Bytes attach_bytes(std::uint32_t id, std::uint32_t nr_entries, const std::vector<Entry> &entries)
{
    virtio_gpu_resource_attach_backing command{};
    command.hdr = header(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
    command.resource_id = id;
    command.nr_entries = nr_entries;
    return with_entries(command, entries);
}

std::uint32_t Gpu::create_blob(std::uint32_t id, std::uint64_t size, const std::vector<Entry> &entries,
                               std::uint32_t blob_mem)
{
    return send(create_blob_bytes(id, size, static_cast<std::uint32_t>(entries.size()), entries, blob_mem));
}

std::uint32_t Gpu::attach(std::uint32_t id, const std::vector<Entry> &entries)
{
    return send(attach_bytes(id, static_cast<std::uint32_t>(entries.size()), entries));
}

std::uint32_t Gpu::detach(std::uint32_t id)
{
    return send(
        bytes_of(virtio_gpu_resource_detach_backing{header(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING), id, 0}));
}

std::uint32_t Gpu::unref(std::uint32_t id)
{
    return send(unref_bytes(id));
}

std::uint32_t Gpu::set_scanout_blob(const BlobScanout &scanout)
{
    return send(set_scanout_blob_bytes(scanout));
}

std::uint32_t Gpu::set_scanout(std::uint32_t scanout, std::uint32_t id, Rect rect)
{
    return send(
        bytes_of(virtio_gpu_set_scanout{header(VIRTIO_GPU_CMD_SET_SCANOUT), wire(rect), scanout, id}));
}

std::uint32_t Gpu::flush(std::uint32_t id, Rect rect)
{
    return send(flush_bytes(id, rect));
}

std::uint32_t Gpu::fenced_flush(std::uint32_t id, Rect rect)
{
    virtio_gpu_resource_flush command{header(VIRTIO_GPU_CMD_RESOURCE_FLUSH), wire(rect), id, 0};
    command.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
    command.hdr.fence_id = ++last_fence_;
    virtio_gpu_ctrl_hdr answer{};
    constexpr int limit_ms = 10'000;
    if (vm_gpu_command(gpu_, &command, sizeof command, 0, &answer, sizeof answer, patience(limit_ms)) < 0)
        return no_answer;
    const bool fenced = (answer.flags & VIRTIO_GPU_FLAG_FENCE) != 0 && answer.fence_id == last_fence_;
    return fenced ? answer.type : wrong_fence;
}

std::uint32_t Gpu::create_2d(std::uint32_t id, std::uint32_t width, std::uint32_t height,
                             std::uint32_t format)
{
    return send(bytes_of(
        virtio_gpu_resource_create_2d{header(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), id, format, width, height}));
}

void Gpu::update_cursor(std::uint32_t id, std::uint32_t hot_x, std::uint32_t hot_y, Cursor where)
{
    virtio_gpu_update_cursor command{};
    command.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR;
    command.pos = {where.scanout, where.x, where.y, 0};
    command.resource_id = id;
    command.hot_x = hot_x;
    command.hot_y = hot_y;
    EXPECT_TRUE(vm_gpu_cursor(gpu_, &command, sizeof command, patience(10000)));
}

void Gpu::move_cursor(std::uint32_t id, Cursor where)
{
    virtio_gpu_update_cursor command{};
    command.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
    command.pos = {where.scanout, where.x, where.y, 0};
    command.resource_id = id;
    EXPECT_TRUE(vm_gpu_cursor(gpu_, &command, sizeof command, patience(10000)));
}

virtio_gpu_resp_display_info Gpu::display_info()
{
    const virtio_gpu_ctrl_hdr command = header(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
    virtio_gpu_resp_display_info answer{};
    const int written =
        vm_gpu_command(gpu_, &command, sizeof command, 0, &answer, sizeof answer, patience(10000));
    EXPECT_EQ(written, static_cast<int>(sizeof answer));
    EXPECT_EQ(answer.hdr.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    return answer;
}

Bytes Gpu::edid(std::uint32_t scanout)
{
    virtio_gpu_cmd_get_edid command{};
    command.hdr = header(VIRTIO_GPU_CMD_GET_EDID);
    command.scanout = scanout;
    virtio_gpu_resp_edid answer{};
    const int written =
        vm_gpu_command(gpu_, &command, sizeof command, 0, &answer, sizeof answer, patience(10000));
    if (written != static_cast<int>(sizeof answer) || answer.hdr.type != VIRTIO_GPU_RESP_OK_EDID)
        return {};
    return {answer.edid, answer.edid + std::min<std::size_t>(answer.size, sizeof answer.edid)};
}

std::uint32_t Gpu::transfer_to_host_2d(std::uint32_t id, Rect rect)
{
    return send(bytes_of(
        virtio_gpu_transfer_to_host_2d{header(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D), wire(rect), 0, id, 0}));
}

std::vector<Entry> scattered(std::uint64_t start, std::uint32_t pages, unsigned seed, std::uint32_t step)
{
    std::vector<std::uint32_t> order(pages);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    std::vector<Entry> entries;
    entries.reserve(pages);
    for (const auto number : order)
        entries.push_back({start + std::uint64_t{number} * step * page, page, 0});
    return entries;
}

std::vector<Entry> linear(std::uint64_t start, std::uint64_t size)
{
    return {{start, static_cast<std::uint32_t>(size), 0}};
}

} // namespace vramlink::test
