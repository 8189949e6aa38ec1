// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest may take of the process: QEMU runs under small limits on descriptors and address space, and
// the guest asks for more than that, in every way that costs some of it. A command that would go over a limit
// fails with its reason; what exists is shown on, the next small command works, and QEMU never ends.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <ostream>
#include <set>
#include <tuple>

namespace vramlink::test {
namespace {

constexpr std::uint32_t outputs = 16;
constexpr std::uint32_t first_id = 100;
constexpr std::uint64_t mebi = 1 << 20;
constexpr std::uint64_t guest_ram = 2048 * mebi;        ///< of which the guest touches little
constexpr std::uint64_t bounded_resident = 1024 * mebi; ///< of QEMU

/// The greedy guest on a ground, and what it was told.
class Greed {
  public:
    explicit Greed(Ground &ground) : ground_(ground) {}

    /// A blob of @p size bytes in less memory: @p piece bytes of RAM again and again.
    bool make(std::uint32_t id, std::uint64_t size, std::uint32_t piece)
    {
        constexpr std::uint64_t ram = 16 * mebi; // where vm_alloc() begins; nobody writes there
        constexpr std::size_t descriptor = mebi;
        std::vector<Entry> entries;
        for (std::uint64_t done = 0; done < size; done += piece)
            entries.push_back({ram, piece, 0});
        const auto count = static_cast<std::uint32_t>(entries.size());
        const bool made = note(ground_.gpu.send(create_blob_bytes(id, size, count, entries), descriptor));
        if (made)
            ids_.push_back(id);
        return made;
    }
    bool show(const BlobScanout &scanout) { return note(ground_.gpu.set_scanout_blob(scanout)); }
    /// Of QEMU's own device, which refuses without a sentence.
    void create_2d(std::uint32_t id, std::uint32_t side) { (void)ground_.gpu.create_2d(id, side, side); }

    /// Its answers are good or say why not, and what was there before is still there.
    void expect_harmless()
    {
        for (const std::uint32_t answer : answers_) {
            EXPECT_TRUE(answer == VIRTIO_GPU_RESP_OK_NODATA || answer == VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY ||
                        answer == VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER)
                << answer_name(answer);
        }
        const std::string messages = ground_.machine.new_messages();
        if (answers_.size() > answers_.count(VIRTIO_GPU_RESP_OK_NODATA)) {
            EXPECT_NE(messages.find("vramlink"), std::string::npos) << "no sentence says what was refused";
        }
        EXPECT_STREQ(answer_name(ground_.gpu.flush(shown_id, {0, 0, Ground::width, Ground::height})), "OK");
        EXPECT_EQ(difference(ground_.picture, screendump(ground_.machine)), "") << messages;
        EXPECT_LE(peak_resident(), bounded_resident) << messages;
        for (const std::uint32_t id : ids_)
            EXPECT_STREQ(answer_name(ground_.gpu.unref(id)), "OK");
        ground_.check_alive();
    }

  private:
    bool note(std::uint32_t answer)
    {
        answers_.insert(answer);
        return answer == VIRTIO_GPU_RESP_OK_NODATA;
    }
    /// With shared memory, such as surfaces for D-Bus.
    [[nodiscard]] std::uint64_t peak_resident() const
    {
        std::ifstream status("/proc/" + std::to_string(ground_.machine.pid()) + "/status");
        std::string word;
        while (status >> word && word != "VmHWM:")
            ;
        std::uint64_t kibibytes = 0;
        status >> kibibytes;
        return kibibytes * 1024;
    }

