// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the table counts, and what it tells a tracer while it works.

#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <linux/virtio_gpu.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x80000000;
constexpr uint64_t bar_size = 16 * page;

class Stats : public testing::Test {
  protected:
    Stats()
    {
        bench.vmm.map(bar_gpa, bar, 0, bar_size);
        bench.vmm.keep_notes = true;
    }
    [[nodiscard]] nlohmann::json totals() const { return nlohmann::json::parse(bench.stats())["totals"]; }
    [[nodiscard]] std::vector<Note> notes(vrl_note_kind kind) const
    {
        std::vector<Note> found;
        std::copy_if(bench.vmm.notes.begin(), bench.vmm.notes.end(), std::back_inserter(found),
                     [kind](const Note &note) { return note.note.kind == kind; });
        return found;
    }

    Bench bench;
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar");
};

TEST_F(Stats, CommandsByType)
{
    EXPECT_EQ(totals()["commands"], 0);
    EXPECT_TRUE(totals()["commands_by_type"].empty());
    for (const uint32_t type :
         {uint32_t{VIRTIO_GPU_CMD_GET_DISPLAY_INFO}, uint32_t{VIRTIO_GPU_CMD_RESOURCE_FLUSH},
          uint32_t{VIRTIO_GPU_CMD_RESOURCE_FLUSH}, uint32_t{VIRTIO_GPU_CMD_SET_SCANOUT_BLOB},
          uint32_t{VIRTIO_GPU_CMD_SUBMIT_3D}, 0U, ~0U, VIRTIO_GPU_CMD_GET_DISPLAY_INFO - 1U,
          VIRTIO_GPU_CMD_SET_SCANOUT_BLOB + 1U})
        vrl_table_count_command(bench.get(), type);
    const nlohmann::json expected{
        {"GET_DISPLAY_INFO", 1}, {"RESOURCE_FLUSH", 2}, {"SET_SCANOUT_BLOB", 1}, {"other", 5}};
    EXPECT_EQ(totals()["commands_by_type"], expected);
    EXPECT_EQ(totals()["commands"], 9);
    vrl_table_reset(bench.get());
    EXPECT_EQ(totals()["commands"], 9) << "a device reset does not clear totals";
}

TEST_F(Stats, BlobsComeInPagesInTheOrderOfTheirIds)
{
    using nlohmann::json;
    const auto page_of_blobs = [this](uint32_t number) {
        const std::unique_ptr<char, decltype(&std::free)> text(vrl_table_blobs_json(bench.get(), number),
                                                               &std::free);
        return json::parse(text.get());
    };
    EXPECT_EQ(json::parse(bench.stats())["blob_pages"], 1);
    EXPECT_TRUE(page_of_blobs(0)["blobs"].empty());
    constexpr uint32_t count = 2 * VRL_BLOBS_PER_PAGE + 3;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t id = 10 + (i * 7) % count; // every one, in a wild order
        ASSERT_EQ(bench.create(id, page, {{bar_gpa, page, 0}}), VRL_OK);
    }
    bench.vmm.scanouts[10 + VRL_BLOBS_PER_PAGE] = 5;
    const json first = json::parse(bench.stats());
    EXPECT_EQ(first["blob_pages"], 3);
    EXPECT_EQ(first["totals"]["live"], count);
    uint32_t next = 10;
    for (uint32_t number = 0; number < 3; ++number) {
        const json all = page_of_blobs(number);
        EXPECT_EQ(all["page"], number);
        EXPECT_EQ(all["blob_pages"], 3);
        EXPECT_EQ(all["blobs"].size(), number < 2 ? VRL_BLOBS_PER_PAGE : 3U);
        for (const json &blob : all["blobs"])
            EXPECT_EQ(blob["id"], next++);
    }
    EXPECT_EQ(first["blobs"], page_of_blobs(0)["blobs"]);
    EXPECT_EQ(page_of_blobs(1)["blobs"][0]["scanouts"], json({0, 2}));
    EXPECT_TRUE(page_of_blobs(3)["blobs"].empty());
    EXPECT_TRUE(page_of_blobs(~0U)["blobs"].empty());
    for (uint32_t id = 11; id < 10 + count - 1; ++id)
        ASSERT_EQ(vrl_table_unref(bench.get(), id), VRL_OK);
    const json left = json::parse(bench.stats());
    EXPECT_EQ(left["blob_pages"], 1);
    ASSERT_EQ(left["blobs"].size(), 2U);
    EXPECT_EQ(left["blobs"][0]["id"], 10);
    EXPECT_EQ(left["blobs"][1]["id"], 10 + count - 1);
}

