// SPDX-License-Identifier: GPL-2.0-or-later
//
// Real VFIO: blobs in the BAR of devices that vfio-pci owns. Needs VRAMLINK_VFIO with two devices whose BAR 2
// is 64 MiB of memory, and a third of 256 MiB for EightK; runs in the lab (run-in-lab).

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

namespace vramlink::test {

namespace {

constexpr std::uint32_t id = 10;
constexpr Rect whole{0, 0, Ground::width, Ground::height};

struct Range {
    std::uint64_t offset, length;
    bool operator==(const Range &) const = default;
};

void PrintTo(const Range &r, std::ostream *out)
{
    *out << std::hex << "0x" << r.offset << "+0x" << r.length;
}

/// What the kernel was asked to export.
struct Export {
    int device_fd = -1;
    unsigned region = 0;
    std::vector<Range> ranges;
};

/// A machine with two passthrough devices, and a log of its exports.
class Vfio : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
        const std::string base = std::filesystem::temp_directory_path() / "vramlink-vfio-";
        log_ = base + std::to_string(getpid()) + ".exports";
        errno_ = base + std::to_string(getpid()) + ".errno";
        TearDown();
    }
    void TearDown() override
    {
        std::filesystem::remove(log_);
        std::filesystem::remove(errno_);
    }
    /// From now on the kernel refuses exports with this errno.
    void refuse_exports(int number) { std::ofstream(errno_) << number; }

    Machine::Options options(const std::string &environment = "")
    {
        auto o = ground_options(Where::Vfio);
        o.preload = faults_library();
        o.environment =
            "VRAMLINK_TEST_DMABUF_LOG=" + log_ + " VRAMLINK_TEST_DMABUF_ERRNO=" + errno_ + " " + environment;
        return o;
    }

    std::vector<Export> exports()
    {
        std::vector<Export> all;
        std::ifstream file(log_);
        for (std::string line; std::getline(file, line);) {
            std::istringstream words(line);
            Export e;
            words >> e.device_fd >> e.region;
            for (Range r{}; words >> r.offset && words.get() == '+' && words >> r.length;)
                e.ranges.push_back(r);
            all.push_back(e);
        }
        return all;
    }

  private:
    std::string log_;
    std::string errno_;
};

std::vector<Range> ranges_of(const std::vector<Entry> &entries, std::uint64_t bar)
{
    std::vector<Range> ranges;
    for (const auto &e : entries) {
        if (!ranges.empty() && ranges.back().offset + ranges.back().length == e.addr - bar)
            ranges.back().length += e.length;
        else
            ranges.push_back({e.addr - bar, e.length});
    }
    return ranges;
}

void show(Ground &ground, const Picture &picture, const std::vector<Entry> &entries)
{
    put(ground.machine, entries, picture);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    EXPECT_EQ(difference(picture, screendump(ground.machine)), "");
}

/// Sum of the sizes of the process's dma-bufs.
std::uint64_t dmabuf_bytes(pid_t pid)
{
    const std::string proc = "/proc/" + std::to_string(pid);
    std::uint64_t sum = 0;
    for (const auto &entry : std::filesystem::directory_iterator(proc + "/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone).string().find("dmabuf") == std::string::npos)
            continue;
        std::ifstream info(proc + "/fdinfo/" + entry.path().filename().string());
        for (std::string word; info >> word;) {
            std::uint64_t size = 0;
            if (word == "size:" && info >> size)
                sum += size;
        }
    }
    return sum;
}

int vfio_devices_open(pid_t pid)
{
    int count = 0;
    for (const auto &entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry.path(), gone).string().find("vfio-device") !=
                 std::string::npos;
    }
    return count;
}

/// QEMU makes surfaces of its own when it first needs them; Lifecycle.SwitchingScanoutsLeaksNothing counts
/// these.
std::multiset<std::string> without_surfaces(std::multiset<std::string> targets)
{
    std::erase_if(targets,
                  [](const std::string &target) { return target.starts_with("/memfd:displaysurface"); });
    return targets;
}

