// SPDX-License-Identifier: GPL-2.0-or-later
#include "pci_device.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

#include "vramlink/unique_fd.hpp"

namespace vramlink::demo {

namespace {

namespace fs = std::filesystem;

const fs::path kDevices = "/sys/bus/pci/devices";

std::string first_line(const fs::path &path)
{
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

Result<void> write_sysfs(const fs::path &path, const std::string &text)
{
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd)
        return fail(errno, fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
    if (::write(fd.get(), text.data(), text.size()) < 0)
        return fail(errno,
                    fmt::format("cannot write '{}' to {}: {}", text, path.string(), std::strerror(errno)));
    return {};
}

std::string link_name(const fs::path &link)
{
    std::error_code error;
    const fs::path target = fs::read_symlink(link, error);
    return error ? std::string() : target.filename().string();
}

} // namespace

Result<std::string> find_pci_device(std::uint16_t vendor, std::uint16_t device)
{
    const std::string want_vendor = fmt::format("0x{:04x}", vendor);
    const std::string want_device = fmt::format("0x{:04x}", device);
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(kDevices, error)) {
        if (first_line(entry.path() / "vendor") == want_vendor &&
            first_line(entry.path() / "device") == want_device)
            return entry.path().filename().string();
    }
    return fail(ENODEV, fmt::format("no PCI device {:04x}:{:04x} in {}", vendor, device, kDevices.string()));
}

Result<void> bind_to_vfio(const std::string &address)
{
    const fs::path device = kDevices / address;
    if (link_name(device / "driver") == "vfio-pci")
        return {};
    if (auto done = write_sysfs(device / "driver_override", "vfio-pci"); !done)
        return done;
    if (fs::exists(device / "driver")) {
        if (auto done = write_sysfs(device / "driver/unbind", address); !done)
            return done;
    }
    if (auto done = write_sysfs("/sys/bus/pci/drivers_probe", address); !done)
        return done;
    const std::string driver = link_name(device / "driver");
    if (driver != "vfio-pci")
        return fail(ENODEV,
                    fmt::format("{} is driven by '{}' and not by vfio-pci after a probe", address, driver));
    return {};
}

Result<std::string> iommu_group_of(const std::string &address)
{
    std::string group = link_name(kDevices / address / "iommu_group");
    if (group.empty())
        return fail(ENODEV,
                    fmt::format("{} is in no IOMMU group: is the IOMMU on (intel_iommu=on)?", address));
    return group;
}

} // namespace vramlink::demo
