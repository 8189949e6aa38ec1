// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's display GPU is taken from its driver while its screen shows the guest's buffer. QEMU, the guest
// and the other displays go on. But Linux 7.3's virtio-gpu never lets go of the buffer again: to unmap an
// import it waits, uninterruptibly, for a fence of a command that it can no longer send
// (drivers/gpu/drm/virtio, virtio_gpu_detach_object_fenced()). So the next loss of the memory holds QEMU in
// the kernel for good: the viewer is cut off and named before that, and that is all that can be done from
// here.
//
// Afterwards nothing works in this L1: run-display-gone gives it a lab run of its own.

#include "tests/device/consumer.hpp"
#include "tests/device/hung.hpp"
#include "tests/device/stage.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

namespace vramlink::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint32_t id = Stage::id;
constexpr Rect whole{0, 0, Ground::width, Ground::height};
constexpr auto hang = 5s; ///< how long a write that must hang is watched
constexpr std::string_view revocation = "vfio_pci_dma_buf_move";
constexpr const char *driver = "/sys/bus/virtio/drivers/virtio_gpu/";

std::string bound_device()
{
    for (const auto &entry : fs::directory_iterator(driver)) {
        if (entry.path().filename().string().starts_with("virtio"))
            return entry.path().filename();
    }
    return "";
}

/// Something on a thread of its own that may never come back, and takes nobody with it then.
class Attempt {
  public:
    explicit Attempt(std::function<void()> deed)
    {
        std::thread([deed = std::move(deed), done = done_] {
            deed();
            *done = true;
        }).detach();
    }
    [[nodiscard]] bool has_ended() const { return *done_; }
    [[nodiscard]] bool ends() const
    {
        return eventually([this] { return has_ended(); });
    }

  private:
    std::shared_ptr<std::atomic<bool>> done_ = std::make_shared<std::atomic<bool>>(false);
};

class DisplayGone : public StageTest {};

TEST_F(DisplayGone, AllGoOnUntilTheMemoryIsLost)
{
    // Static, since the process ends without destroying these: who waits for this QEMU or this viewer to end
    // waits for ever.
    static Stage stage;
    static Recorder other(stage.machine);
    static const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));

    const std::string device = bound_device();
    ASSERT_NE(device, "");
    const Attempt unbinding(
        [device] { EXPECT_EQ(write_sysfs(std::string(driver).append("unbind"), device), 0); });
    ASSERT_TRUE(unbinding.ends());
    for (int i = 0; i < 3; i++) {
        const unsigned before = other.count();
        EXPECT_STREQ(answer_name(stage.gpu->flush(id, whole)), "OK");
        EXPECT_NE(other.wait(RECORDED_UPDATE_DMABUF, before, [](const recorded &) { return true; }), nullptr)
            << "the other display sees nothing any more";
    }
    EXPECT_EQ(stage.machine.blob(id)["state"], "backed");

    const Attempt loss([] { stage.decode(false); });
    std::string said;
    EXPECT_TRUE(eventually([&] {
        said += stage.machine.new_messages();
        return said.find("the display of process " + std::to_string(viewer.pid()) + " is cut off") !=
               said.npos;
    })) << said;
    EXPECT_NE(said.find("whoever takes the memory away may have to wait"), said.npos) << said;
    std::string stack;
    EXPECT_TRUE(eventually([&] {
        stack = stack_in(stage.machine.pid(), {revocation});
        return !stack.empty();
    })) << "this kernel lets go: docs/revocation.md says otherwise";
    EXPECT_NE(stack.find("virtio_gpu_detach_object_fenced"), stack.npos) << stack;
    std::this_thread::sleep_for(hang);
    EXPECT_FALSE(loss.has_ended());
    EXPECT_EQ(stack_in(stage.machine.pid(), {revocation}), stack);
}

} // namespace
} // namespace vramlink::test
