// SPDX-License-Identifier: GPL-2.0-or-later
//
// PrimeProbe: can this GPU take this buffer? Asked by importing it once.
//
// An import says what a driver does; a list of drivers would say what they did once. (Linux:
// drivers/gpu/drm/drm_prime.c; drivers that are no dynamic peer-to-peer importers answer EOPNOTSUPP for
// VFIO's dma-bufs, drivers/vfio/pci/vfio_pci_dmabuf.c.) That it can be imported does not yet mean that it can
// be scanned out.
//
// Ownership: the probe owns its DRM node; nothing of a buffer stays imported. Thread: main loop.

#ifndef VRAMLINK_HW_PRIME_PRIME_PROBE_HPP
#define VRAMLINK_HW_PRIME_PRIME_PROBE_HPP

#include "vramlink/device_calls.hpp"
#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>

namespace vramlink {

class PrimeProbe {
  public:
    /// @p node: a DRM device, such as /dev/dri/renderD128. @p calls outlives the probe. Fails with the errno
    /// of open(2).
    static Result<PrimeProbe> open(DeviceCalls &calls, const std::string &node);

    /// Imports @p dmabuf (borrowed) and lets it go again. An answer that is about the pair of devices is kept
    /// under @p exporter, so that the next buffer of that exporter costs no system call; one that may be
    /// about this buffer (no memory, its device is off) is not.
    Result<void> try_import(uint64_t exporter, int dmabuf);

    [[nodiscard]] const std::string &node() const noexcept { return node_; }

    /// What was really asked of the GPU.
    struct Tally {
        uint64_t imports = 0;
        uint64_t failed = 0;
    };
    [[nodiscard]] Tally tally() const noexcept { return tally_; }

  private:
    PrimeProbe(DeviceCalls &calls, std::string node, UniqueFd fd)
        : calls_(&calls), node_(std::move(node)), fd_(std::move(fd))
    {
    }
    Result<void> import_once(int dmabuf);

    DeviceCalls *calls_;
    std::string node_;
    UniqueFd fd_;
    Tally tally_;
    std::unordered_map<uint64_t, Result<void>> answers_; ///< by exporter
};

} // namespace vramlink

#endif