TEST_F(Stats, TombstonesAreCountedUntilTheyGo)
{
    for (uint32_t id = 1; id <= 4; ++id)
        ASSERT_EQ(bench.create(id, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), bar.raw.id, "gone"), 4U);
    EXPECT_EQ(totals()["tombstones"], 4);
    EXPECT_EQ(totals()["live"], 0);
    ASSERT_EQ(bench.attach(1, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(totals()["tombstones"], 3);
    ASSERT_EQ(vrl_table_detach(bench.get(), 2), VRL_OK);
    EXPECT_EQ(totals()["tombstones"], 3) << "it stays one";
    ASSERT_EQ(vrl_table_unref(bench.get(), 2), VRL_OK);
    EXPECT_EQ(totals()["tombstones"], 2);
    const vrl_saved_blob saved{.id = 9, .size = page, .revoked = true, .entries = nullptr, .nr_entries = 0};
    ASSERT_EQ(vrl_table_restore(bench.get(), &saved), VRL_OK);
    EXPECT_EQ(totals()["tombstones"], 3);
    EXPECT_EQ(totals()["live"], 1);
    vrl_table_reset(bench.get());
    EXPECT_EQ(totals()["tombstones"], 0);
}

TEST_F(Stats, WarningsAreSaidOnceAndKept)
{
    using nlohmann::json;
    EXPECT_TRUE(json::parse(bench.stats())["warnings"].empty());
    for (int i = 0; i < 3; ++i) {
        vrl_table_warn(bench.get(), "references cannot be counted");
        vrl_table_warn(bench.get(), "the IOMMU tells nobody");
    }
    const json expected{"references cannot be counted", "the IOMMU tells nobody"};
    EXPECT_EQ(json::parse(bench.stats())["warnings"], expected);
    EXPECT_EQ(bench.vmm.log.size(), 2U);
    EXPECT_EQ(bench.vmm.log[0].level, VRL_LOG_HOST);
    for (int i = 0; i < 40; ++i)
        vrl_table_warn(bench.get(), std::to_string(i).c_str());
    EXPECT_EQ(json::parse(bench.stats())["warnings"].size(), 16U);
}

TEST_F(Stats, ImportsOfTheProbeAndOfDisplays)
{
    char *error = nullptr;
    ASSERT_TRUE(vrl_table_probe_with(bench.get(), "/dev/dri/renderD128", &error));
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(bench.create(2, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(totals()["imports"], 1) << "the exporter was known: nothing was imported for blob 2";
    vrl_table_count(bench.get(), VRL_EVENT_IMPORT);
    vrl_table_count(bench.get(), VRL_EVENT_IMPORT_FAILED);
    EXPECT_EQ(totals()["imports"], 2);
    EXPECT_EQ(totals()["imports_failed"], 1);
}

TEST_F(Stats, ImportsThatTheProbedGpuRefuses)
{
    char *error = nullptr;
    ASSERT_TRUE(vrl_table_probe_with(bench.get(), "/dev/dri/renderD128", &error));
    bench.calls.prime_errno = EOPNOTSUPP;
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(totals()["imports"], 0);
    EXPECT_EQ(totals()["imports_failed"], 1);
}

TEST_F(Stats, NotesOfPlanAndExport)
{
    ASSERT_EQ(bench.create(7, 2 * page, {{bar_gpa + 4 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(notes(VRL_NOTE_EXPORT).size(), 1U);
    EXPECT_EQ(notes(VRL_NOTE_EXPORT)[0].note.id, 7U);
    EXPECT_EQ(notes(VRL_NOTE_EXPORT)[0].text, "ok");
    ASSERT_EQ(notes(VRL_NOTE_PLAN).size(), 1U);
    const Note plan = notes(VRL_NOTE_PLAN)[0];
    EXPECT_EQ(plan.note.id, 7U);
    EXPECT_EQ(plan.note.size, 2 * page);
    EXPECT_EQ(plan.note.ranges, 2U);
    EXPECT_EQ(plan.note.plan, VRL_PLAN_SHARED);
    EXPECT_EQ(plan.text, "2 ranges of bar in one dma-buf");
    ASSERT_GE(bench.dmabuf(7, page), 0) << "from another page, a dma-buf of its own";
    ASSERT_EQ(notes(VRL_NOTE_EXPORT).size(), 2U);
    EXPECT_EQ(notes(VRL_NOTE_EXPORT)[1].note.start, page);
    bench.vmm.notes.clear();
    EXPECT_GE(bench.dmabuf(7, 0), 0);
    EXPECT_TRUE(bench.vmm.notes.empty()) << "a known buffer is nothing to tell";
}

TEST_F(Stats, NotesOfAFailedExportAndOfAChangedPlan)
{
    bench.calls.ioctl_errno = EINVAL;
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(notes(VRL_NOTE_EXPORT).size(), 1U);
    EXPECT_NE(notes(VRL_NOTE_EXPORT)[0].text.find("EINVAL"), std::string::npos);
    EXPECT_EQ(notes(VRL_NOTE_PLAN).at(0).note.plan, VRL_PLAN_MAPPED);
    bench.calls.ioctl_errno = 0;
    ASSERT_EQ(bench.create(2, page, {{bar_gpa, page, 0}}), VRL_OK);
    bench.vmm.notes.clear();
    vrl_table_unshare(bench.get(), 2, "no EGL image");
    ASSERT_EQ(notes(VRL_NOTE_PLAN).size(), 1U);
    EXPECT_EQ(notes(VRL_NOTE_PLAN)[0].note.plan, VRL_PLAN_MAPPED);
    EXPECT_EQ(notes(VRL_NOTE_PLAN)[0].text, "not shared: no EGL image");
}

TEST_F(Stats, NoteOfARevocationComesBeforeConsumersLetGo)
{
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    size_t told = 0;
    bench.vmm.on_release = [&](uint32_t) { told = notes(VRL_NOTE_REVOKE).size(); };
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), bar.raw.id, "it was unplugged"), 1U);
    EXPECT_EQ(told, 1U);
    EXPECT_EQ(notes(VRL_NOTE_REVOKE).at(0).text, "it was unplugged");
    EXPECT_EQ(notes(VRL_NOTE_REVOKE)[0].note.id, 1U);
}

} // namespace
} // namespace vramlink::test