    Ground &ground_;
    std::multiset<std::uint32_t> answers_;
    std::vector<std::uint32_t> ids_;
};

BlobScanout frame(std::uint32_t output, std::uint32_t id, std::uint32_t side)
{
    return {.scanout = output,
            .id = id,
            .rect = {0, 0, side, side},
            .width = side,
            .height = side,
            .stride = 4 * side};
}

/// One page each, each on the screen for a while.
void many_blobs(Greed &greed)
{
    constexpr std::uint32_t blobs = 600, side = 32;
    for (std::uint32_t i = 0; i < blobs; i++) {
        if (greed.make(first_id + i, page, page))
            greed.show(frame(1 + i % (outputs - 1), first_id + i, side));
    }
}

/// A frame of 1 GiB, which displays are shown as a converted copy, on some outputs.
void converted_frames(Greed &greed)
{
    constexpr std::uint32_t side = 16384, frames = 3;
    if (!greed.make(first_id, nv12_bytes(side), 16 * mebi))
        return;
    for (std::uint32_t output = 1; output <= frames; output++)
        greed.show(nv12_square(first_id, side, output));
}

/// Blobs that name the same memory over and over, and are larger than all of it.
void larger_than_memory(Greed &greed)
{
    constexpr std::uint32_t side = 16384, piece = 32 * mebi;
    for (std::uint32_t i = 0; i < 4; i++) {
        if (greed.make(first_id + i, 8 * guest_ram, piece))
            greed.show(frame(1 + i, first_id + i, side));
    }
}

/// Frames of 1 GiB, each seen through a mapping of its own.
void large_views(Greed &greed)
{
    constexpr std::uint32_t side = 16384, piece = 16 * mebi;
    for (std::uint32_t output = 1; output < outputs; output++) {
        if (greed.make(first_id + output, std::uint64_t{4} * side * side, piece))
            greed.show(frame(output, first_id + output, side));
    }
}

/// Pieces that cannot be mapped: copies of 256 MiB.
void copied_views(Greed &greed)
{
    constexpr std::uint32_t side = 8192, piece = 4 * mebi - 16;
    constexpr std::uint64_t pieces = std::uint64_t{4} * side * side / piece + 1;
    for (std::uint32_t i = 0; i < 4; i++) {
        if (greed.make(first_id + i, pieces * piece, piece))
            greed.show(frame(1 + i, first_id + i, side));
    }
}

/// The same in 64 MiB of RAM.
void small_copied_views(Greed &greed)
{
    constexpr std::uint32_t side = 2048, piece = mebi - 16;
    constexpr std::uint64_t pieces = std::uint64_t{4} * side * side / piece + 1;
    for (std::uint32_t output = 1; output < outputs; output++) {
        if (greed.make(first_id + output, pieces * piece, piece))
            greed.show(frame(output, first_id + output, side));
    }
}

/// Frames that are halved each time they do not fit any more, and then what the device itself needs:
/// placeholders, and a small frame.
void all_address_space(Greed &greed)
{
    constexpr std::uint32_t width = 4096, most_rows = 16384, least_rows = 8, enough = 200;
    std::uint32_t rows = most_rows, id = first_id;
    const auto picture = [&] {
        BlobScanout scanout = frame(1 + id % (outputs - 1), id, width);
        scanout.height = scanout.rect.height = rows;
        return scanout;
    };
    for (; rows >= least_rows && id < first_id + enough; id++) {
        const std::uint64_t size = std::uint64_t{4} * width * rows;
        const auto piece = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, 16 * mebi));
        if (!greed.make(id, size, piece) || !greed.show(picture()))
            rows /= 2;
    }
    for (std::uint32_t output = 1; output < outputs; output++)
        greed.show({.scanout = output});
}

/// The parent's resources and ours, in turn.
void plain_resources(Greed &greed)
{
    constexpr std::uint32_t side = 4096, count = 8;
    for (std::uint32_t i = 0; i < count; i++) {
        greed.create_2d(first_id + 2 * i, side);
        if (greed.make(first_id + 2 * i + 1, std::uint64_t{4} * side * side, mebi))
            greed.show(frame(1 + i, first_id + 2 * i + 1, side));
    }
}

struct Limit {
    const char *name;
    const char *command; ///< that runs QEMU under it
};
struct Wish {
    const char *name;
    void (*ask)(Greed &greed);
};

constexpr Limit limits[] = {
    {"Unlimited", ""},
    {"FewDescriptors", "prlimit --nofile=256:256"},
    {"LittleAddressSpace", "prlimit --as=6442450944:6442450944"},
};
constexpr Wish wishes[] = {
    {"ManyBlobs", many_blobs},
    {"ConvertedFrames", converted_frames},
    {"LargerThanMemory", larger_than_memory},
    {"LargeViews", large_views},
    {"CopiedViews", copied_views},
    {"AllAddressSpace", all_address_space},
    {"PlainResources", plain_resources},
};

void PrintTo(const Limit &row, std::ostream *out)
{
    *out << row.name;
}
void PrintTo(const Wish &row, std::ostream *out)
{
    *out << row.name;
}

