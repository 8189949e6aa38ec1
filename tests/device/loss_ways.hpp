// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything by which a guest or its VMM takes a passthrough GPU's memory away, as a table.

#ifndef VRAMLINK_TESTS_DEVICE_LOSS_WAYS_HPP
#define VRAMLINK_TESTS_DEVICE_LOSS_WAYS_HPP

#include "tests/device/stage.hpp"

#include <functional>
#include <iosfwd>
#include <vector>

namespace vramlink::test {

struct LossWay {
    const char *name;
    std::function<void(Stage &)> lose;
    const char *asked; ///< how the line starts that the kernel's loss stands in
    const char *why;   ///< a part of the tombstone's reason; null: no tombstone is left
    Stage::Options options{};
    const char *host_resets = nullptr; ///< how the host's kernel resets the device; null: its own choice
    bool resets = false;               ///< the device itself: its configuration is gone
};
void PrintTo(const LossWay &way, std::ostream *out);

[[nodiscard]] const std::vector<LossWay> &loss_ways();

/// While it lives, the kernel resets the device by this method of those it has for it; "": by none, so that
/// VFIO offers the hot reset alone.
class HostResets {
  public:
    explicit HostResets(const char *method);
    ~HostResets();
    HostResets(const HostResets &) = delete;
    HostResets &operator=(const HostResets &) = delete;

  private:
    static std::string file() { return "/sys/bus/pci/devices/" + NvmeGpu::host() + "/reset_method"; }
    bool chosen_;
};

} // namespace vramlink::test

#endif
