// SPDX-License-Identifier: GPL-2.0-or-later
//
// Gpu: the guest's side of virtio-gpu's control queue. Well-formed commands have a function each; any other
// bytes go through send(). Structures and numbers are those of linux/virtio_gpu.h (virtio 1.3, 5.7.6).

#ifndef VRAMLINK_TESTS_DEVICE_GPU_HPP
#define VRAMLINK_TESTS_DEVICE_GPU_HPP

#include "tests/device/machine.hpp"

#include <linux/virtio_gpu.h>

#include <cstdint>
#include <vector>

namespace vramlink::test {

using Entry = virtio_gpu_mem_entry;
using Bytes = std::vector<std::uint8_t>;

/// The answer's type, or one of these.
inline constexpr std::uint32_t no_answer = 0;    ///< nothing came back in time
inline constexpr std::uint32_t short_answer = 1; ///< fewer bytes than a header
inline constexpr std::uint32_t wrong_fence = 2;  ///< not the fence of the command

[[nodiscard]] const char *answer_name(std::uint32_t type);

inline constexpr std::uint64_t page = 4096;
inline constexpr std::uint32_t xrgb8888 = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM; ///< DRM's name for it

struct Rect {
    std::uint32_t x, y, width, height;
};

struct BlobScanout {
    std::uint32_t scanout = 0;
    std::uint32_t id = 0;
    Rect rect{};
    std::uint32_t width = 0, height = 0;
    std::uint32_t format = xrgb8888;
    std::uint32_t stride = 0;
    std::uint32_t offset = 0;
    std::uint32_t second_stride = 0; ///< of a second plane
    std::uint32_t second_offset = 0;
};

/// A square frame in NV12, its two planes one behind the other, and how large it is.
[[nodiscard]] BlobScanout nv12_square(std::uint32_t id, std::uint32_t side, std::uint32_t scanout = 0);
[[nodiscard]] constexpr std::uint64_t nv12_bytes(std::uint64_t side)
{
    return side * side * 3 / 2;
}

class Gpu {
  public:
    explicit Gpu(Machine &machine, unsigned slot = Machine::gpu_slot) : gpu_(vm_gpu_open(machine.raw(), slot))
    {
    }

    /// For what has no function here.
    [[nodiscard]] vm_gpu *raw() const { return gpu_; }
    [[nodiscard]] std::uint64_t features() const { return vm_gpu_features(gpu_); }
    void reset() { vm_gpu_reset(gpu_); }

    /// Sends these bytes, cut into descriptors of @p piece bytes (0: one). @returns the answer's type.
    std::uint32_t send(const Bytes &request, std::size_t piece = 0, int timeout_ms = 10000);

    /// Sends all of them at once, as a driver does that does not wait for each. @returns the answers' types;
    /// no_answer for all when one is missing.
    std::vector<std::uint32_t> send_all(const std::vector<Bytes> &requests, const vm_watch *watch = nullptr,
                                        int timeout_ms = 10000);

    /// The same as send(), for answers of @p size bytes: what came of them.
    Bytes ask(const Bytes &request, std::size_t size);

    /// Commands that were given up on and not answered since, as far as the last send() saw.
    [[nodiscard]] unsigned unanswered() const { return vm_gpu_unanswered(gpu_); }
    /// Takes answers that came late. @returns how many are still missing.
    unsigned collect_late_answers() { return vm_gpu_collect(gpu_); }

    std::uint32_t create_blob(std::uint32_t id, std::uint64_t size, const std::vector<Entry> &entries,
                              std::uint32_t blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST);
    std::uint32_t attach(std::uint32_t id, const std::vector<Entry> &entries);
    std::uint32_t detach(std::uint32_t id);
    std::uint32_t unref(std::uint32_t id);
    std::uint32_t set_scanout_blob(const BlobScanout &scanout);
    std::uint32_t set_scanout(std::uint32_t scanout, std::uint32_t id, Rect rect);
    std::uint32_t flush(std::uint32_t id, Rect rect);
    /// With a fence, as Linux's driver sends it; returns when the fence has come back.
    std::uint32_t fenced_flush(std::uint32_t id, Rect rect);
    std::uint32_t create_2d(std::uint32_t id, std::uint32_t width, std::uint32_t height,
                            std::uint32_t format = xrgb8888);
    struct Cursor {
        std::uint32_t scanout = 0;
        std::uint32_t x = 0, y = 0; ///< its place on the output
    };
    /// UPDATE_CURSOR; fails the test when the device does not take it.
    void update_cursor(std::uint32_t id, std::uint32_t hot_x, std::uint32_t hot_y, Cursor where = {0, 0, 0});
    /// MOVE_CURSOR of what UPDATE_CURSOR has shown; @p id is of no account to QEMU but for 0, which hides it.
    void move_cursor(std::uint32_t id, Cursor where);
    /// GET_DISPLAY_INFO; all zero when it is not answered.
    virtio_gpu_resp_display_info display_info();
    /// GET_EDID; empty when it is refused.
    Bytes edid(std::uint32_t scanout);
    /// VIRTIO_GPU_EVENT_* that are pending; reading clears them, as a driver does.
    std::uint32_t take_events() { return vm_gpu_take_events(gpu_); }
    std::uint32_t transfer_to_host_2d(std::uint32_t id, Rect rect);

  private:
    vm_gpu *gpu_;
    std::uint64_t last_fence_ = 0;
};

/// Of a command without a fence.
[[nodiscard]] inline virtio_gpu_ctrl_hdr header(std::uint32_t type)
{
    virtio_gpu_ctrl_hdr hdr{};
    hdr.type = type;
    return hdr;
}
/// A command as it is sent.
template <class T> [[nodiscard]] Bytes bytes_of(const T &command)
{
    const auto *raw = reinterpret_cast<const std::uint8_t *>(&command);
    return {raw, raw + sizeof command};
}
/// Bytes of a RESOURCE_CREATE_BLOB that says @p nr_entries, whatever @p entries holds.
[[nodiscard]] Bytes create_blob_bytes(std::uint32_t id, std::uint64_t size, std::uint32_t nr_entries,
                                      const std::vector<Entry> &entries,
                                      std::uint32_t blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST);
[[nodiscard]] Bytes set_scanout_blob_bytes(const BlobScanout &scanout);
[[nodiscard]] Bytes flush_bytes(std::uint32_t id, Rect rect);
[[nodiscard]] Bytes unref_bytes(std::uint32_t id);
[[nodiscard]] Bytes attach_bytes(std::uint32_t id, std::uint32_t nr_entries,
                                 const std::vector<Entry> &entries);

/// One entry a page, in an order shuffled by @p seed; entry i of the result holds page i of the blob.
[[nodiscard]] std::vector<Entry> scattered(std::uint64_t start, std::uint32_t pages, unsigned seed,
                                           std::uint32_t step = 1);
/// One entry.
[[nodiscard]] std::vector<Entry> linear(std::uint64_t start, std::uint64_t size);

} // namespace vramlink::test

#endif