TEST_F(Vfio, OneDmabufWithTheRangesOfTheBlob)
{
    Ground &ground = Ground::shared(options());
    const Held before = ground.machine.held();
    const std::uint64_t bytes_before = dmabuf_bytes(ground.machine.pid());
    const auto exports_before = exports().size();
    const Picture picture = paint(320, 200, 2);
    const auto entries = scattered(ground.near_page(300), picture.pages(), 5, 3);
    put(ground.machine, entries, picture);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
    const Held created = ground.machine.held();
    EXPECT_EQ(created.dmabufs, before.dmabufs + 1);
    EXPECT_LE(created.maps, before.maps + heap_maps) << "a CPU view that nobody asked for";
    ASSERT_EQ(exports().size(), exports_before + 1);
    EXPECT_EQ(exports().back().region, 2u);
    EXPECT_EQ(exports().back().ranges, ranges_of(entries, ground.near.address));
    EXPECT_EQ(dmabuf_bytes(ground.machine.pid()), bytes_before + std::uint64_t{picture.pages()} * page);
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    EXPECT_EQ(difference(picture, screendump(ground.machine)), "");
    EXPECT_EQ(ground.machine.blob(id)["plan"], "shared");
    ASSERT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    EXPECT_EQ(ground.machine.held().dmabufs, before.dmabufs);
    EXPECT_EQ(without_surfaces(ground.machine.held().targets), without_surfaces(before.targets));
}

TEST_F(Vfio, NeighboursAreMergedBeforeTheExport)
{
    Ground &ground = Ground::shared(options());
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < 64; i++)
        entries.push_back({ground.near_page(i < 32 ? 400 + i : 500 + i), page, 0});
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, 64 * page, entries)), "OK");
    const std::vector<Range> two{{400 * page, 32 * page}, {532 * page, 32 * page}};
    EXPECT_EQ(exports().back().ranges, two);
    EXPECT_EQ(ground.machine.blob(id)["ranges"], 2);
}

TEST_F(Vfio, EachBlobFindsItsDevice)
{
    Ground &ground = Ground::shared(options());
    const Picture picture = paint(64, 64, 8);
    show(ground, picture, scattered(ground.far_page(300), picture.pages(), 5, 3));
    const auto all = exports();
    ASSERT_GE(all.size(), 2u);
    EXPECT_NE(all.front().device_fd, all.back().device_fd) << "both blobs were exported by the same device";
    EXPECT_NE(ground.machine.blob(id)["region"], ground.machine.blob(shown_id)["region"]);
    EXPECT_EQ(ground.machine.blob(id)["plan"], "shared");
}

TEST_F(Vfio, ABlobOverTwoDevicesIsMapped)
{
    Ground &ground = Ground::shared(options());
    const Picture picture = paint(64, 64, 9);
    const std::vector<Entry> entries{{ground.near_page(300), 2 * page, 0},
                                     {ground.far_page(300), 2 * page, 0}};
    show(ground, picture, entries);
    EXPECT_EQ(ground.machine.blob(id)["plan"], "mapped") << ground.machine.blob(id).dump();
}

/// VFIO has reasons of its own against a migration.
bool we_block_migration(Machine &machine)
{
    const Json reasons = machine.qmp({{"execute", "query-migrate"}}).value("blocked-reasons", Json::array());
    return std::any_of(reasons.begin(), reasons.end(), [](const Json &reason) {
        return reason.get<std::string>().find("vramlink: vram0 has blobs") != std::string::npos;
    });
}

TEST_F(Vfio, MigrationIsBlockedWhileABlobLiesInVram)
{
    Ground &ground = Ground::shared(options());
    EXPECT_TRUE(we_block_migration(ground.machine));
    ASSERT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
    EXPECT_FALSE(we_block_migration(ground.machine));
    ASSERT_STREQ(answer_name(ground.gpu.attach(shown_id, ground.shown_entries())), "OK");
    EXPECT_TRUE(we_block_migration(ground.machine));
    ASSERT_STREQ(answer_name(ground.gpu.unref(shown_id)), "OK");
    EXPECT_FALSE(we_block_migration(ground.machine));
}

