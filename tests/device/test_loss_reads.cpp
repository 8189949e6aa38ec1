// SPDX-License-Identifier: GPL-2.0-or-later
//
// No CPU access to a revoked mapping: displays that read with the CPU (VNC, screendump, the copied plan) do
// so in a loop while the memory goes away, by the guest's hand, which QEMU sees, and by the host's, which
// nobody sees: the test borrows QEMU's own VFIO descriptor and turns memory decoding off behind its back. A
// load from such a mapping is SIGBUS, and the end of the VM.

#include "tests/device/consumer.hpp"
#include "tests/device/repeat.hpp"
#include "tests/device/rfb.hpp"
#include "tests/device/stage.hpp"
#include "tests/device/xvfb.hpp"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <ostream>
#include <thread>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;
constexpr std::uint32_t width = 256, height = 256;

/// A VNC client that wants all of every frame.
class Reader {
  public:
    explicit Reader(const std::string &socket) : client_(socket)
    {
        EXPECT_TRUE(client_.connected());
        thread_ = std::thread([this] {
            while (!end_) {
                client_.request(false);
                if (!client_.update())
                    break;
                frames_++;
            }
        });
    }
    ~Reader()
    {
        end_ = true;
        client_.hang_up();
        thread_.join();
    }
    Reader(const Reader &) = delete;
    Reader &operator=(const Reader &) = delete;
    /// Waits for @p more frames.
    [[nodiscard]] bool reads(int more) const
    {
        const int wanted = frames_ + more;
        return eventually([&] { return frames_ >= wanted; });
    }

  private:
    Rfb client_;
    std::atomic<bool> end_ = false;
    std::atomic<int> frames_ = 0;
    std::thread thread_;
};

/// QEMU's VFIO device, by its own descriptor.
class BehindItsBack {
  public:
    explicit BehindItsBack(pid_t qemu)
    {
        const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, qemu, 0)));
        for (const auto &entry :
             std::filesystem::directory_iterator("/proc/" + std::to_string(qemu) + "/fd")) {
            std::error_code gone;
            if (std::filesystem::read_symlink(entry.path(), gone).string().find("vfio-device") ==
                std::string::npos)
                continue;
            const int number = std::stoi(entry.path().filename());
            device_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
        }
        EXPECT_TRUE(device_) << "QEMU has no VFIO device";
        vfio_region_info config{};
        config.argsz = sizeof(config);
        config.index = VFIO_PCI_CONFIG_REGION_INDEX;
        EXPECT_EQ(ioctl(device_.get(), VFIO_DEVICE_GET_REGION_INFO, &config), 0);
        command_ = static_cast<off_t>(config.offset) + PCI_COMMAND;
    }
    [[nodiscard]] int fd() const { return device_.get(); }
    void decode(bool on) const
    {
        std::uint16_t command = 0;
        ASSERT_EQ(pread(device_.get(), &command, sizeof(command), command_), ssize_t{sizeof(command)});
        command =
            static_cast<std::uint16_t>(on ? command | PCI_COMMAND_MEMORY : command & ~PCI_COMMAND_MEMORY);
        ASSERT_EQ(pwrite(device_.get(), &command, sizeof(command), command_), ssize_t{sizeof(command)});
    }

  private:
    UniqueFd device_;
    off_t command_ = 0;
};

struct Way {
    const char *name;
    std::uint64_t skip; ///< where the blob starts in its first page: inside of one it can only be copied
    const char *plan;
};

void PrintTo(const Way &way, std::ostream *out)
{
    *out << way.name;
}

std::uint32_t flush(Stage &stage)
{
    return stage.gpu->flush(id, {0, 0, width, height});
}

/// Flushes until one of those that read finds the memory gone.
[[nodiscard]] bool is_noticed(Stage &stage)
{
    return eventually([&] {
        (void)flush(stage);
        return stage.machine.blob(id)["state"] == "revoked";
    });
}

