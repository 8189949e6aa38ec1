// SPDX-License-Identifier: GPL-2.0-or-later
//
// A consumer that hangs: QEMU's D-Bus display with GL hands it the dma-buf, and it never answers. The guest
// must not notice in anything but the pace of its flushes. Runs in the lab, where there is a render node.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"
#include "tests/device/painter.hpp"
#include "tests/device/shared.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace vramlink::test {

namespace {

constexpr std::uint32_t id = 10;
constexpr Rect whole{0, 0, Ground::width, Ground::height};
Machine::Options gl_options()
{
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    return options;
}

/// What the tests share.
struct Scene {
    Machine machine{gl_options()};
    Gpu gpu{machine};
    Machine::Bar near = machine.map_bar(Ground::near_slot, 2);

    static Scene &shared()
    {
        Scene *left = Shared::take_over<Scene>(gl_options());
        if (left == nullptr)
            return Shared::leave(gl_options(), std::make_unique<Scene>());
        return *left;
    }
};

class VfioStuckConsumer : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
        gpu_.reset(); // which forgets the consumer of the test before
        ASSERT_TRUE(eventually([&] { return machine_.held().vfio_dmabufs == 0; }));
        machine_.new_messages();
        first_totals_ = machine_.stats()["totals"];
        entries_ = scattered(scene_.near.address, picture_.pages(), 1);
        put(machine_, entries_, picture_);
        show_blob();
        consumer_ = connect_consumer(machine_);
        ASSERT_TRUE(consumer_);
        ASSERT_TRUE(eventually([&] { return stuck_consumer_scanouts(consumer_.get()) > 0; }));
    }

    void show_blob()
    {
        ASSERT_STREQ(answer_name(gpu_.create_blob(id, picture_.bytes(), entries_)), "OK");
        ASSERT_STREQ(answer_name(gpu_.set_scanout_blob(Ground::scanout_of(id, picture_))), "OK");
    }

    /// Sends a flush; true when its answer has not come after @p short_wait_ms.
    bool flush_is_held(int short_wait_ms = 20)
    {
        virtio_gpu_resource_flush command{};
        command.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH;
        command.r = {0, 0, whole.width, whole.height};
        command.resource_id = id;
        const auto *bytes = reinterpret_cast<const std::uint8_t *>(&command);
        return gpu_.send({bytes, bytes + sizeof command}, 0, short_wait_ms) == no_answer;
    }

    /// Nobody is waited for: no flush is held, however many come.
    void expect_no_consumer()
    {
        EXPECT_TRUE(eventually([&] {
            machine_.new_messages();
            machine_.qmp({{"execute", "trace-event-set-state"},
                          {"arguments", {{"name", "vramlink_hold"}, {"enable", true}}}});
            EXPECT_STREQ(answer_name(gpu_.flush(id, whole)), "OK");
            return machine_.new_messages().find("vramlink_hold") == std::string::npos;
        })) << "flushes still wait for the display that has gone";
        EXPECT_EQ(machine_.blob(id)["plan"], "shared");
        EXPECT_EQ(difference(picture_, screendump(machine_)), "");
    }

    [[nodiscard]] std::int64_t counted(const char *what)
    {
        return machine_.stats()["totals"].at(what).get<std::int64_t>() -
               first_totals_.at(what).get<std::int64_t>();
    }

    Scene &scene_ = Scene::shared();
    Machine &machine_ = scene_.machine;
    Gpu &gpu_ = scene_.gpu;
    Json first_totals_;
    Picture picture_ = paint(Ground::width, Ground::height, 1);
    std::vector<Entry> entries_;
    Consumer consumer_{nullptr, stuck_consumer_free};
};

/// The consumer's hold on a flush ends after half a second, which a slow machine may spend on the way: a few
/// attempts, each after a reset, which forgets that the consumer is not worth waiting for. A device that
/// waits for its consumer would fail all of them.
TEST_F(VfioStuckConsumer, DetachOvertakesTheFlush)
{
    bool overtook = false;
    for (int attempt = 0; attempt < 10 && !overtook; attempt++) {
        const bool held = flush_is_held();
        ASSERT_STREQ(answer_name(gpu_.detach(id)), "OK");
        overtook = held && gpu_.unanswered() > 0;
        ASSERT_STREQ(answer_name(gpu_.attach(id, entries_)), "OK");
        EXPECT_TRUE(eventually([&] { return gpu_.collect_late_answers() == 0; }))
            << "a flush was never answered";
        gpu_.reset();
        show_blob();
    }
    EXPECT_TRUE(overtook) << "no DETACH_BACKING was answered while a flush waited for the consumer";
    EXPECT_GT(stuck_consumer_updates(consumer_.get()), 0);
}

