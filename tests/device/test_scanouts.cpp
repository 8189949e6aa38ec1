// SPDX-License-Identifier: GPL-2.0-or-later
//
// Outputs: sixteen at once, on one blob or several, resized, moved, turned off and on; and the other way,
// what a viewer's window tells the guest.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

constexpr std::uint32_t outputs = 16;
constexpr std::uint32_t id = 10;

Machine::Options many_outputs(Where where = Where::Ivshmem)
{
    auto options = ground_options(where);
    options.gpu = "virtio-gpu-vram-pci,id=vram0,still-ms=60000,max_outputs=" + std::to_string(outputs);
    return options;
}

/// A blob that is a column of @c outputs pictures, each at a page.
struct Column {
    std::vector<Picture> pictures;
    std::vector<Entry> entries;

    Column(std::uint64_t memory, std::uint32_t seed)
    {
        for (std::uint32_t i = 0; i < outputs; i++)
            pictures.push_back(paint(64, 64, seed + i));
        entries = scattered(memory, outputs * pictures[0].pages(), seed, 2);
    }
    [[nodiscard]] std::uint64_t size() const { return outputs * pictures[0].bytes(); }
    void put_all(Machine &machine) const
    {
        for (std::uint32_t i = 0; i < outputs; i++)
            put(machine, entries, pictures[i], i * pictures[0].bytes());
    }
    [[nodiscard]] BlobScanout on(std::uint32_t output, std::uint32_t number) const
    {
        BlobScanout scanout = Ground::scanout_of(id, pictures[number]);
        scanout.scanout = output;
        scanout.offset = static_cast<std::uint32_t>(number * pictures[number].bytes());
        return scanout;
    }
};

void expect_outputs(Machine &machine, const Column &column, std::uint32_t shift)
{
    for (std::uint32_t i = 0; i < outputs; i++)
        EXPECT_EQ(difference(column.pictures[(i + shift) % outputs], screendump(machine, i)), "")
            << "output " << i;
}

TEST(Scanouts, SixteenOnOneBlob)
{
    Machine machine(many_outputs());
    Gpu gpu(machine);
    const Column column(machine.map_bar(Ground::near_slot, 2).address, 20);
    column.put_all(machine);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, column.size(), column.entries)), "OK");
    for (const std::uint32_t shift : {0u, 5u}) { // each moves to another place of the blob
        for (std::uint32_t i = 0; i < outputs; i++)
            ASSERT_STREQ(answer_name(gpu.set_scanout_blob(column.on(i, (i + shift) % outputs))), "OK");
        ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, 64, 64})), "OK");
        expect_outputs(machine, column, shift);
    }
    EXPECT_EQ(machine.blob(id)["scanouts"].size(), outputs);
    BlobScanout one_more = column.on(outputs, 0);
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob(one_more)), "ERR_INVALID_SCANOUT_ID");

    // Off and on again; the others stay.
    BlobScanout off{};
    off.scanout = 7;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(off)), "OK");
    EXPECT_EQ(machine.blob(id)["scanouts"].size(), outputs - 1);
    EXPECT_NE(difference(column.pictures[12], screendump(machine, 7)), "");
    EXPECT_EQ(difference(column.pictures[13], screendump(machine, 8)), "");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(column.on(7, 12))), "OK");
    expect_outputs(machine, column, 5);

    // A move takes all of them along.
    ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
    expect_outputs(machine, column, 5);
    ASSERT_STREQ(answer_name(gpu.attach(id, column.entries)), "OK");
    expect_outputs(machine, column, 5);
    EXPECT_EQ(machine.stats()["totals"]["stills"], outputs);
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
    EXPECT_EQ(machine.stats()["totals"]["live"], 0);
}

