// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/shm_canvas.hpp"

#include "hw/prime/frame_layout.hpp"
#include "vramlink/unique_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vramlink {

Result<std::unique_ptr<ShmCanvas>> ShmCanvas::create(wl_shm *shm, uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0 || width > max_frame_side || height > max_frame_side)
        return fail(EINVAL, fmt::format("a canvas of {}x{} pixels: each side must be 1 to {}", width, height,
                                        max_frame_side));
    const size_t size = size_t{width} * height * 4; // at most 1 GiB: fits wl_shm's 32 bits
    const auto failed = [&](const char *call) {
        const int code = errno;
        return fail(code, fmt::format("{} of {} bytes for pixels: {}", call, size, std::strerror(code)));
    };
    const UniqueFd memory(memfd_create("vramlink-viewer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory)
        return failed("memfd_create");
    if (ftruncate(memory.get(), static_cast<off_t>(size)) < 0)
        return failed("ftruncate");
    (void)fcntl(memory.get(), F_ADD_SEALS,
                F_SEAL_SHRINK | F_SEAL_SEAL); // the compositor need not fear SIGBUS
    void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    if (address == MAP_FAILED)
        return failed("mmap");

    std::unique_ptr<ShmCanvas> canvas(new ShmCanvas(width, height));
    canvas->pixels_ = static_cast<uint32_t *>(address);
    const WlPtr<wl_shm_pool> pool(wl_shm_create_pool(shm, memory.get(), static_cast<int32_t>(size)));
    canvas->frame_ = std::make_shared<WaylandBuffer>(
        wl_shm_pool_create_buffer(pool.get(), 0, static_cast<int32_t>(width), static_cast<int32_t>(height),
                                  static_cast<int32_t>(width * 4), WL_SHM_FORMAT_XRGB8888),
        Extent2{width, height}, nullptr);
    return canvas;
}

ShmCanvas::~ShmCanvas()
{
    munmap(pixels_, size_t{width_} * height_ * 4);
}

} // namespace vramlink
