// SPDX-License-Identifier: GPL-2.0-or-later
//
// Memory that goes away while it is read: a file that is cut short answers loads from its mappings with
// SIGBUS, as a VFIO device does whose memory was revoked. The reader goes on, the blob is revoked, and
// everybody else's SIGBUS is what it was.

#include "hw/view/bus_guard.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t pages = 1024;
constexpr uint64_t size = pages * page;

/// As QEMU's main loop: SIGBUS is blocked.
class Guard : public testing::Test {
  protected:
    Guard()
    {
        bench.calls.ioctl_errno = ENOTTY;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGBUS);
        pthread_sigmask(SIG_BLOCK, &set, &mask_);
        signals = UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    }
    ~Guard() override { pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

    FakeRegion &blob_in(uint32_t id, bool scattered)
    {
        FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar");
        const uint64_t gpa = bar_gpa + id * size;
        bench.vmm.map(gpa, bar, 0, size);
        std::vector<vrl_entry> entries;
        if (scattered) {
            for (uint64_t i = 0; i < pages; ++i)
                entries.push_back({gpa + (i ^ 1) * page, page, 0});
        } else {
            entries = {{gpa + 16, size - 32, 0}}; // inside a page: it can only be copied
        }
        EXPECT_EQ(bench.create(id, scattered ? size : size - 32, entries), VRL_OK);
        return bar;
    }

    Bench bench;
    UniqueFd signals;

  private:
    sigset_t mask_{};
};

void cut(const FakeRegion &region)
{
    ASSERT_EQ(::ftruncate(region.file(), 0), 0);
}

TEST_F(Guard, AMappedViewReadsAsZerosAndItsBlobIsRevoked)
{
    const FakeRegion &bar = blob_in(1, true);
    blob_in(2, true);
    EXPECT_FALSE(vrl_reading_needed()) << "no view yet";
    const std::byte *view = bench.view(1, 0, 1024, pages);
    EXPECT_TRUE(vrl_reading_needed());
    const std::byte *other = bench.view(2, 0, 1024, pages);
    ASSERT_TRUE(view != nullptr && other != nullptr);
    vrl_reading_begin();
    EXPECT_EQ(view[0], pattern(1, page));
    cut(bar);
    for (uint64_t i = 0; i < size; i += 97)
        ASSERT_EQ(view[i], std::byte{0}) << i;
    EXPECT_EQ(other[0], pattern(2, page)) << "others stay what they are";
    EXPECT_TRUE(vrl_reading_end());
    vrl_reading_begin();
    EXPECT_FALSE(vrl_reading_end()) << "told once";
    EXPECT_EQ(vrl_table_revoke_lost(bench.get(), "it did not answer"), 1U);
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 1));
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 2));
    EXPECT_EQ(vrl_table_revoke_lost(bench.get(), "it did not answer"), 0U);
}

/// The cut comes at any moment of the copy.
TEST_F(Guard, ACopyThatIsCutInTheMiddleSaysSo)
{
    constexpr int rounds = 20;
    const vrl_framebuffer fb = Bench::framebuffer(0, 1024, pages - 1);
    for (uint32_t id = 1; id <= rounds; ++id) {
        const FakeRegion &bar = blob_in(id, false);
        ASSERT_NE(bench.view(id, 0, 1024, pages - 1), nullptr);
        std::atomic<bool> started = false;
        std::thread thief([&] {
            while (!started)
                continue;
            std::this_thread::sleep_for(std::chrono::microseconds(50 * id));
            cut(bar);
        });
        vrl_reading_begin();
        started = true;
        while (vrl_table_revoke_lost(bench.get(), "it did not answer") == 0)
            vrl_table_flush(bench.get(), id, &fb, 0, 0, 1024, pages - 1);
        thief.join();
        EXPECT_TRUE(vrl_reading_end());
        EXPECT_TRUE(vrl_table_is_revoked(bench.get(), id));
    }
}