TEST(Scanouts, ModeChanges)
{
    Ground ground;
    const std::pair<std::uint32_t, std::uint32_t> modes[] = {{640, 480}, {1024, 768}, {32, 16}, {800, 600}};
    for (const auto &[width, height] : modes) {
        const Picture picture = paint(width, height, width);
        const auto entries = scattered(ground.far_page(8), picture.pages(), 3, 2);
        put(ground.machine, entries, picture);
        ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.flush(id, {0, 0, width, height})), "OK");
        EXPECT_EQ(difference(picture, screendump(ground.machine)), "");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                     "OK");
        ASSERT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    }
    ground.check_alive();
}

/// Blobs on even outputs, 2D resources on odd ones, whose roles then change.
TEST(Scanouts, BlobsAnd2dResourcesMixed)
{
    Machine machine(many_outputs());
    Gpu gpu(machine);
    const Column column(machine.map_bar(Ground::near_slot, 2).address, 20);
    column.put_all(machine);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, column.size(), column.entries)), "OK");
    constexpr std::uint32_t first_2d = 100;
    for (std::uint32_t i = 0; i < outputs; i++) {
        const Picture &picture = column.pictures[i];
        const auto memory = linear(vm_alloc(machine.raw(), picture.bytes()), picture.bytes());
        put(machine, memory, picture);
        ASSERT_STREQ(answer_name(gpu.create_2d(first_2d + i, 64, 64)), "OK");
        ASSERT_STREQ(answer_name(gpu.attach(first_2d + i, memory)), "OK");
        ASSERT_STREQ(answer_name(gpu.transfer_to_host_2d(first_2d + i, {0, 0, 64, 64})), "OK");
    }
    for (const std::uint32_t odd : {1u, 0u}) {
        for (std::uint32_t i = 0; i < outputs; i++) {
            if (i % 2 == odd)
                ASSERT_STREQ(answer_name(gpu.set_scanout(i, first_2d + i, {0, 0, 64, 64})), "OK");
            else
                ASSERT_STREQ(answer_name(gpu.set_scanout_blob(column.on(i, i))), "OK");
        }
        expect_outputs(machine, column, 0);
        EXPECT_EQ(machine.blob(id)["scanouts"].size(), outputs / 2);
    }
}

/// Pixels of the preferred mode (VESA E-EDID 1.4, 3.10: the first detailed timing).
std::pair<unsigned, unsigned> preferred_mode(const Bytes &edid)
{
    constexpr std::size_t timing = 54;
    if (edid.size() < 128)
        return {0, 0};
    return {edid[timing + 2] | (edid[timing + 4] & 0xf0u) << 4, edid[timing + 5] | (edid[timing + 7] & 0xf0u)
                                                                                       << 4};
}

TEST(Scanouts, AWindowsSizeReachesTheGuest)
{
    auto options = ground_options(Where::Ivshmem);
    options.display = "dbus,p2p=yes";
    Machine machine(options);
    Gpu gpu(machine);
    const std::pair<unsigned, unsigned> sizes[] = {{1600, 900}, {1280, 1024}};
    for (const unsigned console : {0u, 1u}) {
        Recorder recorder(machine, console);
        for (const auto &[width, height] : sizes) {
            (void)gpu.take_events();
            ASSERT_TRUE(recording_consumer_set_ui_info(recorder.raw(), 400, 225, width, height));
            EXPECT_TRUE(eventually([&] { return (gpu.take_events() & VIRTIO_GPU_EVENT_DISPLAY) != 0; }));
            EXPECT_EQ(gpu.take_events(), 0u);
            const auto info = gpu.display_info();
            EXPECT_EQ(info.pmodes[console].r.width, width);
            EXPECT_EQ(info.pmodes[console].r.height, height);
            EXPECT_EQ(info.pmodes[console].enabled, 1u);
            EXPECT_EQ(preferred_mode(gpu.edid(console)), std::pair(width, height));
        }
    }
    EXPECT_TRUE(gpu.edid(2).empty()) << "there is no third output";
}