class VfioReads : public StageTest, public testing::WithParamInterface<Way> {
  protected:
    /// One QEMU for all rows, with a VNC server.
    static const std::string &socket()
    {
        static const std::string name = Rfb::new_socket();
        return name;
    }
    static Stage &stage() { return Stage::shared({.display = "none" + Rfb::server_argument(socket())}); }
    /// As Stage::show(), for either plan.
    void show(Stage &stage, std::uint32_t seed)
    {
        picture_ = paint(width, height, seed);
        auto entries = stage.entries_of(picture_);
        if (GetParam().skip != 0)
            entries = linear(stage.memory.address + GetParam().skip, picture_.bytes());
        stage.show(picture_, entries);
    }

    Picture picture_;
};

TEST_P(VfioReads, TheGuestTakesItAway)
{
    const unsigned rounds = repetitions(3, 15);
    Stage &stage = VfioReads::stage();
    const Reader reader(socket());
    for (unsigned round = 0; round < rounds; round++) {
        show(stage, round);
        ASSERT_EQ(stage.machine.blob(id)["view"], GetParam().plan) << stage.machine.blob(id).dump();
        EXPECT_EQ(difference(picture_, screendump(stage.machine)), "");
        stage.decode(false);
        (void)screendump(stage.machine);
        EXPECT_TRUE(reader.reads(1));
        EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
        stage.decode(true);
        stage.clean_up();
    }
    EXPECT_EQ(stage.counted("revocations"), rounds);
}

TEST_P(VfioReads, TheHostTakesItAwayInTheMiddle)
{
    const unsigned rounds = repetitions(3, 15);
    constexpr std::chrono::milliseconds longest{15}; // from the first frame until the memory goes
    Stage &stage = VfioReads::stage();
    const Reader reader(socket());
    const BehindItsBack device(stage.machine.pid());
    for (unsigned round = 0; round < rounds; round++) {
        show(stage, round);
        ASSERT_EQ(stage.machine.blob(id)["view"], GetParam().plan);
        std::thread thief([&] {
            std::this_thread::sleep_for(round * longest / rounds);
            device.decode(false);
        });
        // Each of these reads, and VNC's timer meanwhile.
        EXPECT_TRUE(is_noticed(stage)) << "round " << round;
        thief.join();
        const std::string why = stage.machine.blob(id).value("revoked", "");
        const bool told = NvmeGpu::driver_tells() && why.find("the kernel took") != std::string::npos;
        EXPECT_TRUE(told || why.find("did not answer") != std::string::npos) << why;
        (void)screendump(stage.machine);
        EXPECT_TRUE(reader.reads(1));
        device.decode(true);
        stage.clean_up();
    }
    show(stage, rounds);
    EXPECT_EQ(difference(picture_, screendump(stage.machine)), "");
}

/// Nobody flushes: a screendump and VNC's timer are the first to read.
TEST_P(VfioReads, TheHostTakesItAwayBetweenTwoFrames)
{
    Stage &stage = VfioReads::stage();
    const Reader reader(socket());
    const BehindItsBack device(stage.machine.pid());
    show(stage, 1);
    device.decode(false);
    (void)screendump(stage.machine);
    EXPECT_TRUE(reader.reads(3));
    if (GetParam().skip == 0) {
        EXPECT_TRUE(eventually([&] { return stage.machine.blob(id)["state"] == "revoked"; }));
    } else {
        EXPECT_EQ(stage.machine.blob(id)["state"], "backed")
            << "it has pixels of its own until the next flush";
    }
    device.decode(true);
    stage.clean_up();
    show(stage, 2);
    EXPECT_EQ(difference(picture_, screendump(stage.machine)), "");
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioReads,
                         testing::Values(Way{"Mapped", 0, "mapped"}, Way{"Copied", 64, "copied"}),
                         [](const auto &row) { return std::string(row.param.name); });

/// Displays that read a surface when nobody told them of damage or was asked for an update.
class VfioReadsUnasked : public StageTest {};