/// A device that can only be read by system calls answers with an error.
TEST_F(Guard, AReadThatIsRefusedSaysSoToo)
{
    Bench no_maps({}, 1); // the copy's own
    no_maps.calls.ioctl_errno = ENOTTY;
    FakeRegion &bar = no_maps.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar");
    no_maps.vmm.map(bar_gpa, bar, 0, size);
    ASSERT_EQ(no_maps.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    ASSERT_NE(no_maps.view(1, 0, 1024, 2), nullptr);
    const vrl_framebuffer fb = Bench::framebuffer(0, 1024, 2);
    vrl_reading_begin();
    vrl_table_flush(no_maps.get(), 1, &fb, 0, 0, 1024, 2);
    EXPECT_FALSE(vrl_reading_end());
    cut(bar);
    vrl_reading_begin();
    vrl_table_flush(no_maps.get(), 1, &fb, 0, 0, 1024, 2);
    EXPECT_TRUE(vrl_reading_end());
    EXPECT_EQ(vrl_table_revoke_lost(no_maps.get(), "it did not answer"), 1U);
}

TEST_F(Guard, ASignalThatIsNoBadLoadComesAfterwardsAsItWouldHave)
{
    blob_in(1, true);
    ASSERT_NE(bench.view(1, 0, 1024, 1), nullptr);
    signalfd_siginfo got{};
    vrl_reading_begin();
    sigval value{};
    value.sival_int = 42;
    ASSERT_EQ(::pthread_sigqueue(::pthread_self(), SIGBUS, value), 0);
    EXPECT_LT(::read(signals.get(), &got, sizeof(got)), 0);
    EXPECT_FALSE(vrl_reading_end());
    ASSERT_EQ(::read(signals.get(), &got, sizeof(got)), static_cast<ssize_t>(sizeof(got)));
    EXPECT_EQ(got.ssi_signo, static_cast<uint32_t>(SIGBUS));
    EXPECT_EQ(got.ssi_int, 42);
    EXPECT_EQ(got.ssi_code, SI_QUEUE);
}

std::atomic<int> handled = 0;

TEST_F(Guard, OtherThreadsSignalsGoToTheHandlerThatWasThere)
{
    blob_in(1, true);
    ASSERT_NE(bench.view(1, 0, 1024, 1), nullptr);
    struct sigaction theirs {
    }, before{}, after{};
    theirs.sa_handler = [](int) { ++handled; };
    ASSERT_EQ(::sigaction(SIGBUS, &theirs, &before), 0);
    handled = 0;
    vrl_reading_begin();
    std::thread([] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGBUS);
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
        pthread_kill(pthread_self(), SIGBUS);
    }).join();
    EXPECT_EQ(handled, 1);
    vrl_reading_end();
    ASSERT_EQ(::sigaction(SIGBUS, &before, &after), 0);
    EXPECT_EQ(after.sa_handler, theirs.sa_handler) << "and it is there again";
}

TEST_F(Guard, ABadLoadElsewhereIsAsDeadlyAsEver)
{
    blob_in(1, true);
    const FakeRegion &stranger = bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "not a view");
    ASSERT_NE(bench.view(1, 0, 1024, 1), nullptr);
    EXPECT_EXIT(
        {
            vrl_reading_begin();
            cut(stranger);
            (void)*static_cast<volatile std::byte *>(stranger.raw.host);
        },
        testing::KilledBySignal(SIGBUS), "");
}

TEST_F(Guard, WithoutOneTheLoadIsDeadly)
{
    const FakeRegion &bar = blob_in(1, true);
    const volatile std::byte *view = bench.view(1, 0, 1024, 1);
    ASSERT_NE(view, nullptr);
    EXPECT_EXIT(
        {
            cut(bar);
            (void)view[0];
        },
        testing::KilledBySignal(SIGBUS), "");
}

} // namespace
} // namespace vramlink::test