Machine::Options options_under(const Limit &limit, Where where, const char *display)
{
    auto options = ground_options(where);
    options.gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=" + std::to_string(outputs);
    if (where == Where::Ivshmem) // frames are converted with a library that the lab's host lacks
        options.gpu += ",layouts=NV12";
    options.display = display;
    options.environment = limit.command;
    options.ram = where == Where::Vfio ? Machine::ram_size : guest_ram; // VFIO pins all of it
    return options;
}

using Row = std::tuple<Limit, Wish>;

std::string row_name(const testing::TestParamInfo<Row> &row)
{
    return std::string(std::get<0>(row.param).name) + std::get<1>(row.param).name;
}

void expect_that_qemu_lives_on(const Row &row, Where where, const char *display)
{
    const auto &[limit, wish] = row;
    Ground ground(options_under(limit, where, display));
    Greed greed(ground);
    wish.ask(greed);
    greed.expect_harmless();
}

class ProcessLimits : public testing::TestWithParam<Row> {};

TEST_P(ProcessLimits, QemuLivesOn)
{
    expect_that_qemu_lives_on(GetParam(), Where::Ivshmem, "dbus,p2p=yes,gl=off");
}

INSTANTIATE_TEST_SUITE_P(All, ProcessLimits,
                         testing::Combine(testing::ValuesIn(limits), testing::ValuesIn(wishes)), row_name);

/// What is left for the second device is what the first one has not taken.
TEST(ProcessLimitsOfTwo, OneLimitOnHostMemory)
{
    auto options = options_under(limits[0], Where::Ivshmem, "none");
    constexpr unsigned second_slot = 9;
    options.devices += " -device virtio-gpu-vram-pci,id=vram1,addr=" + std::to_string(second_slot);
    Ground ground(options);
    Greed first(ground);
    Gpu second(ground.machine, second_slot);
    copied_views(first);
    constexpr std::uint32_t side = 8192, piece = 4 * mebi - 16;
    const std::vector<Entry> entries(64 + 1, Entry{16 * mebi, piece, 0});
    ASSERT_STREQ(answer_name(second.create_blob(first_id, entries.size() * piece, entries)), "OK");
    const auto show = [&] { return second.set_scanout_blob(frame(0, first_id, side)); };
    EXPECT_STREQ(answer_name(show()), "ERR_OUT_OF_MEMORY");
    first.expect_harmless();
    EXPECT_STREQ(answer_name(show()), "OK") << "what was given back";
}

// --- in the lab, whose kernel may be told what it likes

/// While it lives, the kernel lets a process have so many mappings.
class FewMappings {
  public:
    explicit FewMappings(int count) : before_(replace(std::to_string(count))) {}
    ~FewMappings() { replace(before_); }
    FewMappings(const FewMappings &) = delete;
    FewMappings &operator=(const FewMappings &) = delete;

  private:
    static std::string replace(const std::string &value)
    {
        constexpr const char *path = "/proc/sys/vm/max_map_count";
        std::string before;
        std::ifstream(path) >> before;
        std::ofstream(path) << value << std::flush;
        return before;
    }
    std::string before_;
};

class VfioProcessLimits : public testing::TestWithParam<Row> {};

/// Made by the shell that becomes QEMU.
constexpr const char *small_cgroup =
    "sh -c '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup; cd "
    "/sys/fs/cgroup &&"
    " echo +memory >cgroup.subtree_control && mkdir -p small && echo 400M >small/memory.max &&"
    " echo $$ >small/cgroup.procs && cd / && exec \"$@\"' sh";
constexpr const char *few_mappings = "nice -n 0"; // see TEST_P

constexpr Limit lab_limits[] = {
    {"FewDescriptors", "prlimit --nofile=256:256"},
    {"FewMappings", few_mappings},
    {"SmallControlGroup", small_cgroup},
};

TEST_P(VfioProcessLimits, QemuLivesOn)
{
    constexpr int mappings = 2000, usual = 65530;
    const FewMappings kernel(std::get<0>(GetParam()).command == few_mappings ? mappings : usual);
    expect_that_qemu_lives_on(GetParam(), Where::Vfio, "dbus,p2p=yes,gl=on");
}

constexpr Wish lab_wishes[] = {{"ManyBlobs", many_blobs}, {"SmallCopiedViews", small_copied_views}};

INSTANTIATE_TEST_SUITE_P(Vfio, VfioProcessLimits,
                         testing::Combine(testing::ValuesIn(lab_limits), testing::ValuesIn(lab_wishes)),
                         row_name);

} // namespace
} // namespace vramlink::test