/// The console keeps its surface beside a dma-buf: egl-headless reads frames back into it, VNC reads it. It
/// must not lie over the memory of the blob before.
TEST(VfioScanouts, ASurfaceAndADmabufTakeTurns)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = ground_options(Where::Vfio);
    options.display = "egl-headless,rendernode=/dev/dri/renderD128";
    Machine machine(options);
    Gpu gpu(machine);
    const auto near = machine.map_bar(Ground::near_slot, 2), far = machine.map_bar(Ground::far_slot, 2);
    const Picture first = paint(64, 64, 1), second = paint(64, 64, 2);
    constexpr std::uint32_t two_bars = 11;
    const std::vector<Entry> mixed{{near.address + (32u << 20), 2 * page, 0}, {far.address, 2 * page, 0}};
    const auto vram = scattered(near.address, second.pages(), 1, 2);
    put(machine, mixed, first);
    put(machine, vram, second);
    for (int turn = 0; turn < 3; turn++) {
        ASSERT_STREQ(answer_name(gpu.create_blob(two_bars, first.bytes(), mixed)), "OK");
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(two_bars, first))), "OK");
        ASSERT_STREQ(answer_name(gpu.flush(two_bars, {0, 0, 64, 64})), "OK");
        EXPECT_EQ(difference(first, screendump(machine)), "");
        ASSERT_STREQ(answer_name(gpu.create_blob(id, second.bytes(), vram)), "OK");
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, second))), "OK");
        ASSERT_STREQ(answer_name(gpu.unref(two_bars)), "OK");
        ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, 64, 64})), "OK");
        EXPECT_EQ(difference(second, screendump(machine)), "");
        ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
    }
}

/// One output shows a dma-buf, another a surface: two blobs, of which one cannot be shared.
TEST(VfioScanouts, DmabufsAndSurfacesMixed)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = many_outputs(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    Machine machine(options);
    Gpu gpu(machine);
    const auto near = machine.map_bar(Ground::near_slot, 2), far = machine.map_bar(Ground::far_slot, 2);
    const Column column(near.address, 20);
    column.put_all(machine);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, column.size(), column.entries)), "OK");
    const Picture picture = paint(64, 64, 1);
    constexpr std::uint32_t two_bars = 11;
    const std::vector<Entry> entries{{near.address + (32u << 20), 2 * page, 0}, {far.address, 2 * page, 0}};
    put(machine, entries, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(two_bars, picture.bytes(), entries)), "OK");
    for (std::uint32_t i = 0; i < outputs; i++) {
        BlobScanout scanout = i % 2 ? column.on(i, i) : Ground::scanout_of(two_bars, picture);
        scanout.scanout = i;
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    }
    for (std::uint32_t i = 0; i < outputs; i++)
        EXPECT_EQ(difference(i % 2 ? column.pictures[i] : picture, screendump(machine, i)), "") << i;
    EXPECT_EQ(machine.blob(two_bars)["plan"], "mapped");
    EXPECT_EQ(machine.blob(id)["plan"], "shared");
    EXPECT_EQ(machine.stats()["totals"]["bytes_copied"], 0);

    // A listener that comes late is handed each as it is.
    Recorder dmabuf(machine, 1), surface(machine, 0);
    const auto inodes = machine.blob(id)["dmabufs"].get<std::vector<std::uint64_t>>();
    EXPECT_TRUE(dmabuf.wait(RECORDED_SCANOUT_DMABUF, 0, [&](auto &call) {
        return std::find(inodes.begin(), inodes.end(), call.inode) != inodes.end();
    }));
    EXPECT_TRUE(surface.wait(RECORDED_SCANOUT_DMABUF, 0, [](auto &) { return true; })) << "QEMU's texture";
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
    ASSERT_STREQ(answer_name(gpu.unref(two_bars)), "OK");
    EXPECT_EQ(machine.held().vfio_dmabufs, 0);
}

} // namespace
} // namespace vramlink::test
