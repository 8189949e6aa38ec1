// SPDX-License-Identifier: GPL-2.0-or-later
//
// Moves: the guest takes the memory of a blob on the screen away and gives it other memory, as Linux does
// when a buffer migrates between VRAM and RAM. A display hears of nothing but pictures in between, and no
// byte of memory that the guest has taken back is shown.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"
#include "tests/device/repeat.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t width = 320, height = 200;
constexpr const char *still_name = "vramlink-still";
constexpr const char *render_node = "/dev/dri/renderD128";

enum class Kind { Ram, Bar };

struct Move {
    const char *name;
    Kind from, to;
};

void PrintTo(const Move &move, std::ostream *out)
{
    *out << move.name;
}

const Move moves[] = {{"BarToRam", Kind::Bar, Kind::Ram},
                      {"RamToBar", Kind::Ram, Kind::Bar},
                      {"BarToBar", Kind::Bar, Kind::Bar}};

/// A still may take a minute: tests do not depend on speed.
Machine::Options options_with(Where where, const std::string &display,
                              const std::string &gpu = ",still-ms=60000")
{
    auto options = ground_options(where);
    options.display = display;
    options.gpu += gpu;
    return options;
}

/// A machine whose only blob moves.
class Mover {
  public:
    explicit Mover(const Machine::Options &options)
        : machine(options), gpu(machine), near(machine.map_bar(Ground::near_slot, 2)),
          ram(vm_alloc(machine.raw(), std::size_t{4} * picture(0).pages() * page))
    {
    }

    static Picture picture(std::uint32_t seed) { return paint(width, height, seed); }
    /// Scattered memory; each @p place is another one.
    [[nodiscard]] std::vector<Entry> memory(Kind kind, std::uint32_t place) const
    {
        const std::uint32_t pages = picture(0).pages();
        const std::uint64_t start = kind == Kind::Bar ? near.address : ram;
        return scattered(start + std::uint64_t{place} * 2 * pages * page, pages, place + 1, 2);
    }
    void show(const std::vector<Entry> &entries, const Picture &shown)
    {
        put(machine, entries, shown);
        ASSERT_STREQ(answer_name(gpu.create_blob(id, shown.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, shown))), "OK");
        ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, width, height})), "OK");
    }

    Machine machine;
    Gpu gpu;
    Machine::Bar near;
    std::uint64_t ram;
};

class LocalMove : public testing::TestWithParam<Move> {};