TEST_F(Vfio, FlipsExportNothing)
{
    Ground &ground = Ground::shared(options());
    std::vector<std::vector<Entry>> buffers;
    for (std::uint32_t b = 0; b < 3; b++) {
        buffers.push_back(scattered(ground.near_page(300 + 100 * b), ground.picture.pages(), b, 3));
        ASSERT_STREQ(answer_name(ground.gpu.create_blob(id + b, ground.picture.bytes(), buffers[b])), "OK");
    }
    const auto exported = exports().size();
    const Json copied = ground.machine.stats()["totals"]["bytes_copied"];
    for (std::uint32_t frame = 0; frame < 12; frame++) {
        const Picture picture = paint(Ground::width, Ground::height, 100 + frame);
        put(ground.machine, buffers[frame % 3], picture);
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id + frame % 3, picture))),
                     "OK");
        ASSERT_STREQ(answer_name(ground.gpu.flush(id + frame % 3, whole)), "OK");
        EXPECT_EQ(difference(picture, screendump(ground.machine)), "") << "frame " << frame;
    }
    EXPECT_EQ(exports().size(), exported);
    EXPECT_EQ(ground.machine.stats()["totals"]["bytes_copied"], copied);
}

TEST_F(Vfio, AcrossTheEndOfTheBar)
{
    Ground &ground = Ground::shared(options());
    EXPECT_STREQ(answer_name(ground.gpu.create_blob(
                     id, 2 * page, linear(ground.near.address + ground.near.size - page, 2 * page))),
                 "ERR_INVALID_PARAMETER");
    ground.check_alive();
}

TEST_F(Vfio, NothingLeaksInManyBlobs)
{
    constexpr std::uint32_t many = 3 * heap_maps;
    Ground &ground = Ground::shared(options());
    const Held before = ground.machine.held();
    for (std::uint32_t i = 0; i < many; i++) {
        const auto entries = scattered(ground.near_page(300), 16, i, 2);
        ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, 16 * page, entries)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.detach(id)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.attach(id, scattered(ground.far_page(300), 16, i, 2))), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    }
    const Held after = ground.machine.held();
    EXPECT_EQ(after.targets, before.targets);
    EXPECT_LE(after.maps, before.maps + heap_maps);
    ground.check_alive();
}

/// A BAR of which QEMU maps [1 MiB, 17 MiB) and [20 MiB, 64 MiB): two RAM blocks, neither at the BAR's start.
constexpr auto split_bar = "VRAMLINK_TEST_SPARSE='2 0x100000+0x1000000 0x1400000+0x2c00000'";
constexpr std::uint32_t first_area = 256; // pages
constexpr std::uint32_t gap = 4352;
constexpr std::uint32_t second_area = 5120;

TEST_F(Vfio, SplitBarIsMappedInPieces)
{
    Ground &ground = Ground::shared(options(split_bar), first_area);
    const Json tree = ground.machine.qmp(
        {{"execute", "human-monitor-command"}, {"arguments", {{"command-line", "info mtree -f"}}}});
    EXPECT_NE(tree.get<std::string>().find("mmaps[1]"), std::string::npos) << tree.get<std::string>();
}

TEST_F(Vfio, SplitBarOffsetsAreOffsetsInTheBar)
{
    Ground &ground = Ground::shared(options(split_bar), first_area);
    for (const std::uint32_t first : {first_area + 40, second_area, second_area + 1000}) {
        const Picture picture = paint(64, 64, first);
        const auto entries = scattered(ground.near_page(first), picture.pages(), 5, 3);
        show(ground, picture, entries);
        EXPECT_EQ(exports().back().ranges, ranges_of(entries, ground.near.address));
        EXPECT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    }
}

TEST_F(Vfio, ABlobOverTwoPiecesOfABarIsOneDmabuf)
{
    Ground &ground = Ground::shared(options(split_bar), first_area);
    const Picture picture = paint(64, 64, 3);
    const std::vector<Entry> entries{{ground.near_page(gap - 2), 2 * page, 0},
                                     {ground.near_page(second_area), 2 * page, 0}};
    show(ground, picture, entries);
    EXPECT_EQ(exports().back().ranges, ranges_of(entries, ground.near.address));
    EXPECT_EQ(ground.machine.blob(id)["plan"], "shared");
}

