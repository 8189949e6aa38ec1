// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest moves to another QEMU: what it shows moves with it. (Blobs in a passthrough device's memory stay
// behind, and say so: test_vfio_consumers.cpp.)

#include "tests/device/ground.hpp"
#include "tests/device/halting_bios.hpp"
#include "tests/device/rfb_watcher.hpp"
#include "tests/device/stopping.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t detached_id = 11;
constexpr std::uint32_t width = 64;
constexpr std::uint32_t height = 32;

/// Where a migration stream waits between two machines.
class Stream {
  public:
    Stream() : path_(std::filesystem::temp_directory_path() / ("vramlink-stream-" + std::to_string(getpid())))
    {
    }
    ~Stream() { std::filesystem::remove(path_); }
    [[nodiscard]] Json uri() const { return {{"uri", "file:" + path_.string()}}; }

  private:
    std::filesystem::path path_;
};

/// "completed", "failed", …; waits until the machine has made up its mind.
std::string outcome(Machine &machine)
{
    std::string status;
    EXPECT_TRUE(eventually([&] {
        status = machine.qmp({{"execute", "query-migrate"}}).value("status", "");
        return status == "completed" || status == "failed";
    })) << status;
    return status;
}

/// Moves @p from away; the machine that it becomes.
std::unique_ptr<Machine> move(Machine &from, Machine::Options options)
{
    const Stream stream;
    from.qmp({{"execute", "migrate"}, {"arguments", stream.uri()}});
    EXPECT_EQ(outcome(from), "completed");
    options.devices += " -incoming defer ";
    auto to = std::make_unique<Machine>(options);
    to->qmp({{"execute", "migrate-incoming"}, {"arguments", stream.uri()}});
    EXPECT_EQ(outcome(*to), "completed");
    return to;
}

class Migration : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(All, Migration, testing::Bool(),
                         [](const auto &test) { return test.param ? "SharedRam" : "PrivateRam"; });

TEST_P(Migration, ThePictureComesAlong)
{
    const Machine::Options options{.shared_ram = GetParam()};
    Machine from(options);
    Gpu gpu(from);
    const Picture picture = paint(width, height, 1);
    const auto entries = scattered(vm_alloc(from.raw(), 4 * picture.bytes()), picture.pages(), 1, 2);
    put(from, entries, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.create_blob(detached_id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.detach(detached_id)), "OK");
    auto scanout = Ground::scanout_of(id, picture);
    scanout.scanout = 1;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    const Json before = from.blob(id);

    const auto to = move(from, options);
    EXPECT_EQ(difference(picture, screendump(*to, 1)), "");
    const Json after = to->blob(id);
    for (const char *fact : {"state", "size", "ranges", "plan", "scanouts"})
        EXPECT_EQ(after[fact], before[fact]) << fact;
    EXPECT_EQ(to->blob(detached_id)["state"], "unbacked");
    EXPECT_EQ(to->stats()["totals"]["live"], 2);

    EXPECT_STREQ(answer_name(gpu.flush(id, {0, 0, width, height})), "OK") << "the source lives on";
    EXPECT_EQ(from.blob(id)["scanouts"], before["scanouts"]);
    EXPECT_EQ(difference(picture, screendump(from, 1)), "");
}

