// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/ram.hpp"

#include "vramlink/unique_fd.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>

namespace fs = std::filesystem;

namespace vramlink::test {

namespace {

/// QEMU's memfd of the machine's RAM: the one with that size. On a PC with less than 3 GiB, a guest address
/// is an offset in it. Empty when there is none.
UniqueFd open_ram(pid_t pid)
{
    for (const auto &entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        struct stat status {};
        if (fs::read_symlink(entry.path(), gone).string().find("memfd:") == std::string::npos)
            continue;
        UniqueFd fd(open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
        if (fd && fstat(fd.get(), &status) == 0 && status.st_size == off_t{Machine::ram_size})
            return fd;
    }
    return {};
}

} // namespace

Ram::Ram(Machine &machine)
{
    const UniqueFd fd = open_ram(machine.pid());
    void *map = mmap(nullptr, Machine::ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (map == MAP_FAILED)
        ADD_FAILURE() << "QEMU's RAM cannot be mapped";
    else
        map_ = static_cast<std::uint8_t *>(map);
}

Ram::~Ram()
{
    if (map_ != nullptr)
        munmap(map_, Machine::ram_size);
}

} // namespace vramlink::test