TEST_F(VfioStuckConsumer, EveryFlushIsAnsweredInTheEnd)
{
    for (int i = 0; i < 5; i++)
        EXPECT_STREQ(answer_name(gpu_.flush(id, whole)), "OK");
    EXPECT_EQ(machine_.held().vfio_dmabufs, 1);
    EXPECT_STREQ(answer_name(gpu_.unref(id)), "OK");
    EXPECT_EQ(machine_.stats()["totals"]["dmabuf_fds"], 0);
    EXPECT_TRUE(eventually([&] { return machine_.held().vfio_dmabufs == 0; }));
}

/// Half a second once, not for each frame. A slow machine may need as long for an answer that nobody holds:
/// one of a few attempts is enough.
TEST_F(VfioStuckConsumer, TheGuestDoesNotWaitForItAgain)
{
    ASSERT_STREQ(answer_name(gpu_.flush(id, whole)), "OK");
    constexpr int attempts = 10;
    constexpr int less_than_the_hold_ms = 200;
    int held = 0;
    for (int i = 0; i < attempts; i++) {
        held += flush_is_held(less_than_the_hold_ms) ? 1 : 0;
        EXPECT_TRUE(eventually([&] { return gpu_.collect_late_answers() == 0; }));
    }
    EXPECT_LT(held, attempts);
    EXPECT_NE(machine_.new_messages().find("no longer waits for it"), std::string::npos);
}

/// QEMU itself answers "no surface" for a console that shows a dma-buf.
TEST_F(VfioStuckConsumer, ScreendumpBesideTheDmabuf)
{
    EXPECT_EQ(difference(picture_, screendump(machine_)), "");
    const Picture next = paint(Ground::width, Ground::height, 2);
    put(machine_, entries_, next);
    EXPECT_EQ(difference(next, screendump(machine_)), "") << "an old frame";
    EXPECT_EQ(machine_.blob(id)["plan"], "shared");
    EXPECT_EQ(counted("flips"), 1);
    EXPECT_EQ(counted("bytes_copied"), 0) << "the CPU's view is a mapping";
}

/// A display that dies in the middle of a frame lets go of it.
TEST_F(VfioStuckConsumer, ThatIsKilledInMidFrameHoldsNothing)
{
    consumer_.reset();
    ConsumerProcess victim(machine_);
    ASSERT_TRUE(eventually([&] {
        EXPECT_STREQ(answer_name(gpu_.flush(id, whole)), "OK");
        return victim.has_a_frame(0);
    })) << "the other process was handed no frame";
    (void)flush_is_held();
    victim.kill();
    EXPECT_TRUE(eventually([&] { return gpu_.collect_late_answers() == 0; }));
    expect_no_consumer();
}

/// Of two displays one hangs: the other goes on showing each frame, and the guest does not stop.
TEST_F(VfioStuckConsumer, DoesNotStopAnotherDisplay)
{
    const Reader other = connect_reader(machine_, {.pause_ms = 0, .lets_go_early = false});
    ASSERT_TRUE(other);
    constexpr std::uint32_t ram_id = 11;
    Canvas canvas(machine_, Ground::width, Ground::height); // VRAM cannot be mapped by the reader
    canvas.fill(0, 0);
    ASSERT_STREQ(answer_name(gpu_.create_blob(ram_id, canvas.bytes(), canvas.entries())), "OK");
    ASSERT_STREQ(answer_name(gpu_.set_scanout_blob(canvas.scanout(ram_id))), "OK");
    for (std::uint32_t frame = 1; frame <= 100; frame++) {
        canvas.fill(frame, 0);
        ASSERT_STREQ(answer_name(gpu_.fenced_flush(ram_id, canvas.whole())), "OK");
    }
    EXPECT_TRUE(eventually([&] {
        (void)gpu_.fenced_flush(ram_id, canvas.whole());
        return reading_consumer_report(other.get()).last == 100;
    })) << "the last frame has not arrived";
    EXPECT_GT(reading_consumer_report(other.get()).frames, 20);
    EXPECT_GT(stuck_consumer_updates(consumer_.get()), 0);
}

} // namespace

} // namespace vramlink::test
