// SPDX-License-Identifier: GPL-2.0-or-later
//
// Viewer: a vramlink-viewer beside the machine, on the DRM device of the host that the tests run on.

#ifndef VRAMLINK_TESTS_DEVICE_VIEWER_HPP
#define VRAMLINK_TESTS_DEVICE_VIEWER_HPP

#include "tests/device/machine.hpp"

#include <sys/types.h>

#include <string>

namespace vramlink::test {

class Viewer {
  public:
    /// More of QEMU's command line, for a viewer to come in by.
    [[nodiscard]] static std::string door();

    /// $VRAMLINK_VIEWER, on the first DRM device, with these words NAME=VALUE in its environment. Fails the
    /// test when it does not start.
    explicit Viewer(const std::vector<std::string> &environment = {});
    /// Ends it, and checks that it ends well.
    ~Viewer();
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;

    /// Its statistics now; null when it has none.
    [[nodiscard]] Json stats() const;
    /// Waits until it shows that ("dmabuf", "neutral").
    [[nodiscard]] bool shows(const std::string &what) const;
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// SIGKILL; returns when it is gone, with all that it held.
    void kill();

  private:
    std::string stats_path_;
    pid_t pid_ = -1;
};

} // namespace vramlink::test

#endif
