// SPDX-License-Identifier: GPL-2.0-or-later
//
// Viewer: a vramlink-viewer beside the machine, on the DRM device of the host that the tests run on.

#ifndef VRAMLINK_TESTS_DEVICE_VIEWER_HPP
#define VRAMLINK_TESTS_DEVICE_VIEWER_HPP

#include "tests/device/machine.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vramlink::test {

class Viewer {
  public:
    /// More of QEMU's command line, for a viewer to come in by.
    [[nodiscard]] static std::string door();
    /// The PCI address of the GPU that it shows on.
    [[nodiscard]] static std::string display_gpu();

    enum class Seat {
        left, ///< to the host: no keyboard, no pointer, no terminal
        taken ///< by libseat itself, without a daemon
    };
    static constexpr const char *may_copy = "--may-copy"; ///< one of our own, for the constructor
    /// $VRAMLINK_VIEWER, on the first DRM device, with @p more arguments and with the words NAME=VALUE of
    /// @p environment in its environment. It copies nothing unless @c may_copy is among the arguments. Fails
    /// the test when it does not start.
    explicit Viewer(std::vector<std::string> more = {}, std::vector<std::string> environment = {},
                    Seat seat = Seat::left);
    /// Ends it, and checks that it ends well, unless wait() has seen its end.
    ~Viewer();
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;

    /// Its statistics now; null when it has none.
    [[nodiscard]] Json stats() const;
    /// Waits for statistics that @p wanted likes.
    [[nodiscard]] bool says(const std::function<bool(const Json &)> &wanted) const;
    /// Waits until it shows that ("dmabuf", "neutral").
    [[nodiscard]] bool shows(const std::string &what) const;
    /// The same of one that QEMU has left.
    [[nodiscard]] bool shows_alone(const std::string &what) const;
    /// Waits for its end, after @p signal if that is not 0: its wait status, -1 when it does not end.
    int wait(int signal);
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// SIGKILL; returns when it is gone, with all that it held.
    void kill();
    /// Its wait status, when it has ended by itself or was killed by somebody else.
    [[nodiscard]] std::optional<int> ended();

  private:
    std::string stats_path_;
    pid_t pid_ = -1;
};

/// What gem-count, which lies beside the viewer, says of a process: "gem_handles", "framebuffers" and others.
/// Null when it says nothing.
[[nodiscard]] Json gem_count(pid_t pid);

/// gem_count() of a viewer that shows the neutral frame and nothing else, once it holds that frame alone: it
/// also tries QEMU's own surfaces and changes its mode while it says "neutral".
[[nodiscard]] Json neutral_count(const Viewer &viewer);

} // namespace vramlink::test

#endif
