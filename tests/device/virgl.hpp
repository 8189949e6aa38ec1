// SPDX-License-Identifier: GPL-2.0-or-later
//
// Virgl: the little of a 3D guest driver that tests need: contexts, 3D resources, and streams of virgl's own
// commands (virglrenderer: src/virgl_protocol.h; the numbers are Gallium's).

#ifndef VRAMLINK_TESTS_DEVICE_VIRGL_HPP
#define VRAMLINK_TESTS_DEVICE_VIRGL_HPP

#include "tests/device/gpu.hpp"
#include "tests/device/picture.hpp"

namespace vramlink::test {

class Virgl {
  public:
    explicit Virgl(Gpu &gpu) : gpu_(gpu) {}

    std::uint32_t create_context(std::uint32_t context);
    std::uint32_t destroy_context(std::uint32_t context);
    std::uint32_t attach(std::uint32_t context, std::uint32_t id);
    std::uint32_t detach(std::uint32_t context, std::uint32_t id);
    /// A texture that can be rendered to; B8G8R8X8.
    std::uint32_t create_3d(std::uint32_t id, std::uint32_t width, std::uint32_t height);
    /// @p fence: 0 for none.
    std::uint32_t submit(std::uint32_t context, const std::vector<std::uint32_t> &words,
                         std::uint64_t fence = 0);
    /// RESOURCE_FLUSH with a fence.
    std::uint32_t fenced_flush(std::uint32_t id, Rect rect, std::uint64_t fence);
    /// What a texture holds: TRANSFER_FROM_HOST_3D into guest memory. Fails the test when that is refused.
    Picture read(Machine &machine, std::uint32_t context, std::uint32_t id, std::uint32_t width,
                 std::uint32_t height);
    /// GET_CAPSET_INFO of the first set, then GET_CAPSET: the length of what came.
    std::size_t capset_bytes();

    /// Streams: fill the texture @p id with a colour (0xXXRRGGBB).
    [[nodiscard]] static std::vector<std::uint32_t> clear(std::uint32_t id, std::uint32_t colour);
    /// Says that the blob @p id is a linear picture.
    [[nodiscard]] static std::vector<std::uint32_t> set_type(std::uint32_t id, std::uint32_t width,
                                                             std::uint32_t height);
    [[nodiscard]] static std::vector<std::uint32_t> copy(std::uint32_t to, std::uint32_t from,
                                                         std::uint32_t width, std::uint32_t height);

  private:
    /// The answer to @p request; when it waits for a fence, other commands are sent, since the device looks
    /// for passed fences with each (its timer runs on the guest's clock, and tests have no running guest).
    std::uint32_t send_fenced(const Bytes &request);
    Gpu &gpu_;
};

} // namespace vramlink::test

#endif
