// SPDX-License-Identifier: GPL-2.0-or-later
//
// Two displays show a buffer whose memory goes away, and one of them does not let go. That one is cut off,
// whatever gives it away; the other one keeps its connection and shows the next frame.

#include "tests/device/consumer.hpp"
#include "tests/device/stage.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;

Picture picture(std::uint32_t seed)
{
    return paint(Ground::width, Ground::height, seed);
}

/// While it lives, a viewer that was started with its environment does not come back from setting a mode.
class Stall {
  public:
    [[nodiscard]] static std::vector<std::string> environment()
    {
        return {"LD_PRELOAD=" + stall_library(), "VRAMLINK_TEST_STALL=" + path()};
    }
    Stall() { std::ofstream file(path()); }
    ~Stall() { std::filesystem::remove(path()); }
    Stall(const Stall &) = delete;
    Stall &operator=(const Stall &) = delete;

  private:
    static std::string path()
    {
        return std::filesystem::temp_directory_path() / ("vramlink-stall-" + std::to_string(getpid()));
    }
};

/// A reference to the dma-buf that no descriptor leads to, as a GEM handle is.
class Import {
  public:
    explicit Import(const UniqueFd &dmabuf) : importer_(::open("/dev/vram-importer", O_RDWR | O_CLOEXEC))
    {
        const std::string attach =
            "attach " + std::to_string(dmabuf.get()) + " " + Viewer::display_gpu() + " eager";
        EXPECT_EQ(::write(importer_.get(), attach.data(), attach.size()), ssize_t(attach.size()))
            << attach << ": errno " << errno;
    }

  private:
    UniqueFd importer_;
};

class VfioCutOff : public StageTest {
  protected:
    void show_to_both(Viewer &viewer)
    {
        ASSERT_TRUE(viewer.shows("neutral"));
        stage_.show(picture(1));
        ASSERT_TRUE(viewer.shows("dmabuf"));
        ASSERT_NE(recorder_.wait(RECORDED_SCANOUT_DMABUF, 0, [](const recorded &) { return true; }), nullptr);
    }
    /// Returns what the device says of it.
    std::string lose()
    {
        stage_.decode(false);
        EXPECT_EQ(stage_.machine.blob(id)["state"], "revoked");
        EXPECT_EQ(stage_.counted("held_over"), 1);
        return stage_.machine.new_messages();
    }
    void show_again()
    {
        stage_.decode(true);
        stage_.clean_up();
        stage_.show(picture(2));
    }
    [[nodiscard]] std::int64_t cut_off() { return stage_.counted("cut_off"); }
    [[nodiscard]] static std::string cut_off_message(pid_t pid)
    {
        return "the display of process " + std::to_string(pid) + " is cut off";
    }

