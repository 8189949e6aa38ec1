// SPDX-License-Identifier: GPL-2.0-or-later
//
// Displays that import the dma-buf themselves, GPUs that cannot, and the property that names one to ask.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

constexpr const char *render_node = "/dev/dri/renderD128";

TEST(PrimeNode, ThatCannotBeOpenedIsNamed)
{
    Machine machine({});
    const std::unique_ptr<char, decltype(&std::free)> answer(
        vm_qmp(machine.raw(),
               R"({"execute": "device_add", "arguments": {"driver": "virtio-gpu-vram-pci", "id": "second",
                   "addr": "8", "prime-node": "/dev/dri/nothing"}})"),
        std::free);
    const std::string text = answer.get();
    EXPECT_NE(text.find("prime-node: /dev/dri/nothing cannot be opened (ENOENT)"), std::string::npos) << text;
    EXPECT_EQ(machine.stats()["totals"]["live"], 0) << "the first device lives on";
}

/// A display with GL beside VRAM: shared or not, the picture is never black.
class VfioGlDisplay : public testing::Test {
  protected:
    void SetUp() override { ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices"; }
    static Machine::Options options(const std::string &display, const std::string &gpu_options)
    {
        auto chosen = ground_options(Where::Vfio);
        chosen.display = display;
        chosen.gpu += gpu_options;
        return chosen;
    }
};

/// The lab's display GPU imports VRAM, but its GL is Mesa's software renderer, which crashes on what it
/// imports.
TEST_F(VfioGlDisplay, ASoftwareRendererIsShownTheView)
{
    Ground ground(options(std::string("egl-headless,rendernode=") + render_node, ""));
    const Json blob = ground.machine.blob(shown_id);
    EXPECT_EQ(blob["plan"], "mapped") << blob.dump();
    EXPECT_NE(blob["reason"].get<std::string>().find("renders in software"), std::string::npos)
        << blob.dump();
    EXPECT_EQ(ground.machine.held().vfio_dmabufs, 0);
    const Picture next = paint(Ground::width, Ground::height, 2);
    put(ground.machine, ground.shown_entries(), next);
    ASSERT_STREQ(answer_name(ground.gpu.flush(shown_id, {0, 0, Ground::width, Ground::height})), "OK");
    EXPECT_EQ(difference(next, screendump(ground.machine)), "");
}

TEST_F(VfioGlDisplay, ANamedGpuIsAsked)
{
    Ground ground(options("dbus,p2p=yes,gl=on", std::string(",prime-node=") + render_node));
    const Json blob = ground.machine.blob(shown_id);
    EXPECT_TRUE(blob["plan"] == "shared" ||
                blob["reason"].get<std::string>().find(render_node) != std::string::npos)
        << blob.dump();
    std::cout << blob.dump() << "\n";
}

/// /dev/null can be opened and imports nothing: stands for any GPU whose driver refuses.
TEST_F(VfioGlDisplay, AGpuThatRefusesMeansMapped)
{
    Ground ground(options("dbus,p2p=yes,gl=on", ",prime-node=/dev/null"));
    const Json blob = ground.machine.blob(shown_id);
    EXPECT_EQ(blob["plan"], "mapped");
    EXPECT_NE(blob["reason"].get<std::string>().find("/dev/null cannot import it (ENOTTY)"),
              std::string::npos)
        << blob.dump();
    EXPECT_EQ(ground.machine.held().vfio_dmabufs, 0);
}

} // namespace
} // namespace vramlink::test