/// A display that is handed surfaces.
TEST_P(LocalMove, ThePictureFollows)
{
    Mover mover(options_with(Where::Ivshmem, "dbus,p2p=yes"));
    const Picture before = Mover::picture(1), after = Mover::picture(2), foreign = Mover::picture(3);
    const auto old_memory = mover.memory(GetParam().from, 0);
    const auto new_memory = mover.memory(GetParam().to, 1);
    Recorder recorder(mover.machine);
    mover.show(old_memory, before);
    ASSERT_TRUE(recorder.wait(RECORDED_SCANOUT, 0,
                              [&](auto &call) { return difference(before, picture_of(call)).empty(); }));

    const unsigned start = recorder.count();
    ASSERT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
    put(mover.machine, old_memory, foreign); // somebody else's now
    EXPECT_EQ(difference(before, screendump(mover.machine)), "");
    const unsigned between = recorder.count();
    put(mover.machine, new_memory, after);
    ASSERT_STREQ(answer_name(mover.gpu.attach(id, new_memory)), "OK");
    EXPECT_TRUE(recorder.wait(RECORDED_SCANOUT, between,
                              [&](auto &call) { return difference(after, picture_of(call)).empty(); }));
    EXPECT_EQ(difference(after, screendump(mover.machine)), "");

    for (unsigned i = start; i < recorder.count(); i++) {
        const recorded &call = recorder.at(i);
        EXPECT_NE(call.kind, RECORDED_DISABLE);
        if (call.kind == RECORDED_SCANOUT) {
            const Picture seen = picture_of(call);
            EXPECT_TRUE(difference(before, seen).empty() || difference(after, seen).empty())
                << "call " << i << ": " << difference(before, seen);
        }
    }
    const Json totals = mover.machine.stats()["totals"];
    EXPECT_EQ(totals["stills"], 1);
    EXPECT_EQ(totals["stills_lost"], 0);
    EXPECT_EQ(totals["bytes_copied"], before.bytes());
    // And it is the memory itself that is shown again.
    put(mover.machine, new_memory, foreign);
    ASSERT_STREQ(answer_name(mover.gpu.flush(id, {0, 0, width, height})), "OK");
    EXPECT_EQ(difference(foreign, screendump(mover.machine)), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, LocalMove, testing::ValuesIn(moves),
                         [](const auto &row) { return std::string(row.param.name); });

/// That many moves, more than heap_maps, leave what was there before, within what an allocator may add.
void expect_no_leak(Mover &mover, const std::vector<std::vector<Entry>> &places, int times)
{
    Held before{};
    Json totals_before;
    for (int i = 0; i < times + 10; i++) {
        if (i == 10) {
            before = mover.machine.held();
            totals_before = mover.machine.stats()["totals"];
        }
        ASSERT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
        ASSERT_STREQ(answer_name(mover.gpu.attach(id, places[static_cast<std::size_t>(i) % places.size()])),
                     "OK");
    }
    EXPECT_TRUE(eventually([&] {
        const Held now = mover.machine.held();
        return now.fds <= before.fds && now.dmabufs <= before.dmabufs && now.maps <= before.maps + heap_maps;
    })) << mover.machine.held().fds
        << " descriptors, were " << before.fds << "; " << mover.machine.held().maps << " maps, were "
        << before.maps;
    const Json totals = mover.machine.stats()["totals"];
    // A display that is slower than the guest goes on showing a still over several moves.
    const int stills = totals["stills"].get<int>() - totals_before["stills"].get<int>();
    EXPECT_GT(stills, 0);
    EXPECT_LE(stills, times);
    EXPECT_EQ(totals["stills_lost"], 0);
    EXPECT_EQ(totals["extents"], totals_before["extents"]);
    EXPECT_EQ(totals["live"], 1);
}

TEST(Moves, AHundredLeakNothing)
{
    Mover mover(options_with(Where::Ivshmem, "none"));
    mover.show(mover.memory(Kind::Bar, 0), Mover::picture(1));
    expect_no_leak(mover, {mover.memory(Kind::Ram, 1), mover.memory(Kind::Bar, 0)}, 100);
}

/// What ends a still, and what the screen shows then.
TEST(Moves, AStillEndsWithWhateverComesNext)
{
    Mover mover(options_with(Where::Ivshmem, "none"));
    Gpu &gpu = mover.gpu;
    const Picture first = Mover::picture(1), second = Mover::picture(2);
    const auto memory = mover.memory(Kind::Bar, 0);
    constexpr std::uint32_t other = 11;
    put(mover.machine, mover.memory(Kind::Bar, 1), second);
    ASSERT_STREQ(answer_name(gpu.create_blob(other, second.bytes(), mover.memory(Kind::Bar, 1))), "OK");
    const auto make_still = [&] {
        mover.show(memory, first);
        ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
        ASSERT_EQ(difference(first, screendump(mover.machine)), "");
    };
    const auto is_dark = [&] { return !difference(first, screendump(mover.machine)).empty(); };

    make_still();
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(other, second))), "OK");
    EXPECT_EQ(difference(second, screendump(mover.machine)), "") << "a flip";
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
    EXPECT_EQ(difference(second, screendump(mover.machine)), "");

    make_still();
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob({})), "OK");
    EXPECT_TRUE(is_dark()) << "a disable";
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");

    make_still();
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
    EXPECT_TRUE(is_dark()) << "the blob's end";

    make_still();
    constexpr std::uint32_t plain = 12;
    EXPECT_STREQ(answer_name(gpu.create_2d(plain, width, height)), "OK");
    EXPECT_STREQ(answer_name(gpu.attach(plain, linear(mover.ram, first.bytes()))), "OK");
    EXPECT_STREQ(answer_name(gpu.set_scanout(0, plain, {0, 0, width, height})), "OK");
    EXPECT_TRUE(is_dark()) << "a 2D resource";
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");

    make_still();
    EXPECT_STREQ(answer_name(gpu.attach(id, {{Ground::nowhere, 16 * page, 0}})), "ERR_INVALID_PARAMETER");
    EXPECT_FALSE(is_dark()) << "an ATTACH_BACKING that was refused";
    gpu.reset();
    EXPECT_TRUE(is_dark()) << "a reset";
}

/// A revocation is no move: nothing of the memory may be read any more.
TEST(Moves, ARevokedBlobLeavesNoStill)
{
    Mover mover(options_with(Where::Ivshmem, "none"));
    mover.show(mover.memory(Kind::Bar, 0), Mover::picture(1));
    vm_pci_set_command(mover.near.pci, 0);
    EXPECT_NE(difference(Mover::picture(1), screendump(mover.machine)), "");
    EXPECT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
    EXPECT_EQ(mover.machine.stats()["totals"]["stills"], 0);
    EXPECT_EQ(mover.machine.stats()["totals"]["revocations"], 1);
}

TEST(Moves, StillMsZeroTurnsThemOff)
{
    Mover mover(options_with(Where::Ivshmem, "none", ",still-ms=0"));
    mover.show(mover.memory(Kind::Bar, 0), Mover::picture(1));
    ASSERT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
    EXPECT_NE(difference(Mover::picture(1), screendump(mover.machine)), "");
    EXPECT_EQ(mover.machine.stats()["totals"]["stills"], 0);
    EXPECT_EQ(mover.machine.stats()["totals"]["bytes_copied"], 0);
    ASSERT_STREQ(answer_name(mover.gpu.attach(id, mover.memory(Kind::Bar, 0))), "OK");
    EXPECT_EQ(difference(Mover::picture(1), screendump(mover.machine)), "");
}