    Stage &stage_ = Stage::shared({.let_go_ms = 3'000});
    Recorder recorder_{stage_.machine}; // first: who comes later takes its first connection, not its listener
};

/// Its process has read everything, and has no descriptor of the buffer any more: only its GPU has.
TEST_F(VfioCutOff, OnlyTheOneThatDoesNotAnswer)
{
    Viewer viewer({}, Stall::environment());
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    std::string messages;
    {
        const Stall stall;
        const unsigned before = recorder_.count();
        messages = lose();
        EXPECT_NE(messages.find(cut_off_message(viewer.pid())), std::string::npos) << messages;
        EXPECT_NE(messages.find("it does not answer"), std::string::npos) << messages;
        EXPECT_EQ(cut_off(), 1) << messages;
        EXPECT_FALSE(recorder_.closed());
        show_again();
        EXPECT_NE(recorder_.wait(RECORDED_SCANOUT_DMABUF, before, [](const recorded &) { return true; }),
                  nullptr)
            << "the other one is not shown the next frame";
    }
    EXPECT_TRUE(eventually([&] { return viewer.stats().value("times_connected", 0) == 2; }))
        << viewer.stats().dump();
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

TEST_F(VfioCutOff, OnlyTheOneThatIsStopped)
{
    Viewer viewer;
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    const unsigned before = recorder_.count();
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    const std::string messages = lose();
    EXPECT_NE(messages.find(cut_off_message(viewer.pid())), std::string::npos) << messages;
    EXPECT_EQ(cut_off(), 1) << messages;
    EXPECT_FALSE(recorder_.closed());
    show_again();
    EXPECT_NE(recorder_.wait(RECORDED_SCANOUT_DMABUF, before, [](const recorded &) { return true; }),
              nullptr);
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

/// Looking through a display's descriptors has a time limit: one that has very many does not hold up the VM.
TEST_F(VfioCutOff, VeryManyDescriptorsCostNoTime)
{
    constexpr rlim_t many = 150'000, spare = 1'000;
    const rlimit limit{many + spare, many + spare};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0) << "errno " << errno;
    Viewer viewer;
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::vector<UniqueFd> descriptors; // of the process that the recorder is in
    for (rlim_t i = 0; i < many; i++)
        descriptors.emplace_back(::dup(nothing.get()));
    ASSERT_TRUE(descriptors.back());
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    const auto start = std::chrono::steady_clock::now();
    const std::string messages = lose();
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took, std::chrono::seconds(3 + 3)) << "let-go-ms is 3 s; " << messages;
    EXPECT_EQ(cut_off(), 1) << messages;
    EXPECT_FALSE(recorder_.closed()) << messages;
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
}

/// A display that reads nothing is cut off without any loss, and its process goes on holding the buffer. When
/// the memory goes, the other one does not pay for it.
TEST_F(VfioCutOff, NobodyElseForTheOneThatWasCutOffBefore)
{
    Viewer viewer;
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    EXPECT_TRUE(eventually([&] {
        (void)stage_.gpu->flush(id, {0, 0, Ground::width, Ground::height});
        return cut_off() == 1;
    })) << stage_.machine.stats().dump();
    const std::string messages = lose();
    EXPECT_EQ(cut_off(), 1) << messages;
    EXPECT_FALSE(recorder_.closed()) << messages;
    EXPECT_NE(messages.find("which was cut off before"), std::string::npos) << messages;
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
}

/// It answers everything, and has a descriptor of the buffer that it was told to let go of.
TEST_F(VfioCutOff, OnlyTheOneThatHasADescriptor)
{
    recorder_.keep_dmabufs();
    Viewer viewer;
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    const std::string messages = lose();
    EXPECT_NE(messages.find(cut_off_message(getpid())), std::string::npos) << messages;
    EXPECT_NE(messages.find("it has 1 descriptors of it"), std::string::npos) << messages;
    EXPECT_EQ(cut_off(), 1) << messages;
    EXPECT_TRUE(eventually([&] { return recorder_.closed(); }));
    EXPECT_EQ(viewer.stats()["times_connected"], 1);
    show_again();
    EXPECT_TRUE(viewer.shows("dmabuf"));
    EXPECT_EQ(viewer.stats()["times_connected"], 1) << "it was cut off, too";
}

/// An import without a descriptor, of somebody who answers: it may be anybody's, but for one who has died,
/// whom QEMU still lists.
TEST_F(VfioCutOff, AllWhereNothingTells)
{
    {
        Viewer dead;
        ASSERT_TRUE(dead.shows("neutral"));
        dead.kill();
    }
    recorder_.keep_dmabufs();
    Viewer viewer;
    ASSERT_NO_FATAL_FAILURE(show_to_both(viewer));
    const Import import(recorder_.take_dmabuf());
    const std::string messages = lose();
    EXPECT_NE(messages.find("no process that can be seen has a descriptor"), std::string::npos) << messages;
    EXPECT_NE(messages.find("2 displays on D-Bus"), std::string::npos) << messages;
    EXPECT_EQ(cut_off(), 2) << messages;
    EXPECT_TRUE(eventually([&] { return recorder_.closed(); }));
    EXPECT_TRUE(eventually([&] { return viewer.stats().value("times_connected", 0) == 2; }))
        << viewer.stats().dump();
}

} // namespace
} // namespace vramlink::test
