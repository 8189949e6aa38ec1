// SPDX-License-Identifier: GPL-2.0-or-later
//
// The 3D device: virgl contexts work beside blobs, a shared blob is virglrenderer's as well for as long as it
// is shared, and nothing that the plain device guarantees is lost.
//
// VRAMLINK_GL_DISPLAY names a display with GL for QEMU ("-display …"); without one QEMU has no 3D device.

#include "tests/device/ground.hpp"
#include "tests/device/repeat.hpp"
#include "tests/device/virgl.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace vramlink::test {
namespace {

constexpr std::uint32_t context = 3, onlooker = 4;
constexpr std::uint32_t texture_id = 40;
constexpr std::uint32_t colour = 0x00336699;
constexpr Rect everything{0, 0, Ground::width, Ground::height};

bool imported(Ground &ground, std::uint32_t id)
{
    const Json virgl = ground.machine.stats()["virgl"];
    return std::ranges::find(virgl["imported"], Json(id)) != virgl["imported"].end();
}

Picture filled(std::uint32_t width, std::uint32_t height, std::uint32_t pixel)
{
    Picture picture = paint(width, height, 1);
    std::ranges::fill(picture.pixels, pixel);
    return picture;
}

class Gl : public testing::TestWithParam<Where> {
  protected:
    void SetUp() override
    {
        ASSERT_NE(std::getenv("VRAMLINK_GL_DISPLAY"), nullptr) << "no display with GL is named";
        ASSERT_TRUE(GetParam() == Where::Ivshmem || vfio_hosts().size() >= 2)
            << "VRAMLINK_VFIO names too few devices";
    }
    Ground &ground() { return Ground::shared(gl_ground_options(GetParam())); }
    /// The lab's GL renders in software and is given no blob, unless it is to be trusted.
    Ground &trusting_ground() { return Ground::shared(trusting(GetParam())); }
    static Machine::Options trusting(Where where)
    {
        auto options = gl_ground_options(where);
        options.gpu += ",prime-node=off";
        return options;
    }
};

/// What virglrenderer says of its capabilities, and a triangleless frame: a colour from a context to the
/// screen.
TEST_P(Gl, A3DGuestDraws)
{
    Ground &g = ground();
    Virgl virgl(g.gpu);
    EXPECT_NE(g.gpu.features() & 1u << VIRTIO_GPU_F_VIRGL, 0u);
    EXPECT_GT(virgl.capset_bytes(), 300u);
    ASSERT_STREQ(answer_name(virgl.create_context(context)), "OK");
    ASSERT_STREQ(answer_name(virgl.create_3d(texture_id, Ground::width, Ground::height)), "OK");
    ASSERT_STREQ(answer_name(virgl.attach(context, texture_id)), "OK");
    ASSERT_STREQ(answer_name(virgl.submit(context, Virgl::clear(texture_id, colour), 1)), "OK");
    ASSERT_STREQ(answer_name(g.gpu.set_scanout(0, texture_id, everything)), "OK");
    ASSERT_STREQ(answer_name(virgl.fenced_flush(texture_id, everything, 2)), "OK");
    EXPECT_EQ(difference(filled(Ground::width, Ground::height, colour),
                         virgl.read(g.machine, context, texture_id, Ground::width, Ground::height)),
              "");
    EXPECT_STREQ(answer_name(g.gpu.set_scanout_blob(Ground::scanout_of(shown_id, g.picture))), "OK");
    for (std::uint64_t fence = 2000; fence < 2005; fence++) /* a blob's flush takes its turn behind 3D work */
        EXPECT_STREQ(answer_name(virgl.fenced_flush(shown_id, everything, fence)), "OK");
    g.check_alive();
    EXPECT_STREQ(answer_name(virgl.destroy_context(context)), "OK");
    EXPECT_STREQ(answer_name(g.gpu.unref(texture_id)), "OK");
    EXPECT_TRUE(sentences(g.machine.new_messages()).empty());
}

/// The whole way, as far as the host's GL goes: a context copies the blob into a texture of its own.
TEST_P(Gl, AContextSamplesTheBlobOrIsTold)
{
    Ground &g = ground();
    Virgl virgl(g.gpu);
    const std::uint32_t id = 50;
    const Picture source = paint(Ground::width, Ground::height, 7);
    const auto entries = scattered(g.near_page(20), 4, 1);
    put(g.machine, entries, source);
    ASSERT_STREQ(answer_name(g.gpu.create_blob(id, source.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(virgl.create_context(context)), "OK");
    ASSERT_STREQ(answer_name(virgl.create_3d(texture_id, Ground::width, Ground::height)), "OK");
    ASSERT_STREQ(answer_name(virgl.attach(context, texture_id)), "OK");
    ASSERT_STREQ(answer_name(virgl.attach(context, id)), "OK");
    ASSERT_STREQ(answer_name(virgl.submit(context, Virgl::clear(texture_id, colour), 11)), "OK");
    g.machine.new_messages();
    EXPECT_STREQ(answer_name(virgl.submit(context, Virgl::set_type(id, Ground::width, Ground::height), 12)),
                 "OK");
    EXPECT_STREQ(
        answer_name(virgl.submit(context, Virgl::copy(texture_id, id, Ground::width, Ground::height), 13)),
        "OK");
    const std::string said = g.machine.new_messages();
    /* A context that has made a mistake is not listened to any more; another one looks. */
    ASSERT_STREQ(answer_name(virgl.create_context(onlooker)), "OK");
    ASSERT_STREQ(answer_name(virgl.attach(onlooker, texture_id)), "OK");
    const Picture seen = virgl.read(g.machine, onlooker, texture_id, Ground::width, Ground::height);
    EXPECT_STREQ(answer_name(virgl.destroy_context(onlooker)), "OK");
    const bool sampled = difference(source, seen).empty();
    std::cout << "imported: " << imported(g, id) << ", sampled: " << sampled
              << ", QEMU and virglrenderer said: " << said << "\n";
    if (GetParam() == Where::Vfio && !imported(g, id)) {
        EXPECT_NE(g.machine.stats()["virgl"]["why"].get<std::string>().find("DRM_IOCTL_MODE_MAP_DUMB"),
                  std::string::npos)
            << g.machine.stats()["virgl"].dump();
    }
    if (!sampled) { /* refused with a reason, and the texture is as it was */
        EXPECT_FALSE(said.empty());
        EXPECT_EQ(difference(filled(Ground::width, Ground::height, colour), seen), "");
    }
    EXPECT_STREQ(answer_name(virgl.destroy_context(context)), "OK");
    EXPECT_STREQ(answer_name(g.gpu.unref(texture_id)), "OK");
    EXPECT_STREQ(answer_name(g.gpu.unref(id)), "OK");
    g.check_alive();
}

TEST_P(Gl, IdsAreOneSpace)
{
    Ground &g = ground();
    Virgl virgl(g.gpu);
    EXPECT_STREQ(answer_name(virgl.create_3d(shown_id, 64, 64)), "ERR_INVALID_RESOURCE_ID");
    ASSERT_STREQ(answer_name(virgl.create_3d(texture_id, 64, 64)), "OK");
    EXPECT_STREQ(answer_name(g.gpu.create_blob(texture_id, 4 * page, scattered(g.near_page(20), 4, 1))),
                 "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(g.gpu.create_blob(shown_id, 4 * page, {}, VIRTIO_GPU_BLOB_MEM_HOST3D)),
                 "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(g.gpu.unref(texture_id)), "OK");
    g.check_alive();
}

TEST_P(Gl, ASubmitThatSaysMoreThanItCarriesIsRefused)
{
    Ground &g = ground();
    virtio_gpu_cmd_submit command{};
    command.hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D;
    command.hdr.ctx_id = context;
    command.size = 0xfffffffc;
    Bytes bytes(sizeof command + 16);
    std::memcpy(bytes.data(), &command, sizeof command);
    g.machine.new_messages();
    EXPECT_STREQ(answer_name(g.gpu.send(bytes)), "ERR_INVALID_PARAMETER");
    EXPECT_NE(g.machine.new_messages().find("SUBMIT_3D says 4294967292 bytes, the command has 48 in all"),
              std::string::npos);
    g.check_alive();
}

/// QEMU's own 3D device cannot be unplugged either.
TEST_P(Gl, CannotBeUnplugged)
{
    Ground &g = ground();
    const std::unique_ptr<char, decltype(&std::free)> answer(
        vm_qmp(g.machine.raw(), R"({"execute": "device_del", "arguments": {"id": "vram0"}})"), std::free);
    EXPECT_NE(std::string(answer.get()).find("does not support hotplugging"), std::string::npos)
        << answer.get();
    g.check_alive();
}

// From here on with trusting_ground(): the tests of one QEMU follow each other.

TEST_P(Gl, ASharedBlobIsImportedAndLetGo)
{
    Ground &g = trusting_ground();
    Virgl virgl(g.gpu);
    const std::uint32_t id = 50;
    const auto entries = scattered(g.near_page(20), 4, 1);
    ASSERT_STREQ(answer_name(virgl.create_context(context)), "OK");
    const Held before = g.machine.held();
    for (unsigned i = 0; i < repetitions(8, 20); i++) {
        ASSERT_STREQ(answer_name(g.gpu.create_blob(id, 4 * page, entries)), "OK");
        EXPECT_EQ(imported(g, id), g.machine.blob(id)["plan"] == "shared")
            << g.machine.stats()["virgl"].dump();
        EXPECT_STREQ(answer_name(virgl.attach(context, id)), "OK");
        EXPECT_STREQ(answer_name(g.gpu.detach(id)), "OK");
        EXPECT_FALSE(imported(g, id));
        EXPECT_STREQ(answer_name(g.gpu.attach(id, entries)), "OK");
        EXPECT_EQ(imported(g, id), g.machine.blob(id)["plan"] == "shared");
        EXPECT_STREQ(answer_name(g.gpu.unref(id)), "OK");
    }
    EXPECT_FALSE(imported(g, id));
    const Held after = g.machine.held();
    EXPECT_EQ(after.dmabufs, before.dmabufs);
    EXPECT_EQ(after.fds, before.fds);
    EXPECT_STREQ(answer_name(virgl.destroy_context(context)), "OK");
    g.check_alive();
}

TEST_P(Gl, ARevokedBlobIsGoneFromContextsAndComesBack)
{
    constexpr std::uint16_t memory_enable = 0x2;
    constexpr std::uint32_t id = 50;
    Ground &g = trusting_ground();
    Virgl virgl(g.gpu);
    const auto entries = scattered(g.near_page(20), 4, 1);
    ASSERT_STREQ(answer_name(g.gpu.create_blob(id, 4 * page, entries)), "OK");
    EXPECT_EQ(imported(g, id), GetParam() == Where::Vfio);
    ASSERT_STREQ(answer_name(virgl.create_context(context)), "OK");
    ASSERT_STREQ(answer_name(virgl.attach(context, id)), "OK");
    g.machine.new_messages();
    const auto command = vm_pci_command(g.near.pci);
    vm_pci_set_command(g.near.pci, command & ~memory_enable);
    EXPECT_EQ(g.machine.blob(id)["state"], "revoked");
    EXPECT_FALSE(imported(g, id));
    EXPECT_EQ(g.machine.held().vfio_dmabufs, 0);
    EXPECT_STREQ(answer_name(virgl.attach(context, id)), "ERR_INVALID_RESOURCE_ID");
    EXPECT_NE(g.machine.new_messages().find("CTX_ATTACH_RESOURCE: the memory of blob 50 is gone"),
              std::string::npos);
    vm_pci_set_command(g.near.pci, command);
    EXPECT_STREQ(answer_name(g.gpu.attach(shown_id, g.shown_entries())), "OK");
    EXPECT_STREQ(answer_name(g.gpu.attach(id, entries)), "OK");
    EXPECT_EQ(imported(g, id), GetParam() == Where::Vfio);
    EXPECT_STREQ(answer_name(virgl.attach(context, id)), "OK");
    EXPECT_STREQ(answer_name(virgl.destroy_context(context)), "OK");
    EXPECT_STREQ(answer_name(g.gpu.unref(id)), "OK");
    g.check_alive();
}

TEST_P(Gl, ADeviceResetLetsGoOfEverythingAndStartsAgain)
{
    Ground &g = trusting_ground();
    Virgl virgl(g.gpu);
    Held first{};
    constexpr unsigned warm = 2; // caches of Mesa's and of virglrenderer's
    for (unsigned i = 0; i < repetitions(5, 20); i++) {
        ASSERT_STREQ(answer_name(virgl.create_context(context)), "OK");
        ASSERT_STREQ(answer_name(virgl.create_3d(texture_id, Ground::width, Ground::height)), "OK");
        ASSERT_STREQ(answer_name(virgl.attach(context, shown_id)), "OK");
        ASSERT_STREQ(answer_name(virgl.submit(context, Virgl::clear(texture_id, colour), 1)), "OK");
        g.gpu.reset();
        EXPECT_EQ(g.machine.stats()["totals"]["live"], 0);
        EXPECT_EQ(g.machine.stats()["virgl"]["imported"], Json::array());
        EXPECT_EQ(g.machine.held().vfio_dmabufs, 0);
        ASSERT_STREQ(answer_name(g.gpu.create_2d(plain_2d_id, Ground::width, Ground::height)), "OK");
        g.restore();
        if (i == warm)
            first = g.machine.held();
    }
    EXPECT_TRUE(eventually([&] { return g.machine.held().fds <= first.fds; }))
        << testing::PrintToString(first.targets) << "\n"
        << testing::PrintToString(g.machine.held().targets);
    EXPECT_LE(g.machine.held().dmabufs, first.dmabufs);
}

INSTANTIATE_TEST_SUITE_P(Ivshmem, Gl, testing::Values(Where::Ivshmem));
INSTANTIATE_TEST_SUITE_P(Vfio, Gl, testing::Values(Where::Vfio));

} // namespace
} // namespace vramlink::test
