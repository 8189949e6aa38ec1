// SPDX-License-Identifier: GPL-2.0-or-later
//
// Trace events: QEMU's own switches turn them on and off, and each tells ids, sizes and reasons on QEMU's
// log. And what the device counts.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr Rect corner{3, 4, 5, 6};

void set_events(Machine &machine, const std::string &name, bool on)
{
    machine.qmp({{"execute", "trace-event-set-state"}, {"arguments", {{"name", name}, {"enable", on}}}});
}

/// A blob's life: made, shown, flushed, moved, forgotten.
void live(Ground &ground)
{
    const Picture picture = paint(Ground::width, Ground::height, 3);
    const auto entries = scattered(ground.far_page(0), picture.pages(), 3, 2);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.flush(id, corner)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.detach(id)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.attach(id, entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
}

/// The trace's lines in order, without what differs from run to run.
void expect_lines(const std::string &messages, const std::vector<std::string> &expected)
{
    std::size_t at = 0;
    for (const auto &line : expected) {
        at = messages.find("vramlink_" + line, at);
        if (at == std::string::npos) {
            ADD_FAILURE() << "no line \"vramlink_" << line << "\" (in this order) in:\n" << messages;
            return;
        }
    }
}

TEST(Trace, EventsTellABlobsLife)
{
    Ground ground;
    live(ground);
    EXPECT_EQ(ground.machine.new_messages().find("vramlink_"), std::string::npos) << "off until asked for";
    set_events(ground.machine, "vramlink_*", true);
    live(ground);
    const std::string scanout = "set_scanout vram0: scanout 0 blob 10 format 2 rectangle 64x64+0+0 ";
    expect_lines(ground.machine.new_messages(),
                 {"plan vram0: blob 10 size 16384 ranges ",
                  "create vram0: blob 10 size 16384 entries 4: answer 0x1100",
                  "show vram0: scanout 0 blob 10 64x64 as a surface",
                  scanout + "stride 256 offset 0: answer 0x1100", "flush vram0: blob 10 rectangle 5x6+3+4",
                  "release vram0: blob 10: ", "detach vram0: blob 10: answer 0x1100",
                  "plan vram0: blob 10 size 16384 ", "attach vram0: blob 10 entries 4: answer 0x1100",
                  "show vram0: scanout 0 blob 10 64x64 as a surface",
                  "release vram0: blob 10: ", "unref vram0: blob 10: answer 0x1100"});
    set_events(ground.machine, "vramlink_*", false);
    live(ground);
    EXPECT_EQ(ground.machine.new_messages().find("vramlink_"), std::string::npos);
}

TEST(Trace, OneEventByName)
{
    Ground ground;
    set_events(ground.machine, "vramlink_flush", true);
    live(ground);
    const std::string messages = ground.machine.new_messages();
    EXPECT_NE(messages.find("vramlink_flush"), std::string::npos);
    EXPECT_EQ(messages.find("vramlink_create"), std::string::npos);
}

TEST(Trace, ARevocationTellsWhy)
{
    Ground ground;
    constexpr std::uint16_t memory_enable = 0x2;
    set_events(ground.machine, "vramlink_re*", true);
    vm_pci_set_command(ground.near.pci, vm_pci_command(ground.near.pci) & ~memory_enable);
    expect_lines(ground.machine.new_messages(),
                 {"revoke vram0: blob 1: ", "release vram0: blob 1: its memory went away"});
}

/// QEMU reads -trace before it loads plugins; the plugin's own option is for events from the start.
TEST(Trace, FromTheCommandLine)
{
    auto options = ground_options(Where::Ivshmem);
    options.plugin_options = ",trace=vramlink_create,trace=vramlink_p*";
    Ground ground(options);
    const Json states =
        ground.machine.qmp({{"execute", "trace-event-get-state"}, {"arguments", {{"name", "vramlink_*"}}}});
    int enabled = 0;
    for (const auto &state : states)
        enabled += state["state"] == "enabled" ? 1 : 0;
    EXPECT_EQ(enabled, 2) << states.dump();
    live(ground);
    const std::string messages = ground.machine.new_messages();
    expect_lines(messages, {"plan vram0: blob 10", "create vram0: blob 10"});
    EXPECT_EQ(messages.find("vramlink_flush"), std::string::npos);
}

TEST(Totals, CommandsByType)
{
    Ground ground;
    const Json before = ground.machine.stats()["totals"];
    live(ground);
    EXPECT_STREQ(answer_name(ground.gpu.unref(free_id)), "ERR_INVALID_RESOURCE_ID");
    const Json after = ground.machine.stats()["totals"];
    EXPECT_EQ(after["commands"].get<int>() - before["commands"].get<int>(), 7) << "refused ones, too";
    const auto more = [&](const char *name) {
        return after["commands_by_type"].value(name, 0) - before["commands_by_type"].value(name, 0);
    };
    for (const char *name : {"RESOURCE_CREATE_BLOB", "SET_SCANOUT_BLOB", "RESOURCE_FLUSH",
                             "RESOURCE_DETACH_BACKING", "RESOURCE_ATTACH_BACKING"})
        EXPECT_EQ(more(name), 1) << name;
    EXPECT_EQ(more("RESOURCE_UNREF"), 2);
    EXPECT_EQ(after["imports"], 0) << "no display here imports";
}

} // namespace
} // namespace vramlink::test
