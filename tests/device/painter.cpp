// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/painter.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

namespace vramlink::test {

namespace {

/// QEMU's memfd of the machine's RAM: the one with that size. On a PC with less than 3 GiB, a guest address
/// is an offset in it. -1 when there is none.
int open_ram(pid_t pid)
{
    for (const auto &entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        struct stat status {};
        if (fs::read_symlink(entry.path(), gone).string().find("memfd:") == std::string::npos)
            continue;
        const int fd = open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0 && status.st_size == off_t{Machine::ram_size})
            return fd;
        close(fd);
    }
    return -1;
}

} // namespace

Canvas::Canvas(Machine &machine, std::uint32_t width, std::uint32_t height)
    : width_(width), height_(height), gpa_(vm_alloc(machine.raw(), bytes()))
{
    const int fd = open_ram(machine.pid());
    void *map = mmap(nullptr, Machine::ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        ADD_FAILURE() << "QEMU's RAM cannot be mapped";
        return;
    }
    map_ = map;
    auto *words = static_cast<std::uint32_t *>(map) + gpa_ / sizeof(std::uint32_t);
    pixels_ = {words, std::size_t{width} * height};
}

Canvas::~Canvas()
{
    if (map_ != nullptr)
        munmap(map_, Machine::ram_size);
}

BlobScanout Canvas::scanout(std::uint32_t id) const
{
    return {.id = id, .rect = whole(), .width = width_, .height = height_, .stride = 4 * width_};
}

void Canvas::fill_upper_half(std::uint32_t value)
{
    const auto upper = pixels_.first(pixels_.size() / 2);
    std::fill(upper.begin(), upper.end(), value);
}

void Canvas::fill(std::uint32_t value, unsigned pause_us)
{
    const auto lower = pixels_.subspan(pixels_.size() / 2);
    fill_upper_half(value);
    if (pause_us != 0)
        usleep(pause_us);
    std::fill(lower.begin(), lower.end(), value);
}

} // namespace vramlink::test
