// SPDX-License-Identifier: GPL-2.0-or-later
//
// The limit on mappings of a process (vm.max_map_count), the real one: 16 framebuffers of 3840x2160 in 8,100
// single pages each ask for twice as many as there are. The CPU's views take half of the limit and are copies
// from then on; where somebody else has used up the rest, the kernel says so and the next view is a copy,
// too. The VM never fails.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t width = 3840, height = 2160;
constexpr std::uint32_t pages = 8100;
constexpr std::uint64_t blob_size = std::uint64_t{4} * width * height;
static_assert(blob_size == pages * page);
constexpr int view_maps = pages + 2; ///< hw/view/mapped_view.hpp

constexpr std::uint32_t shown_rows = 16; ///< that are painted and looked at

int max_map_count()
{
    std::ifstream file("/proc/sys/vm/max_map_count");
    int count = 0;
    file >> count;
    return count;
}

class Limits : public testing::Test {
  protected:
    static Machine::Options options(int hog = 0)
    {
        Machine::Options chosen{.devices = ivshmem("near", Ground::near_slot, 64),
                                .gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=16"};
        if (hog > 0) {
            chosen.preload = std::filesystem::path(faults_library()).replace_filename("libvma-hog.so");
            chosen.environment = "VRAMLINK_VMA_HOG=" + std::to_string(hog);
        }
        return chosen;
    }
    struct Desk {
        explicit Desk(const Machine::Options &options) : machine(options), gpu(machine)
        {
            near = machine.map_bar(Ground::near_slot, 2);
        }
        /// Every second page, shuffled: no two of them can be one mapping.
        [[nodiscard]] std::vector<Entry> entries(std::uint32_t id) const
        {
            return scattered(near.address, pages, id, 2);
        }
        /// Makes blob @p id and shows it on scanout id - 1, which makes its view.
        void show(std::uint32_t id)
        {
            ASSERT_STREQ(answer_name(gpu.create_blob(id, blob_size, entries(id))), "OK");
            const BlobScanout scanout{.scanout = id - 1,
                                      .id = id,
                                      .rect = {0, 0, width, height},
                                      .width = width,
                                      .height = height,
                                      .stride = 4 * width};
            ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK") << "blob " << id;
        }
        void expect_picture(std::uint32_t id)
        {
            const Picture picture = paint(width, shown_rows, id);
            put(machine, entries(id), picture);
            EXPECT_STREQ(answer_name(gpu.flush(id, {0, 0, width, shown_rows})), "OK");
            EXPECT_EQ(difference(picture, screendump(machine, id - 1).part({0, 0, width, shown_rows})), "")
                << "blob " << id;
        }
        [[nodiscard]] std::string view_of(std::uint32_t id) { return machine.blob(id)["view"]; }

        Machine machine;
        Gpu gpu;
        Machine::Bar near{};
    };
};

TEST_F(Limits, SixteenScattered4kBuffers)
{
    Desk desk(options());
    const int before = desk.machine.held().maps;
    constexpr std::uint32_t buffers = 16;
    for (std::uint32_t id = 1; id <= buffers; id++)
        ASSERT_NO_FATAL_FAILURE(desk.show(id));

    const int fit = std::min<int>(buffers, max_map_count() / 2 / view_maps);
    for (std::uint32_t id = 1; id <= buffers; id++) {
        const Json blob = desk.machine.blob(id);
        EXPECT_EQ(blob["view"], static_cast<int>(id) <= fit ? "mapped" : "copied") << id;
        if (static_cast<int>(id) > fit) {
            EXPECT_EQ(blob["plan"], "copied");
            EXPECT_NE(blob["reason"].get<std::string>().find("half of vm.max_map_count"), std::string::npos)
                << blob["reason"];
        }
    }
    const int taken = desk.machine.held().maps - before;
    RecordProperty("mappings", taken);
    EXPECT_GE(taken + heap_maps, fit * pages);
    EXPECT_LE(taken, max_map_count() / 2 + static_cast<int>(buffers) + heap_maps);
    desk.expect_picture(1);
    desk.expect_picture(buffers);

    for (std::uint32_t id = 1; id <= buffers; id++)
        ASSERT_STREQ(answer_name(desk.gpu.unref(id)), "OK");
    EXPECT_LE(desk.machine.held().maps, before + heap_maps);
    ASSERT_NO_FATAL_FAILURE(desk.show(buffers));
    EXPECT_EQ(desk.view_of(buffers), "mapped") << "what was given back can be used again";
}

TEST_F(Limits, TheKernelsLimitIsReachedByOthers)
{
    constexpr int left = 12'000; // for QEMU, one view, and a part of a second
    Desk desk(options(max_map_count() - left));
    ASSERT_NO_FATAL_FAILURE(desk.show(1));
    ASSERT_NO_FATAL_FAILURE(desk.show(2));
    EXPECT_EQ(desk.view_of(1), "mapped");
    EXPECT_EQ(desk.view_of(2), "copied");
    const std::string reason = desk.machine.blob(2)["reason"];
    EXPECT_NE(reason.find("errno 12"), std::string::npos) << reason;
    desk.expect_picture(1);
    desk.expect_picture(2);

    ASSERT_STREQ(answer_name(desk.gpu.unref(1)), "OK");
    ASSERT_NO_FATAL_FAILURE(desk.show(3));
    EXPECT_EQ(desk.view_of(3), "mapped");
    desk.expect_picture(3);
}

/// A copy is brought up to date where the guest says that it painted, and nowhere else.
TEST_F(Limits, ACopyTakesDamagedRowsOnly)
{
    Machine::Options chosen = options();
    chosen.shared_ram = false;
    Machine machine(chosen);
    Gpu gpu(machine);
    const std::uint64_t ram = vm_alloc(machine.raw(), 64 * page);
    const Picture picture = paint(64, 64, 1);
    const auto entries = scattered(ram, picture.pages(), 1, 2);
    put(machine, entries, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(1, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(1, picture))), "OK");
    ASSERT_EQ(machine.blob(1)["view"], "copied");
    const auto copied = [&] { return machine.stats()["totals"]["bytes_copied"].get<std::uint64_t>(); };
    const std::uint64_t before = copied();
    ASSERT_STREQ(answer_name(gpu.flush(1, {8, 20, 32, 5})), "OK");
    // Rows, as memcpy likes them: from the first damaged pixel to the last one of each row, at most the whole
    // rows.
    EXPECT_GE(copied() - before, 5u * 32 * 4);
    EXPECT_LE(copied() - before, 5u * 64 * 4);
}

} // namespace
} // namespace vramlink::test
