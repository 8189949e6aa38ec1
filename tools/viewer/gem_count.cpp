// SPDX-License-Identifier: GPL-2.0-or-later
//
// gem-count PID: how many GEM handles, framebuffers and dma-buf descriptors another process holds.
//
// The outside witness for leaks: it asks the kernel, not the process. Each DRM file of PID is borrowed with
// pidfd_getfd(), which shares the file and thus its handle table, and handles 1 to 4096 are probed with
// virtio-gpu's RESOURCE_INFO, which only reads. Other drivers have no such harmless question: then
// "gem_handles" is "unsupported". Framebuffers come from debugfs, by the name of the process that made them;
// null when debugfs is not mounted. Needs CAP_SYS_PTRACE over PID. Exit codes: 0, 1 when PID cannot be looked
// at, 2 usage.

#include "vramlink/unique_fd.hpp"

#include <fmt/format.h>
#include <linux/kcmp.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <virtgpu_drm.h>
#include <xf86drm.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vramlink {
namespace {

constexpr uint32_t last_handle = 4096;

struct DrmFile {
    int number; ///< descriptor in the other process
    std::string path;
};

struct Census {
    uint64_t fds_total = 0;
    uint64_t dmabuf_fds = 0;
    std::vector<DrmFile> drm;
};

Census look_at_fds(pid_t pid)
{
    Census census;
    for (const auto &entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid))) {
        ++census.fds_total;
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.starts_with("/dmabuf:"))
            ++census.dmabuf_fds;
        else if (target.starts_with("/dev/dri/"))
            census.drm.push_back({std::stoi(entry.path().filename().string()), target});
    }
    return census;
}

/// The same open file under two numbers has one handle table.
bool same_file(pid_t pid, int a, int b)
{
    return syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b) == 0;
}

std::vector<DrmFile> without_duplicates(pid_t pid, const std::vector<DrmFile> &files)
{
    std::vector<DrmFile> distinct;
    for (const DrmFile &file : files) {
        bool known = false;
        for (const DrmFile &other : distinct)
            known = known || same_file(pid, file.number, other.number);
        if (!known)
            distinct.push_back(file);
    }
    return distinct;
}

/// nullopt: not a driver that we can ask without changing anything.
std::optional<uint64_t> count_handles(int fd)
{
    const std::unique_ptr<drmVersion, void (*)(drmVersionPtr)> version(drmGetVersion(fd), &drmFreeVersion);
    if (!version || std::strcmp(version->name, "virtio_gpu") != 0)
        return std::nullopt;
    uint64_t live = 0;
    for (uint32_t handle = 1; handle <= last_handle; handle++) {
        drm_virtgpu_resource_info info{};
        info.bo_handle = handle;
        if (drmIoctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info) == 0)
            ++live;
        else if (errno != ENOENT)
            return std::nullopt;
    }
    return live;
}

nlohmann::json handles_of(pid_t pid, const std::vector<DrmFile> &files)
{
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!process)
        throw std::system_error(errno, std::generic_category(), "pidfd_open");
    uint64_t total = 0;
    for (const DrmFile &file : files) {
        const UniqueFd borrowed(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), file.number, 0)));
        if (!borrowed)
            throw std::system_error(errno, std::generic_category(), "pidfd_getfd");
        const auto live = count_handles(borrowed.get());
        if (!live)
            return "unsupported";
        total += *live;
    }
    return total;
}

/// Framebuffers of the devices in @p files that processes named @p comm allocated.
nlohmann::json framebuffers_of(const std::string &comm, const std::vector<DrmFile> &files)
{
    std::set<std::string> devices;
    for (const DrmFile &file : files) {
        struct stat st {};
        if (stat(file.path.c_str(), &st) == 0)
            devices.insert(fmt::format("/sys/kernel/debug/dri/{}/framebuffer", minor(st.st_rdev)));
    }
    uint64_t count = 0;
    for (const std::string &device : devices) {
        std::ifstream list(device);
        if (!list)
            return nullptr;
        for (std::string line; std::getline(list, line);) {
            if (line.find("allocated by = " + comm) != std::string::npos)
                ++count;
        }
    }
    return count;
}

std::string comm_of(pid_t pid)
{
    std::ifstream file(fmt::format("/proc/{}/comm", pid));
    std::string comm;
    std::getline(file, comm);
    return comm;
}

void report(pid_t pid)
{
    const Census census = look_at_fds(pid);
    const auto files = without_duplicates(pid, census.drm);
    const nlohmann::json answer{{"pid", pid},
                                {"fds_total", census.fds_total},
                                {"dmabuf_fds", census.dmabuf_fds},
                                {"gem_handles", handles_of(pid, files)},
                                {"framebuffers", framebuffers_of(comm_of(pid), files)}};
    fmt::print("{}\n", answer.dump());
}

} // namespace
} // namespace vramlink

int main(int argc, char **argv)
{
    try {
        pid_t pid = 0;
        const std::string argument = argc == 2 ? argv[1] : "";
        const auto parsed = std::from_chars(argument.data(), argument.data() + argument.size(), pid);
        if (argument.empty() || parsed.ec != std::errc{} || *parsed.ptr != '\0' || pid <= 0) {
            fmt::print(stderr, "usage: gem-count PID\n");
            return 2;
        }
        vramlink::report(pid);
    } catch (const std::exception &e) {
        std::fputs(e.what(), stderr); // nothing that could throw again
        std::fputs("\n", stderr);
        return 1;
    }
    return 0;
}
