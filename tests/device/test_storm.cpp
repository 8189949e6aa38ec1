// SPDX-License-Identifier: GPL-2.0-or-later
//
// The storm: revocations of random kinds at random moments, under a guest that flips at full speed, a
// vramlink-viewer and a consumer that checks every pixel, of whom one is killed every second and comes back.
// Nobody crashes, nothing is left behind, every revocation goes through in a bounded time, and no frame is
// torn, stale or somebody else's.
//
//   VRAMLINK_STORM=N           revocations (200)
//   VRAMLINK_STORM_SEED=S      repeats a run, as far as scheduling allows (1)
//   VRAMLINK_STORM_REPORT=FILE what was seen

#include "tests/device/ground.hpp"
#include "tests/device/stage.hpp"
#include "tests/device/storm_guest.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace vramlink::test {
namespace {

unsigned wish(const char *name, unsigned otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

/// QEMU's own surfaces come and go with who looks, and its D-Bus display keeps sockets of consumers that have
/// left (seen with 10.0.2): not counted. Mesa has dma-bufs of its own.
int files_of(const Held &held)
{
    return static_cast<int>(
        std::count_if(held.targets.begin(), held.targets.end(), [](const std::string &target) {
            return !target.starts_with("socket:") && target.find("displaysurface") == std::string::npos;
        }));
}

struct Holding {
    Held qemu;
    Json totals, viewer;
};

/// When nothing is shown.
Holding look(Machine &machine, const Viewer &viewer)
{
    Holding now;
    EXPECT_TRUE(eventually([&] { return vfio_dmabufs() == 0; })) << vfio_dmabufs();
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_TRUE(eventually([&] {
        now.viewer = gem_count(viewer.pid());
        return now.viewer.is_object() && now.viewer["dmabuf_fds"] == 0;
    })) << now.viewer.dump();
    now.qemu = machine.held();
    now.totals = machine.stats()["totals"];
    return now;
}

void expect_same(const Holding &late, const Holding &early)
{
    EXPECT_EQ(files_of(late.qemu), files_of(early.qemu));
    EXPECT_EQ(late.qemu.dmabufs, early.qemu.dmabufs);
    EXPECT_LE(late.qemu.maps, early.qemu.maps + heap_maps);
    for (const char *kept : {"live", "tombstones", "dmabuf_fds", "extents"})
        EXPECT_EQ(late.totals[kept], 0) << kept;
    for (const char *kept : {"dmabuf_fds", "gem_handles", "framebuffers"})
        EXPECT_EQ(late.viewer[kept], early.viewer[kept]) << "the viewer's " << kept;
}

/// What the device has said of consumers that were waited for too long: who they are.
std::string said_of_holders(const std::string &messages)
{
    std::istringstream lines(messages);
    std::string said;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("still holds") != std::string::npos ||
            line.find("somebody holds") != std::string::npos || line.find("cut off") != std::string::npos)
            said += line + "\n";
    }
    return said;
}

double percentile(std::vector<double> values, double part)
{
    std::sort(values.begin(), values.end());
    return values.empty() ? 0
                          : values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

std::string report(const StormGuest &guest, const Board &board, const Crowd &crowd, const Holding &early,
                   const Holding &late)
{
    std::ostringstream text;
    text << "seconds for frames " << guest.spent().frames.count() << ", for losses "
         << guest.spent().losses.count() << "\n"
         << guest.painted() << " frames painted; the consumer checked " << board->good << ", " << board->wrong
         << " wrong, " << board->expired << " after their time, " << board->gone
         << " gone; the guest waited too long " << board->late << " times\n"
         << crowd.killed() << " consumers killed; held over: " << late.totals["held_over"]
         << "; stills: " << late.totals["stills"] << "; revocations of blobs: " << late.totals["revocations"]
         << "\nQEMU before and after: files " << files_of(early.qemu) << ", " << files_of(late.qemu)
         << "; all descriptors " << early.qemu.fds << ", " << late.qemu.fds << "; mappings "
         << early.qemu.maps << ", " << late.qemu.maps << "; resident KiB " << early.qemu.rss / 1024 << ", "
         << late.qemu.rss / 1024 << "\nthe viewer: " << early.viewer.dump() << ", " << late.viewer.dump()
         << "\n";
    for (const auto &kind : guest.kinds())
        text << kind.name << ": " << kind.ms.size() << ", ms p50 " << percentile(kind.ms, 0.5) << ", p99 "
             << percentile(kind.ms, 0.99) << ", max " << percentile(kind.ms, 1) << "\n";
    return text.str();
}

TEST(Storm, NobodyCrashesHangsLeaksOrSeesAWrongPixel)
{
    ASSERT_NE(NvmeGpu::host(), "") << "VRAMLINK_VFIO_FLR names no device";
    const unsigned count = wish("VRAMLINK_STORM", 200);
    const unsigned seed = wish("VRAMLINK_STORM_SEED", 1);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Machine machine(StormGuest::machine());
    Board board;
    Crowd crowd(machine, board);
    StormGuest guest(machine, board, seed, [&] { crowd.tend(); });
    ASSERT_TRUE(crowd.viewer().shows("neutral"));
    for (int i = 0; i < 50; i++) // QEMU's and Mesa's first times
        guest.frame();
    ASSERT_TRUE(crowd.viewer().shows("dmabuf"));
    guest.give_up();
    const Holding early = look(machine, crowd.viewer());
    guest.start_again();

    const auto start = std::chrono::steady_clock::now();
    const auto so_far = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    crowd.start_killing(seed);
    for (unsigned i = 0; i < count && !HasFailure(); i++) {
        guest.revocation();
        if (board->wrong > 0 || board->error != 0)
            ADD_FAILURE() << guest.where() << ": a wrong frame, number " << board->wrong_number
                          << " where none before " << board->wrong_floor << " may be seen, first pixel "
                          << std::hex << board->wrong_first_pixel << "; errno " << std::dec << board->error;
    }
    crowd.stop_killing();
    const double seconds = so_far();

    guest.frame();
    EXPECT_TRUE(crowd.viewer().shows("dmabuf"));
    const std::uint32_t checked = board->good;
    for (int i = 0; i < 1000 && board->good == checked; i++)
        guest.frame();
    EXPECT_GT(board->good, checked) << "the checking consumer sees nothing any more";
    guest.give_up();
    const Holding late = look(machine, crowd.viewer());
    expect_same(late, early);
    EXPECT_GT(board->good, guest.painted() / 10);
    for (const auto &kind : guest.kinds())
        EXPECT_LE(percentile(kind.ms, 1), patience(2000)) << kind.name;
    const std::string seen =
        report(guest, board, crowd, early, late) + said_of_holders(machine.new_messages());
    const char *file = std::getenv("VRAMLINK_STORM_REPORT");
    std::ofstream(file != nullptr ? file : "/dev/null")
        << count << " revocations in " << static_cast<int>(seconds) << " s, seed " << seed << "\n"
        << seen;
    std::printf("%s", seen.c_str());
}

} // namespace
} // namespace vramlink::test
