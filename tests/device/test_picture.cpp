// SPDX-License-Identifier: GPL-2.0-or-later
//
// Pictures: whatever memory a blob is made of, the screen shows what the guest painted.

#include "tests/device/ground.hpp"
#include "tests/device/repeat.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace vramlink::test {

namespace {

constexpr std::uint32_t id = 10;

/// Creates the blob, shows it and compares.
void show_and_compare(Machine &machine, Gpu &gpu, const Picture &picture, const std::vector<Entry> &entries)
{
    put(machine, entries, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, picture.width, picture.height})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
}

/// A second picture at the same place appears with a flush.
void repaint_and_compare(Machine &machine, Gpu &gpu, const Picture &first, const std::vector<Entry> &entries)
{
    const Picture second = paint(first.width, first.height, 99);
    put(machine, entries, second);
    ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, second.width, second.height})), "OK");
    EXPECT_EQ(difference(second, screendump(machine)), "");
}

std::vector<Entry> pieces_of(std::uint64_t start, std::uint64_t size, std::uint32_t piece, std::uint32_t gap)
{
    std::vector<Entry> entries;
    for (std::uint64_t done = 0; done < size; done += piece, start += piece + gap)
        entries.push_back(
            {start, static_cast<std::uint32_t>(std::min<std::uint64_t>(piece, size - done)), 0});
    return entries;
}

std::vector<Entry> alternating(const Ground &g, std::uint32_t pages)
{
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < pages; i++)
        entries.push_back({i % 2 ? g.far_page(100 + i) : g.near_page(100 + pages - i), page, 0});
    return entries;
}

struct Row {
    const char *name;
    std::uint32_t width, height;
    std::function<std::vector<Entry>(Ground &, std::uint64_t bytes)> memory;
    const char *plan;      ///< with ivshmem, without udmabuf
    const char *vfio_plan; ///< with vfio-pci and udmabuf
    std::uint32_t ranges;  ///< after merging; 0: not looked at
};

void PrintTo(const Row &row, std::ostream *out)
{
    *out << row.name;
}

std::uint32_t pages_in(std::uint64_t bytes)
{
    return static_cast<std::uint32_t>((bytes + page - 1) / page);
}

std::uint64_t whole_pages(std::uint64_t bytes)
{
    return std::uint64_t{pages_in(bytes)} * page;
}

const std::vector<Row> rows = {
    {"RamLinear", 320, 200,
     [](auto &g, auto bytes) { return linear(vm_alloc(g.machine.raw(), bytes), whole_pages(bytes)); },
     "mapped", "shared", 1},
    {"RamScattered", 320, 200,
     [](auto &g, auto bytes) {
         return scattered(vm_alloc(g.machine.raw(), 2 * bytes + page), pages_in(bytes), 5, 2);
     },
     "mapped", "shared", 63},
    {"BarLinear", 320, 200, [](auto &g, auto bytes) { return linear(g.near_page(100), whole_pages(bytes)); },
     "mapped", "shared", 1},
    {"BarScattered1024x768", 1024, 768,
     [](auto &g, auto bytes) { return scattered(g.near_page(100), pages_in(bytes), 6, 2); }, "mapped",
     "shared", 768},
    {"BarNeighboursAreMerged", 320, 200,
     [](auto &g, auto bytes) { return pieces_of(g.near_page(100), whole_pages(bytes), page, 0); }, "mapped",
     "shared", 1},
    {"TwoBars", 320, 200, [](auto &g, auto bytes) { return alternating(g, pages_in(bytes)); }, "mapped",
     "mapped", 63},
    {"BarAndRam", 64, 64,
     [](auto &g, auto) {
         return std::vector<Entry>{{g.near_page(100), 2 * page, 0},
                                   {vm_alloc(g.machine.raw(), 2 * page), 2 * page, 0}};
     },
     "mapped", "mapped", 2},
    {"UnalignedPieces", 64, 64,
     [](auto &g, auto bytes) { return pieces_of(g.near_page(100) + 52, bytes, 1000, 24); }, "copied",
     "copied", 0},
    {"UnalignedStart", 64, 64, [](auto &g, auto bytes) { return linear(g.near_page(100) + 512, bytes); },
     nullptr, nullptr, 1},
    {"TwoUnalignedBars", 64, 64,
     [](auto &g, auto) {
         return std::vector<Entry>{{g.near_page(100) + 100, 9000, 0}, {g.far_page(100) + 4, 7384, 0}};
     },
     "copied", "copied", 2},
    {"EndsInsideAPage", 52, 50,
     [](auto &g, auto bytes) { return scattered(g.near_page(100), pages_in(bytes), 8, 2); }, "mapped",
     "shared", 3},
    {"LastEntryEndsInsideAPage", 52, 50, [](auto &g, auto bytes) { return linear(g.near_page(100), bytes); },
     "mapped", "mapped", 1},
};

