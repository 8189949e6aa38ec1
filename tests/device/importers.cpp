// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/importers.hpp"

#include "tests/device/hung.hpp"

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace vramlink::test {

namespace fs = std::filesystem;

int mapped_importers()
{
    int mapped = 0;
    for (const auto &entry : fs::directory_iterator("/sys/kernel/debug/vram-importer")) {
        std::ifstream status(entry.path() / "status");
        for (std::string line; std::getline(status, line);)
            mapped += line == "mapped 1";
    }
    return mapped;
}

bool stands_in_revocation(pid_t pid)
{
    return !stack_in(pid, {"dma_buf_move", "vram_buffer_wait"}).empty(); // mainline's and vfio-pci-vram's
}

LentImporters::LentImporters(pid_t pid)
{
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    for (const auto &entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        if (fs::read_symlink(entry.path(), gone) != importer_device)
            continue;
        const int number = std::stoi(entry.path().filename());
        importers_.emplace_back(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
        EXPECT_TRUE(importers_.back()) << "an importer cannot be lent";
    }
}

void LentImporters::let_go() const
{
    constexpr std::string_view command = "unmap";
    for (const UniqueFd &importer : importers_)
        EXPECT_EQ(write(importer.get(), command.data(), command.size()), ssize_t{command.size()});
}

} // namespace vramlink::test