TEST_F(Vfio, TheGapOfASplitBarIsNotMemory)
{
    Ground &ground = Ground::shared(options(split_bar), first_area);
    EXPECT_STREQ(answer_name(ground.gpu.create_blob(id, page, linear(ground.near_page(gap), page))),
                 "ERR_INVALID_PARAMETER");
    EXPECT_STREQ(
        answer_name(ground.gpu.create_blob(id, 2 * page, linear(ground.near_page(gap - 1), 2 * page))),
        "ERR_INVALID_PARAMETER");
    EXPECT_NE(ground.machine.new_messages().find("not memory"), std::string::npos);
    ground.check_alive();
}

/// Tests that need a machine of their own: another suite, hence another process, in which nobody else has the
/// devices.
class VfioAlone : public Vfio {};

TEST_F(VfioAlone, UnpluggedDeviceIsClosed)
{
    Ground ground(options());
    const pid_t pid = ground.machine.pid();
    const int open = vfio_devices_open(pid);
    ground.machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "near"}}}});
    vm_pci_eject(ground.machine.raw(), Ground::near_slot);
    vm_wait_event(ground.machine.raw(), "DEVICE_DELETED");
    EXPECT_TRUE(eventually([&] { return vfio_devices_open(pid) == open - 1; }))
        << "the device's fd is still open";
    EXPECT_EQ(ground.machine.held().dmabufs, 0);
    EXPECT_EQ(ground.machine.stats()["totals"]["tombstones"], 1);
    EXPECT_STREQ(answer_name(ground.gpu.flush(shown_id, whole)), "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(ground.gpu.unref(shown_id)), "OK");
}

TEST_F(VfioAlone, EightKInSinglePages)
{
    constexpr std::uint32_t entries_of_8k = 32400;
    ASSERT_GE(vfio_hosts().size(), 3u) << "the third device of VRAMLINK_VFIO is missing";
    auto o = options();
    o.devices = "-device vfio-pci,host=" + vfio_hosts()[2] + ",addr=5 ";
    Machine machine(o);
    Gpu gpu(machine);
    const auto bar = machine.map_bar(5, 2);
    const auto entries = scattered(bar.address, entries_of_8k, 10);
    const std::uint64_t bytes = std::uint64_t{entries_of_8k} * page;
    ASSERT_STREQ(answer_name(gpu.create_blob(id, bytes, entries)), "OK");
    EXPECT_EQ(machine.blob(id)["plan"], "shared") << machine.blob(id).dump();
    EXPECT_EQ(exports().back().ranges, ranges_of(entries, bar.address));
    EXPECT_EQ(dmabuf_bytes(machine.pid()), bytes);
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
}

/// What hosts answer to the export.
struct Refusal {
    const char *name;
    int number;
};

class VfioRefusal : public Vfio, public testing::WithParamInterface<Refusal> {};

TEST_P(VfioRefusal, FallsBackAndSaysWhy)
{
    Ground &ground = Ground::shared(options());
    const auto exported = exports().size();
    refuse_exports(GetParam().number);
    const Picture picture = paint(320, 200, 4);
    show(ground, picture, scattered(ground.near_page(300), picture.pages(), 5, 3));
    const Json blob = ground.machine.blob(id);
    EXPECT_EQ(blob["plan"], "mapped") << blob.dump();
    EXPECT_NE(blob.value("reason", "").find(GetParam().name), std::string::npos) << blob.dump();
    EXPECT_EQ(exports().size(), exported);
    EXPECT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
}

INSTANTIATE_TEST_SUITE_P(VfioErrno, VfioRefusal,
                         testing::Values(Refusal{"ENOTTY", ENOTTY}, Refusal{"ENODEV", ENODEV},
                                         Refusal{"ENOMEM", ENOMEM}, Refusal{"EOPNOTSUPP", EOPNOTSUPP},
                                         Refusal{"EMFILE", EMFILE}),
                         [](const auto &row) { return std::string(row.param.name); });

} // namespace

} // namespace vramlink::test