/// In the lab a large picture takes long to write and to read: VfioAlone.EightKInSinglePages has more pages,
/// and looks at fewer pixels.
std::vector<Row> vfio_rows()
{
    std::vector<Row> chosen = rows;
    if (!is_long_run())
        std::erase_if(chosen, [](const Row &row) { return row.width > 320; });
    return chosen;
}

class Memory : public testing::TestWithParam<std::tuple<Where, Row>> {};

TEST_P(Memory, IsShown)
{
    const auto &[where, row] = GetParam();
    const char *plan = where == Where::Vfio ? row.vfio_plan : row.plan;
    Ground &ground = Ground::shared(ground_options(where));
    const Picture picture = paint(row.width, row.height, 2);
    const auto entries = row.memory(ground, picture.bytes());
    show_and_compare(ground.machine, ground.gpu, picture, entries);
    repaint_and_compare(ground.machine, ground.gpu, picture, entries);
    const Json blob = ground.machine.blob(id);
    if (plan) {
        EXPECT_EQ(blob["plan"], std::string(plan)) << blob.dump();
    }
    EXPECT_NE(blob.value("reason", ""), "") << blob.dump();
    EXPECT_EQ(blob["entries"], entries.size());
    if (row.ranges) {
        EXPECT_EQ(blob["ranges"], row.ranges);
    }
    EXPECT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "OK");
    ground.check_alive();
}

std::string memory_name(const testing::TestParamInfo<Memory::ParamType> &info)
{
    return std::get<Row>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Kinds, Memory,
                         testing::Combine(testing::Values(Where::Ivshmem), testing::ValuesIn(rows)),
                         memory_name);
INSTANTIATE_TEST_SUITE_P(VfioKinds, Memory,
                         testing::Combine(testing::Values(Where::Vfio), testing::ValuesIn(vfio_rows())),
                         memory_name);

TEST(Picture, PrivateRamIsCopiedOrRead)
{
    Machine machine({.shared_ram = false});
    Gpu gpu(machine);
    const Picture picture = paint(320, 200, 3);
    const std::uint64_t ram = vm_alloc(machine.raw(), 2 * picture.bytes() + page);
    const auto entries = scattered(ram, picture.pages(), 4, 2);
    show_and_compare(machine, gpu, picture, entries);
    repaint_and_compare(machine, gpu, picture, entries);
    EXPECT_EQ(machine.blob(id)["plan"], "copied");
    EXPECT_GT(machine.stats()["totals"]["bytes_copied"], 0);
}

/// Memory that only QEMU's own mapping reaches, as the VRAM of its emulated graphics cards.
TEST(Picture, ABarWithoutAFileIsCopied)
{
    Machine machine({.devices = "-object memory-backend-ram,id=plain,size=16M "
                                "-device ivshmem-plain,memdev=plain,addr=5"});
    Gpu gpu(machine);
    const Machine::Bar bar = machine.map_bar(5, 2);
    const Picture picture = paint(320, 200, 3);
    const auto entries = scattered(bar.address, picture.pages(), 4, 2);
    show_and_compare(machine, gpu, picture, entries);
    repaint_and_compare(machine, gpu, picture, entries);
    EXPECT_EQ(machine.blob(id)["plan"], "copied");
}

/// One blob of guest RAM, a BAR with a file behind it and a BAR without one.
TEST(Picture, AMixtureOfAllKindsIsCopied)
{
    Machine machine({.devices = "-object memory-backend-ram,id=plain,size=16M "
                                "-device ivshmem-plain,memdev=plain,addr=5 " +
                                ivshmem("file", 6, 16)});
    Gpu gpu(machine);
    const std::uint64_t starts[] = {machine.map_bar(5, 2).address, machine.map_bar(6, 2).address,
                                    vm_alloc(machine.raw(), 4 * page)};
    const Picture picture = paint(64, 192, 5);
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < picture.pages(); i++)
        entries.push_back({starts[i % 3] + i / 3 * page, page, 0});
    show_and_compare(machine, gpu, picture, entries);
    repaint_and_compare(machine, gpu, picture, entries);
    EXPECT_EQ(machine.blob(id)["plan"], "copied");
    EXPECT_NE(machine.blob(id).value("reason", "").find("several kinds"), std::string::npos);
}