TEST_P(Migration, TheParentsResourcesComeAlongBesideBlobs)
{
    const Machine::Options options{.shared_ram = GetParam()};
    Machine from(options);
    Gpu gpu(from);
    const Picture picture = paint(width, height, 2);
    const auto entries = linear(vm_alloc(from.raw(), picture.bytes()), picture.bytes());
    put(from, entries, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    constexpr std::uint32_t plain = 20;
    ASSERT_STREQ(answer_name(gpu.create_2d(plain, width, height)), "OK");
    ASSERT_STREQ(answer_name(gpu.attach(plain, entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.transfer_to_host_2d(plain, {0, 0, width, height})), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout(1, plain, {0, 0, width, height})), "OK");

    const auto to = move(from, options);
    EXPECT_EQ(difference(picture, screendump(*to, 0)), "");
    EXPECT_EQ(difference(picture, screendump(*to, 1)), "");
}

// --- a flush that waits for a display when the VM stops: the state that is saved next has no place for it

class MigrationOfFlushes : public testing::Test {
  protected:
    void start(const std::string &display)
    {
        options_.devices = bios_.argument();
        auto options = options_;
        options.display = display;
        machine_ = std::make_unique<Machine>(options);
        gpu_ = std::make_unique<Gpu>(*machine_);
        const auto entries = linear(vm_alloc(machine_->raw(), picture_.bytes()), picture_.bytes());
        put(*machine_, entries, picture_);
        ASSERT_STREQ(answer_name(gpu_->create_blob(id, picture_.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu_->set_scanout_blob(Ground::scanout_of(id, picture_))), "OK");
        machine_->qmp({{"execute", "trace-event-set-state"},
                       {"arguments", {{"name", "vramlink_hold"}, {"enable", true}}}});
        run("cont");
    }
    void run(const char *command) { machine_->qmp({{"execute", command}}); }
    /// Nobody waits for the answer.
    void flush() { (void)gpu_->send(flush_bytes(id, {0, 0, width, height}), 0, 0); }
    [[nodiscard]] bool was_held()
    {
        return machine_->new_messages().find("vramlink_hold") != std::string::npos;
    }

    /// When "stop" has been answered, so have been all flushes, at once.
    void expect_answered_when_it_stops()
    {
        flush();
        flush();
        run("stop");
        EXPECT_EQ(gpu_->collect_late_answers(), 0u) << "a flush is held while the VM stands still";
        EXPECT_TRUE(eventually([&] { return gpu_->collect_late_answers() == 0; }));
    }
    void expect_that_it_moves()
    {
        machine_->new_messages();
        for (int i = 0; i < 3; i++)
            EXPECT_STREQ(answer_name(gpu_->flush(id, {0, 0, width, height})), "OK");
        EXPECT_FALSE(was_held()) << "while the VM stands still";
        const auto to = move(*machine_, options_);
        EXPECT_EQ(to->blob(id)["state"], "backed");
        EXPECT_EQ(difference(picture_, screendump(*to)), "");
        run("cont");
        EXPECT_STREQ(answer_name(gpu_->flush(id, {0, 0, width, height})), "OK") << "the source lives on";
    }

    HaltingBios bios_;
    Machine::Options options_;
    Picture picture_ = paint(width, height, 3);
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Gpu> gpu_;
};

TEST_F(MigrationOfFlushes, ThatWaitForVnc)
{
    const std::string socket = Rfb::new_socket();
    ASSERT_NO_FATAL_FAILURE(start("none" + Rfb::server_argument(socket)));
    const RfbWatcher viewer(socket, [](const Picture & /*seen*/) {});
    constexpr int rounds = 20;
    for (int i = 0; i < rounds; i++) {
        run("cont");
        expect_answered_when_it_stops();
    }
    EXPECT_TRUE(was_held()) << "no flush waited for a display: this has tested nothing";
    expect_that_it_moves();
}

TEST_F(MigrationOfFlushes, ThatWaitForAStoppedDisplay)
{
    ASSERT_NO_FATAL_FAILURE(start("dbus,p2p=yes,gl=off"));
    const StoppingDisplay display(*machine_, STOP_IN_UPDATE);
    ASSERT_TRUE(eventually([&] {
        flush();
        return display.stopped();
    }));
    EXPECT_TRUE(eventually([&] { return gpu_->collect_late_answers() == 0; }));
    machine_->new_messages();
    EXPECT_TRUE(eventually([&] { // one that it has not read comes first
        flush();
        return was_held();
    })) << "no flush waited for a display: this has tested nothing";
    expect_answered_when_it_stops();
    expect_that_it_moves();
}

} // namespace
} // namespace vramlink::test
