// SPDX-License-Identifier: GPL-2.0-or-later
//
// Stage: a guest's GPU whose memory can be lost in every way, and what the host holds of it.
//
// The "GPU" is that of nvme_gpu.hpp, with a viewer and a log of what QEMU asks the kernel.

#ifndef VRAMLINK_TESTS_DEVICE_STAGE_HPP
#define VRAMLINK_TESTS_DEVICE_STAGE_HPP

#include "tests/device/ground.hpp"
#include "tests/device/nvme_gpu.hpp"
#include "tests/device/viewer.hpp"
#include "vramlink/unique_fd.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace vramlink::test {

struct Stage {
    static constexpr std::uint32_t id = 10; ///< of the blob that show() makes
    static constexpr unsigned slot = 5;
    static constexpr int memory_bar = 4;

    struct Options {
        bool root_port = false; ///< q35, the GPU behind a root port at @c slot
        std::string display = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128";
        std::string gpu_options{};
        std::string environment{};   ///< of QEMU
        unsigned let_go_ms = 20'000; ///< tests do not depend on speed
        std::string devices{};       ///< more of them
    };
    explicit Stage(const Options &options);
    Stage() : Stage(Options{}) {}
    /// One for all tests of the suite that ask for the same options (shared.hpp); restored before it is
    /// handed out.
    static Stage &shared(const Options &options);

    /// As a driver does after a reset: decoding on, the memory region on.
    void power_up();
    /// Makes a blob of the picture, and puts it on the screen.
    void show(const Picture &picture) { show(picture, entries_of(picture)); }
    /// The same where the pages are @p entries.
    void show(const Picture &picture, const std::vector<Entry> &entries);
    /// The pages of the picture's blob, scattered.
    [[nodiscard]] std::vector<Entry> entries_of(const Picture &picture) const;
    /// The guest's own clean-up after a loss.
    void clean_up();
    /// Turns the command register's memory bit off, or on again.
    void decode(bool on);
    /// How much the device has counted of @p what ("held_over") since this test has the stage.
    [[nodiscard]] std::int64_t counted(const char *what);
    /// Back to how it was after construction, whatever a test did to the device and its memory; no display
    /// may be stopped any more.
    void restore();

    Options options;
    Machine machine;
    std::unique_ptr<Gpu> gpu;
    vm_pci *port = nullptr; ///< the root port
    Machine::Bar memory{}, registers{};

  private:
    void meet();
    void map_bars();
    void put_bars_back();

    Json first_totals_;
};

/// What loss_log.c wrote down: what QEMU asked of the kernel, and how many VFIO dma-bufs there were then.
struct Asked {
    std::string what;
    int dmabufs;
    std::int64_t ns; ///< that the kernel took
};
[[nodiscard]] std::vector<Asked> asked_of_kernel();

/// Says how long a loss took, from the guest's or the host's deed until it had gone through: a line "## ..."
/// of the TAP output, from which docs/revocation.md has its figures.
void report_loss(const std::string &what, std::chrono::steady_clock::duration took);

/// VFIO dma-bufs in the whole system, also those that only an importer holds (debugfs).
[[nodiscard]] int vfio_dmabufs();
/// Writes to a file of sysfs: 0 or the errno.
int write_sysfs(const std::string &path, const std::string &text);

/// What the host holds while nothing is shown: descriptors (but sockets) and mappings of QEMU, GEM handles,
/// framebuffers and descriptors of the viewer, dma-bufs, entries of the table.
class Baseline {
  public:
    Baseline(Stage &stage, const Viewer &viewer);
    /// Fails the test unless it becomes the same again.
    void expect_again(Stage &stage, const Viewer &viewer) const;

  private:
    struct Count {
        int maps, dmabufs;
        Json viewer, live, tombstones;
        std::multiset<std::string> files; ///< where QEMU's descriptors lead
    };
    [[nodiscard]] bool again(const Count &now) const;
    static Count look(Stage &stage, const Viewer &viewer);
    Count first_;
};

class StageTest : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
};

} // namespace vramlink::test

#endif