TEST(Picture, MappedCopiesNothing)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const auto copied = [&] { return ground.machine.stats()["totals"]["bytes_copied"]; };
    const Json before = copied();
    const Picture picture = paint(320, 200, 3);
    show_and_compare(ground.machine, ground.gpu, picture,
                     scattered(ground.near_page(100), picture.pages(), 4, 2));
    EXPECT_EQ(copied(), before);
}

struct Place {
    const char *name;
    std::uint32_t offset;
    Rect rect;
};

class Framebuffer : public testing::TestWithParam<Place> {};

/// A framebuffer of 128x96 somewhere in a blob, of which a rectangle is shown.
TEST_P(Framebuffer, PlaneOffsetAndRectangle)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const Picture whole = paint(128, 96, 7);
    const std::uint64_t size = GetParam().offset + whole.bytes();
    const auto entries = scattered(ground.near_page(100), pages_in(size), 9, 2);
    put(ground.machine, entries, whole, GetParam().offset);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, size, entries)), "OK");
    BlobScanout scanout = Ground::scanout_of(id, whole);
    scanout.offset = GetParam().offset;
    scanout.rect = GetParam().rect;
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(scanout)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.flush(id, GetParam().rect)), "OK");
    EXPECT_EQ(difference(whole.part(GetParam().rect), screendump(ground.machine)), "");
}

INSTANTIATE_TEST_SUITE_P(Places, Framebuffer,
                         testing::Values(Place{"PageOffset", 2 * page, {0, 0, 128, 96}},
                                         Place{"OddOffset", 1236, {0, 0, 128, 96}},
                                         Place{"Rectangle", 0, {16, 8, 64, 48}},
                                         Place{"LowerRightCorner", 0, {64, 48, 64, 48}},
                                         Place{"OffsetAndRectangle", 4100, {3, 5, 100, 90}}),
                         [](const auto &row) { return std::string(row.param.name); });

TEST(Picture, EightKInSinglePages)
{
    constexpr std::uint32_t width = 7680;
    constexpr std::uint32_t height = 4320;
    constexpr std::uint32_t entries_of_8k = 32400;
    Machine machine({.devices = ivshmem("big", 5, 256)});
    Gpu gpu(machine);
    const auto bar = machine.map_bar(5, 2);
    const auto entries = scattered(bar.address, entries_of_8k, 10);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, std::uint64_t{4} * width * height, entries)), "OK");
    // The last page of the blob holds the last 1,024 pixels of the last row.
    const Picture tail = paint(1024, 1, 11);
    put(machine, {entries.back()}, tail);
    BlobScanout scanout{
        .id = id, .rect = {width - 1024, height - 16, 1024, 16}, .width = width, .height = height};
    scanout.stride = 4 * width;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    const Picture seen = screendump(machine);
    ASSERT_EQ(seen.height, 16u);
    EXPECT_EQ(difference(tail, seen.part({0, 15, 1024, 1})), "");
    EXPECT_EQ(machine.blob(id)["entries"], entries_of_8k);
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
}

TEST(Picture, CommandInManyDescriptors)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const Picture picture = paint(64, 64, 12);
    const auto entries = scattered(ground.near_page(100), picture.pages(), 1, 2);
    put(ground.machine, entries, picture);
    const Bytes request = create_blob_bytes(id, picture.bytes(), 4, entries);
    constexpr std::size_t odd_piece = 7;
    ASSERT_STREQ(answer_name(ground.gpu.send(request, odd_piece)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    EXPECT_EQ(difference(picture, screendump(ground.machine)), "");
}

TEST(Picture, TwoDimensionalResourcesStillWork)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const Picture picture = paint(64, 64, 13);
    const auto entries = linear(vm_alloc(ground.machine.raw(), picture.bytes()), picture.bytes());
    put(ground.machine, entries, picture);
    EXPECT_STREQ(answer_name(ground.gpu.attach(plain_2d_id, entries)), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.transfer_to_host_2d(plain_2d_id, {0, 0, 64, 64})), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.set_scanout(0, plain_2d_id, {0, 0, 64, 64})), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.flush(plain_2d_id, {0, 0, 64, 64})), "OK");
    EXPECT_EQ(difference(picture, screendump(ground.machine)), "");
    EXPECT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "OK");
    ground.check_alive();
}

TEST(Picture, TwoScanouts)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const Picture second = paint(80, 50, 14);
    const auto entries = scattered(ground.far_page(8), second.pages(), 2);
    put(ground.machine, entries, second);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, second.bytes(), entries)), "OK");
    BlobScanout scanout = Ground::scanout_of(id, second);
    scanout.scanout = 1;
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(scanout)), "OK");
    EXPECT_EQ(difference(second, screendump(ground.machine, 1)), "");
    ground.check_alive();
}

} // namespace

} // namespace vramlink::test
