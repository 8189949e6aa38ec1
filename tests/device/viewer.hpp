// SPDX-License-Identifier: GPL-2.0-or-later
//
// Viewer: a vramlink-viewer beside the machine, on the DRM device of the host that the tests run on.
// Viewer: a vramlink-viewer on a machine's D-Bus display: the consumer that imports what it is handed and
// flips to it. VRAMLINK_TOOLS names the directory of the viewer and of gem-count. Needs QEMU's QMP on a
// socket of its own.

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

    /// $VRAMLINK_VIEWER, on the first DRM device. Fails the test when it does not start.
    Viewer();
    /// Ends it, and checks that it ends well.
    /// Starts it on the DRM device @p kms; statistics go to a file of its own.
    Viewer(const std::string &kms, const std::string &qmp);
    ~Viewer();
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;

    /// Its statistics now; null when it has none.
    [[nodiscard]] Json stats() const;
    /// Waits until it shows that ("dmabuf", "neutral").
    [[nodiscard]] bool shows(const std::string &what) const;
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    std::string stats_path_;
    /// What gem-count says of it: fds_total, dmabuf_fds, gem_handles, framebuffers. Null when it does not
    /// run.
    [[nodiscard]] Json holds() const;
    [[nodiscard]] Held held() const { return held_by(pid_); }
    /// Its statistics (docs/viewer.md), written on demand.
    [[nodiscard]] Json stats() const;

  private:
    std::string stats_file_;
    pid_t pid_ = -1;
};

} // namespace vramlink::test

#endif
