// SPDX-License-Identifier: GPL-2.0-or-later
//
// A display of QEMU's own process is given VRAM only where its GPU's driver lets go when the kernel tells it
// to (hw/qemu/gl-driver.c). A loss may come on a vCPU's thread, which cannot make such a display let go: with
// a driver that waits for the end of its last handle, QEMU would wait in the kernel for itself. The lab's GL
// renders in software, so its GPU is a pretended one (gl_importer.c), and what it imports is attached to the
// test importer.

#include "tests/device/gl_choice.hpp"
#include "tests/device/importers.hpp"
#include "tests/device/nvme_gpu.hpp"
#include "tests/device/picture.hpp"
#include "tests/device/shared.hpp"
#include "tests/device/viewer.hpp"
#include "tests/races/guest.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <ostream>
#include <thread>

namespace vramlink::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

fs::path beside_this_program(const char *file)
{
    return fs::read_symlink("/proc/self/exe").parent_path() / file;
}

// --- the names

struct Driver {
    const char *name; ///< "": the node does not tell
    bool lets_go;
};
void PrintTo(const Driver &driver, std::ostream *out)
{
    *out << driver.name;
}

const Driver drivers[] = {
    {"virtio_gpu", true},  {"amdgpu", true},   {"xe", false},
    {"i915", false},       {"nouveau", false}, {"radeon", false},
    {"amdgp", false},      {"amdgpu2", false}, {"AMDGPU", false},
    {"virtio-gpu", false}, {"", false},        {"a-name-of-more-than-the-thirty-one-letters-that-fit", false},
};

class GlDriverNames : public testing::TestWithParam<Driver> {};

TEST_P(GlDriverNames, LetGoOrNot)
{
    const GlChoice choice;
    if (GetParam().name[0] != '\0')
        choice.say(GetParam().name, "eager");
    const std::string command = "LD_PRELOAD=" + gl_importer_library() + " " + choice.environment() +
                                " VRAMLINK_TEST_GL_ALONE=1 exec " +
                                beside_this_program("gl-lets-go").string();
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status)) << status;
    if (WEXITSTATUS(status) == 77)
        GTEST_SKIP() << "there is no libEGL.so.1";
    EXPECT_EQ(WEXITSTATUS(status), GetParam().lets_go ? 0 : 1);
}

INSTANTIATE_TEST_SUITE_P(All, GlDriverNames, testing::ValuesIn(drivers));

// --- a machine whose vCPU takes the memory away

constexpr std::uint32_t id = 10, width = 64, height = 64;
constexpr auto hang = 3s; ///< how long a write that must hang is watched

struct Stage {
    Stage() : guest(setup(choice), options()), nvme(guest.machine) {}

    static Setup setup(const GlChoice &choice)
    {
        choice.say("xe", "lazy");
        return {.bios = beside_this_program("races-bios.bin"),
                .guard = gl_importer_library(),
                .environment = choice.environment() + " VRAMLINK_TEST_IMPORTER=" + Viewer::display_gpu()};
    }
    static Guest::Options options()
    {
        return {.cpus = 1,
                .gpu = "virtio-gpu-vram-pci,id=vram0",
                .display = "egl-headless,rendernode=/dev/dri/renderD128",
                .devices = NvmeGpu::device()};
    }

    /// A new blob on the screen.
    void show(std::uint32_t seed);
    /// The guest's driver after a loss.
    void recover()
    {
        nvme.wake();
        nvme.power_up();
        gpu = std::make_unique<Gpu>(machine);
    }

    GlChoice choice;
    Guest guest;
    Machine &machine = guest.machine;
    NvmeGpu nvme;
    std::unique_ptr<Gpu> gpu = std::make_unique<Gpu>(machine);
};

