// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/prime_probe.hpp"

#include "vramlink/errno_text.hpp"

#include <drm.h>
#include <fmt/format.h>

#include <cerrno>

namespace vramlink {
namespace {

/// Guests come and go, and each BAR is an exporter: more than this many are forgotten.
constexpr size_t max_answers = 64;

std::string advice(int code)
{
    switch (code) {
    case EOPNOTSUPP:
        return "its driver does not take buffers from another device's memory (virtio-gpu, xe and amdgpu do)";
    case EINVAL:
        return "there may be no peer-to-peer route between the two devices (see the kernel's log)";
    case ENODEV:
        return "the exporting device is off or in reset";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is left; raise the limit on open files (RLIMIT_NOFILE)";
    default:
        return "see the kernel's log";
    }
}

/// The answer would be the same for the next buffer.
bool about_the_devices(const Result<void> &answer)
{
    return answer || answer.error().code == EOPNOTSUPP || answer.error().code == EINVAL;
}

} // namespace

Result<PrimeProbe> PrimeProbe::open(DeviceCalls &calls, const std::string &node)
{
    const int fd = calls.open(node.c_str());
    if (fd < 0)
        return fail(-fd, fmt::format("{} cannot be opened ({})", node, errno_name(-fd)));
    return PrimeProbe(calls, node, UniqueFd(fd));
}

Result<void> PrimeProbe::import_once(int dmabuf)
{
    drm_prime_handle prime{};
    prime.fd = dmabuf;
    if (const int result = calls_->ioctl(fd_.get(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime); result < 0) {
        ++tally_.failed;
        return fail(-result,
                    fmt::format("{} cannot import it ({}): {}", node_, errno_name(-result), advice(-result)));
    }
    ++tally_.imports;
    drm_gem_close close{};
    close.handle = prime.handle;
    (void)calls_->ioctl(fd_.get(), DRM_IOCTL_GEM_CLOSE, &close);
    return {};
}

Result<void> PrimeProbe::try_import(uint64_t exporter, int dmabuf)
{
    if (const auto known = answers_.find(exporter); known != answers_.end())
        return known->second;
    auto answer = import_once(dmabuf);
    if (!about_the_devices(answer))
        return answer;
    if (answers_.size() >= max_answers)
        answers_.clear();
    answers_.emplace(exporter, answer);
    return answer;
}

} // namespace vramlink
