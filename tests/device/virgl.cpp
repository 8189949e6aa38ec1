// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/virgl.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

namespace vramlink::test {

namespace {

enum Stream : std::uint32_t {
    create_object = 1,
    set_framebuffer_state = 5,
    clear_buffers = 7,
    resource_copy_region = 17,
    pipe_resource_set_type = 49
};
constexpr std::uint32_t object_surface = 8, surface_handle = 1;
constexpr std::uint32_t format_b8g8r8x8 = 2, texture_2d = 2;
constexpr std::uint32_t bind_render_target = 1 << 1, bind_sampler_view = 1 << 3;
constexpr std::uint32_t clear_color0 = 1 << 2;

std::uint32_t head(Stream command, std::uint32_t object, std::uint32_t words)
{
    return command | object << 8 | words << 16;
}

template <class T>
Bytes bytes_of(T command, std::uint32_t type, std::uint32_t context = 0, std::uint64_t fence = 0)
{
    command.hdr.type = type;
    command.hdr.ctx_id = context;
    command.hdr.flags = fence != 0 ? VIRTIO_GPU_FLAG_FENCE : 0;
    command.hdr.fence_id = fence;
    const auto *raw = reinterpret_cast<const std::uint8_t *>(&command);
    return {raw, raw + sizeof command};
}

} // namespace

std::uint32_t Virgl::create_context(std::uint32_t context)
{
    return gpu_.send(bytes_of(virtio_gpu_ctx_create{}, VIRTIO_GPU_CMD_CTX_CREATE, context));
}

std::uint32_t Virgl::destroy_context(std::uint32_t context)
{
    return gpu_.send(bytes_of(virtio_gpu_ctx_destroy{}, VIRTIO_GPU_CMD_CTX_DESTROY, context));
}

std::uint32_t Virgl::attach(std::uint32_t context, std::uint32_t id)
{
    return gpu_.send(bytes_of(virtio_gpu_ctx_resource{.hdr = {}, .resource_id = id, .padding = 0},
                              VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context));
}

std::uint32_t Virgl::detach(std::uint32_t context, std::uint32_t id)
{
    return gpu_.send(bytes_of(virtio_gpu_ctx_resource{.hdr = {}, .resource_id = id, .padding = 0},
                              VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, context));
}

std::uint32_t Virgl::create_3d(std::uint32_t id, std::uint32_t width, std::uint32_t height)
{
    virtio_gpu_resource_create_3d command{};
    command.resource_id = id;
    command.target = texture_2d;
    command.format = format_b8g8r8x8;
    command.bind = bind_render_target | bind_sampler_view;
    command.width = width;
    command.height = height;
    command.depth = command.array_size = 1;
    command.flags = VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP;
    return gpu_.send(bytes_of(command, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D));
}

std::uint32_t Virgl::send_fenced(const Bytes &request)
{
    constexpr int tries = 200;
    std::uint32_t answer = gpu_.send(request, 0, 50);
    for (int i = 0; answer == no_answer && i < tries; i++) {
        gpu_.send(bytes_of(virtio_gpu_resource_unref{}, VIRTIO_GPU_CMD_GET_DISPLAY_INFO));
        if (gpu_.collect_late_answers() == 0)
            answer = VIRTIO_GPU_RESP_OK_NODATA; /* refusals never wait */
    }
    return answer;
}

std::uint32_t Virgl::submit(std::uint32_t context, const std::vector<std::uint32_t> &words,
                            std::uint64_t fence)
{
    virtio_gpu_cmd_submit command{};
    command.size = static_cast<std::uint32_t>(words.size() * sizeof(std::uint32_t));
    Bytes bytes = bytes_of(command, VIRTIO_GPU_CMD_SUBMIT_3D, context, fence);
    const std::size_t at = bytes.size();
    bytes.resize(at + command.size);
    std::memcpy(bytes.data() + at, words.data(), command.size);
    return fence != 0 ? send_fenced(bytes) : gpu_.send(bytes);
}

std::uint32_t Virgl::fenced_flush(std::uint32_t id, Rect r, std::uint64_t fence)
{
    virtio_gpu_resource_flush command{};
    command.r = {r.x, r.y, r.width, r.height};
    command.resource_id = id;
    return send_fenced(bytes_of(command, VIRTIO_GPU_CMD_RESOURCE_FLUSH, 0, fence));
}

Picture Virgl::read(Machine &machine, std::uint32_t context, std::uint32_t id, std::uint32_t width,
                    std::uint32_t height)
{
    constexpr std::uint64_t fence = 1000;
    Picture picture{.width = width, .height = height, .pixels = std::vector<std::uint32_t>(width * height)};
    const std::uint64_t memory = vm_alloc(machine.raw(), picture.bytes());
    virtio_gpu_transfer_host_3d command{};
    command.box = {.x = 0, .y = 0, .z = 0, .w = width, .h = height, .d = 1};
    command.resource_id = id;
    command.stride = 4 * width;
    vm_write(machine.raw(), memory, picture.pixels.data(), picture.bytes());
    EXPECT_STREQ(answer_name(gpu_.attach(id, linear(memory, picture.bytes()))), "OK");
    EXPECT_STREQ(
        answer_name(send_fenced(bytes_of(command, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, context, fence))),
        "OK");
    vm_read(machine.raw(), memory, picture.pixels.data(), picture.bytes());
    EXPECT_STREQ(answer_name(gpu_.detach(id)), "OK");
    vm_free(machine.raw(), memory);
    for (auto &pixel : picture.pixels)
        pixel &= 0xffffff;
    return picture;
}

std::size_t Virgl::capset_bytes()
{
    virtio_gpu_resp_capset_info info{};
    Bytes answer =
        gpu_.ask(bytes_of(virtio_gpu_get_capset_info{}, VIRTIO_GPU_CMD_GET_CAPSET_INFO), sizeof info);
    if (answer.size() != sizeof info)
        return 0;
    std::memcpy(&info, answer.data(), sizeof info);
    virtio_gpu_get_capset wanted{};
    wanted.capset_id = info.capset_id;
    wanted.capset_version = info.capset_max_version;
    answer = gpu_.ask(bytes_of(wanted, VIRTIO_GPU_CMD_GET_CAPSET),
                      sizeof(virtio_gpu_ctrl_hdr) + info.capset_max_size);
    if (answer.size() <= sizeof(virtio_gpu_ctrl_hdr))
        return 0;
    virtio_gpu_ctrl_hdr hdr{};
    std::memcpy(&hdr, answer.data(), sizeof hdr);
    return hdr.type == VIRTIO_GPU_RESP_OK_CAPSET ? answer.size() - sizeof hdr : 0;
}

std::vector<std::uint32_t> Virgl::clear(std::uint32_t id, std::uint32_t colour)
{
    const auto channel = [colour](int shift) {
        return std::bit_cast<std::uint32_t>(static_cast<float>(colour >> shift & 0xff) / 255.0F);
    };
    return {head(create_object, object_surface, 5),
            surface_handle,
            id,
            format_b8g8r8x8,
            0,
            0,
            head(set_framebuffer_state, 0, 3),
            1,
            0,
            surface_handle,
            head(clear_buffers, 0, 8),
            clear_color0,
            channel(16),
            channel(8),
            channel(0),
            std::bit_cast<std::uint32_t>(1.0F),
            0,
            0,
            0};
}

std::vector<std::uint32_t> Virgl::set_type(std::uint32_t id, std::uint32_t width, std::uint32_t height)
{
    return {head(pipe_resource_set_type, 0, 10),
            id,
            format_b8g8r8x8,
            bind_sampler_view,
            width,
            height,
            0,
            0,
            0,
            width * 4,
            0};
}

std::vector<std::uint32_t> Virgl::copy(std::uint32_t to, std::uint32_t from, std::uint32_t width,
                                       std::uint32_t height)
{
    return {head(resource_copy_region, 0, 13), to, 0, 0, 0, 0, from, 0, 0, 0, 0, width, height, 1};
}

} // namespace vramlink::test