void Stage::show(std::uint32_t seed)
{
    const Picture picture = paint(width, height, seed);
    const auto entries = scattered(nvme.page_at(0), picture.pages(), seed);
    put(machine, entries, picture);
    ASSERT_STREQ(answer_name(gpu->create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu->set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(gpu->flush(id, {0, 0, width, height})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
}

struct Way {
    const char *name;
    NvmeGpu::ConfigWrite (*write)(const NvmeGpu &);
};

const Way ways[] = {
    {"memory decoding off", [](const NvmeGpu &nvme) { return nvme.writes_memory_off(); }},
    {"D3", [](const NvmeGpu &nvme) { return nvme.writes_sleep(); }},
    {"FLR", [](const NvmeGpu &nvme) { return nvme.writes_reset_function(); }},
};

bool comes_back(Guest &guest, std::chrono::milliseconds limit)
{
    const auto end = Clock::now() + limit;
    while (!guest.all_done(1) && Clock::now() < end)
        std::this_thread::sleep_for(1ms);
    return guest.all_done(1);
}

/// Far more than a write takes that waits for nobody.
std::chrono::milliseconds at_once()
{
    return std::chrono::milliseconds(patience(3000));
}

/// The vCPU writes, and does something else soon.
void expect_through(Stage &stage, const Way &way)
{
    const LentImporters lent(stage.machine.pid());
    const auto [at, value] = way.write(stage.nvme);
    const auto begin = Clock::now();
    stage.guest.begin({Program().config16(RACE_CONFIG_AT(0, NvmeGpu::slot, at), value)}, 1);
    const bool in_time = comes_back(stage.guest, at_once());
    EXPECT_TRUE(in_time) << "QEMU waits; in the kernel's revocation: "
                         << stands_in_revocation(stage.machine.pid());
    if (!in_time)
        lent.let_go();
    std::cout << "## " << way.name << " by a vCPU: "
              << std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()
              << " ms\n";
    stage.guest.halt(1);
}

void expect_nothing_left(Stage &stage)
{
    EXPECT_EQ(stage.machine.blob(id)["state"], "revoked") << stage.machine.blob(id).dump();
    EXPECT_EQ(mapped_importers(), 0);
    EXPECT_EQ(stage.machine.held().vfio_dmabufs, 0);
    EXPECT_TRUE(eventually([&] { return !stage.machine.held().targets.contains(importer_device); }))
        << "the display keeps what it has imported";
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
}

class VfioGlDriver : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_NE(NvmeGpu::host(), "") << "VRAMLINK_VFIO_FLR names no device";
        ASSERT_TRUE(fs::exists(importer_device)) << "vram-importer.ko is not loaded (./dev kernel build)";
    }
    static Stage &shared()
    {
        const Machine::Options key{.devices = NvmeGpu::device()};
        if (Stage *left = Shared::take_over<Stage>(key))
            return *left;
        return Shared::leave(key, std::make_unique<Stage>());
    }
    /// The suite's.
    static Stage &stage()
    {
        Stage &on = shared();
        on.guest.run({Program()}, 1, patience(10'000)); // its firmware has time to start
        on.recover();
        on.machine.new_messages();
        return on;
    }
};

constexpr const char *imported = "GL importer: imported VRAM";

/// As xe is.
TEST_F(VfioGlDriver, OneThatKeepsVramIsShownAMapping)
{
    Stage &on = stage();
    on.choice.say("xe", "lazy");
    std::uint32_t seed = 0;
    const auto expect_mapping = [&] {
        const Json blob = on.machine.blob(id);
        EXPECT_EQ(blob["plan"], "mapped") << blob.dump();
        EXPECT_NE(blob["reason"].get<std::string>().find("driver keeps VRAM"), std::string::npos)
            << blob.dump();
        EXPECT_EQ(on.machine.held().vfio_dmabufs, 0);
        EXPECT_EQ(mapped_importers(), 0);
    };
    for (const Way &way : ways) {
        SCOPED_TRACE(way.name);
        ASSERT_NO_FATAL_FAILURE(on.show(++seed));
        expect_mapping();
        expect_through(on, way);
        expect_nothing_left(on);
        on.recover();
    }
    ASSERT_NO_FATAL_FAILURE(on.show(++seed));
    expect_mapping();
    vm_reset(on.machine.raw()); // always the main loop's
    EXPECT_EQ(on.machine.held().vfio_dmabufs, 0);
    on.recover();
    ASSERT_NO_FATAL_FAILURE(on.show(++seed));
    const std::string messages = on.machine.new_messages();
    EXPECT_EQ(messages.find(imported), std::string::npos) << messages;
}

TEST_F(VfioGlDriver, OneThatLetsGoWhenToldIsGivenTheBuffer)
{
    Stage &on = stage();
    std::uint32_t seed = 10;
    on.choice.say("amdgpu", "eager");
    for (const Way &way : ways) {
        SCOPED_TRACE(way.name);
        ASSERT_NO_FATAL_FAILURE(on.show(++seed));
        EXPECT_EQ(on.machine.blob(id)["plan"], "shared") << on.machine.blob(id).dump();
        EXPECT_EQ(mapped_importers(), 1);
        expect_through(on, way);
        expect_nothing_left(on);
        on.recover();
    }
    const std::string messages = on.machine.new_messages();
    EXPECT_NE(messages.find(imported), std::string::npos) << messages;
}

/// The rule taken in: a driver with a good name that keeps VRAM all the same.
TEST_F(VfioGlDriver, WithoutTheRuleQemuWaitsForItself)
{
    Stage &on = stage();
    on.choice.say("amdgpu", "lazy");
    ASSERT_NO_FATAL_FAILURE(on.show(20));
    ASSERT_EQ(mapped_importers(), 1);
    {
        const LentImporters lent(on.machine.pid());
        ASSERT_EQ(lent.count(), 1u);
        const auto [at, value] = on.nvme.writes_memory_off();
        on.guest.begin({Program().config16(RACE_CONFIG_AT(0, NvmeGpu::slot, at), value)}, 1);
        EXPECT_FALSE(comes_back(on.guest, hang)) << "it went through";
        EXPECT_TRUE(stands_in_revocation(on.machine.pid()));
        lent.let_go();
        EXPECT_TRUE(comes_back(on.guest, at_once())) << "not the import is what it waits for";
    }
    on.guest.halt(1);
    expect_nothing_left(on);
}

} // namespace
} // namespace vramlink::test
