// SPDX-License-Identifier: GPL-2.0-or-later
//
// QemuProcess: a real QEMU with a D-Bus display, without a GPU and without a guest.

#ifndef VRAMLINK_TESTS_UNIT_PRIME_QEMU_PROCESS_HPP
#define VRAMLINK_TESTS_UNIT_PRIME_QEMU_PROCESS_HPP

#include <sys/types.h>

#include <string>
#include <vector>

namespace vramlink::test {

/// For main(): runs GoogleTest's tests. Skips them (exit code 77) where no qemu-system-x86_64 with a D-Bus
/// display is installed.
int run_tests_with_qemu(int argc, char **argv);

class QemuProcess {
  public:
    /// With a virtio-gpu and a QMP socket at @p socket. @p options: more of the command line; without any the
    /// machine stays stopped.
    explicit QemuProcess(const std::string &socket, const std::vector<std::string> &options = {});
    QemuProcess(const QemuProcess &) = delete;
    QemuProcess &operator=(const QemuProcess &) = delete;
    ~QemuProcess() { stop(); }

    void stop();

  private:
    pid_t pid_ = -1;
};

} // namespace vramlink::test

#endif