/// The same with real VRAM and a display in another process that is handed dma-bufs.
void expect_move_of_dmabufs(Mover &mover, Recorder &recorder, const Move &move)
{
    const Picture before = Mover::picture(1), after = Mover::picture(2), foreign = Mover::picture(3);
    const auto old_memory = mover.memory(move.from, 0);
    const auto new_memory = mover.memory(move.to, 1);
    const Json totals_before = mover.machine.stats()["totals"];
    const unsigned shown = recorder.count();
    mover.show(old_memory, before);
    std::uint64_t inode = mover.machine.blob(id)["dmabufs"][0];
    const auto is_blobs = [&](const recorded &call) { return call.inode == inode; };
    ASSERT_TRUE(recorder.wait(RECORDED_SCANOUT_DMABUF, shown, is_blobs));

    const unsigned start = recorder.count();
    ASSERT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
    put(mover.machine, old_memory, foreign); // somebody else's now
    EXPECT_EQ(difference(before, screendump(mover.machine)), "");
    const recorded *still = recorder.wait(RECORDED_SCANOUT_DMABUF, start,
                                          [](auto &call) { return std::string(call.name) == still_name; });
    ASSERT_TRUE(still);
    EXPECT_EQ(difference(before, picture_of(*still)), "");
    EXPECT_EQ(still->format, recorder.last(RECORDED_SCANOUT_DMABUF, shown)->format);
    EXPECT_TRUE(eventually([&] { return mover.machine.held().vfio_dmabufs == 0; })) << "the blob's is open";

    put(mover.machine, new_memory, after);
    ASSERT_STREQ(answer_name(mover.gpu.attach(id, new_memory)), "OK");
    inode = mover.machine.blob(id)["dmabufs"][0];
    EXPECT_TRUE(recorder.wait(RECORDED_SCANOUT_DMABUF, start, is_blobs));
    EXPECT_EQ(difference(after, screendump(mover.machine)), "");
    for (unsigned i = start; i < recorder.count(); i++) {
        const recorded &call = recorder.at(i);
        EXPECT_NE(call.kind, RECORDED_DISABLE) << i;
        EXPECT_NE(call.kind, RECORDED_SCANOUT) << i;
        if (call.kind == RECORDED_SCANOUT_DMABUF) {
            EXPECT_TRUE(std::string(call.name) == still_name || is_blobs(call))
                << "call " << i << ": a buffer of " << call.exporter;
        }
    }
    const Json totals = mover.machine.stats()["totals"];
    EXPECT_EQ(totals["stills"].get<int>() - totals_before["stills"].get<int>(), 1);
    EXPECT_EQ(totals["bytes_copied"].get<std::uint64_t>() -
                  totals_before["bytes_copied"].get<std::uint64_t>(),
              before.bytes());
    ASSERT_STREQ(answer_name(mover.gpu.unref(id)), "OK");
}

TEST(VfioMoves, ThePictureFollowsAndNothingLeaks)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    Mover mover(options_with(Where::Vfio, "dbus,p2p=yes,gl=on"));
    Recorder recorder(mover.machine);
    for (const Move &move : moves) {
        SCOPED_TRACE(move.name);
        expect_move_of_dmabufs(mover, recorder, move);
    }
    mover.show(mover.memory(Kind::Bar, 0), Mover::picture(1));
    expect_no_leak(mover, {mover.memory(Kind::Ram, 1), mover.memory(Kind::Bar, 0)},
                   static_cast<int>(repetitions(30, 100)));
}

TEST(VfioMoves, EglHeadlessShowsTheStill)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    Mover mover(options_with(Where::Vfio, std::string("egl-headless,rendernode=") + render_node));
    const Picture before = Mover::picture(1), after = Mover::picture(2);
    for (const Move &move : moves) {
        SCOPED_TRACE(move.name);
        mover.show(mover.memory(move.from, 0), before);
        ASSERT_STREQ(answer_name(mover.gpu.detach(id)), "OK");
        put(mover.machine, mover.memory(move.from, 0), after);
        EXPECT_EQ(difference(before, screendump(mover.machine)), "");
        put(mover.machine, mover.memory(move.to, 1), after);
        ASSERT_STREQ(answer_name(mover.gpu.attach(id, mover.memory(move.to, 1))), "OK");
        EXPECT_EQ(difference(after, screendump(mover.machine)), "");
        ASSERT_STREQ(answer_name(mover.gpu.unref(id)), "OK");
    }
}

} // namespace
} // namespace vramlink::test