TEST_F(VfioReadsUnasked, ADisplayThatJoins)
{
    Stage stage({.display = "dbus,p2p=yes"});
    const Picture picture = paint(width, height, 1);
    stage.show(picture);
    ASSERT_EQ(stage.machine.blob(id)["view"], "mapped") << stage.machine.blob(id).dump();
    const BehindItsBack device(stage.machine.pid());
    device.decode(false);
    Recorder recorder(stage.machine);
    const recorded *first =
        recorder.wait(RECORDED_SCANOUT, 0, [](const recorded &call) { return call.width == width; });
    ASSERT_NE(first, nullptr);
    const bool zeros =
        std::all_of(first->pixels, first->pixels + first->size, [](auto byte) { return byte == 0; });
    const bool revoked_by_then = NvmeGpu::driver_tells(); // QEMU's own picture, maybe
    EXPECT_TRUE(zeros || (revoked_by_then && !difference(picture, picture_of(*first)).empty()));
    EXPECT_TRUE(eventually([&] { return stage.machine.blob(id)["state"] == "revoked"; }));
    device.decode(true);
    stage.clean_up();
    stage.show(picture);
    EXPECT_NE(
        recorder.wait(RECORDED_SCANOUT, recorder.count() - 1,
                      [&](const recorded &call) { return difference(picture, picture_of(call)).empty(); }),
        nullptr);
}

/// It draws when its toolkit finds the time, after the flush has been answered.
TEST_F(VfioReadsUnasked, AWindowThatDraws)
{
    const unsigned rounds = repetitions(3, 15);
    const Xvfb x;
    Stage stage({.display = "gtk,gl=off", .environment = x.environment()});
    const BehindItsBack device(stage.machine.pid());
    const Picture picture = paint(width, height, 1);
    for (unsigned round = 0; round < rounds; round++) {
        stage.show(picture);
        ASSERT_EQ(stage.machine.blob(id)["view"], "mapped") << stage.machine.blob(id).dump();
        device.decode(false);
        EXPECT_TRUE(is_noticed(stage)) << "round " << round;
        device.decode(true);
        stage.clean_up();
    }
    stage.show(picture);
    EXPECT_EQ(difference(picture, screendump(stage.machine)), "");
}

std::int64_t us_of(const std::function<void()> &work)
{
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start)
        .count();
}

/// Why views are read by loads: system calls that read the same memory do not, or do it slowly.
TEST(VfioMemory, SystemCallsThatReadIt)
{
    constexpr std::size_t size = 1 << 20;
    ASSERT_NE(NvmeGpu::host(), "");
    Stage stage({.display = "none"});
    const BehindItsBack device(stage.machine.pid());
    vfio_region_info region{};
    region.argsz = sizeof(region);
    region.index = Stage::memory_bar;
    ASSERT_EQ(ioctl(device.fd(), VFIO_DEVICE_GET_REGION_INFO, &region), 0);
    const auto at = static_cast<off_t>(region.offset);
    void *bar = mmap(nullptr, size, PROT_READ, MAP_SHARED, device.fd(), at);
    ASSERT_NE(bar, MAP_FAILED);
    std::vector<std::byte> target(size);
    const iovec to{target.data(), size};
    const iovec from{bar, size};
    EXPECT_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), -1);
    EXPECT_EQ(errno, EFAULT);
    const auto loads = us_of([&] { std::memcpy(target.data(), bar, size); });
    const auto calls = us_of([&] { EXPECT_EQ(pread(device.fd(), target.data(), size, at), ssize_t{size}); });
    printf("# 1 MiB by loads %lld us, by pread() %lld us\n", static_cast<long long>(loads),
           static_cast<long long>(calls));
    device.decode(false);
    EXPECT_EQ(pread(device.fd(), target.data(), size, at), -1);
    EXPECT_EQ(errno, EIO);
    device.decode(true);
    munmap(bar, size);
}

} // namespace
} // namespace vramlink::test
