// SPDX-License-Identifier: GPL-2.0-or-later
//
// PrimeImporter and DrmDevice against drivers that say yes and drivers that say no.

#include "hw/prime/prime_importer.hpp"
#include "tests/unit/prime/fake_drm.hpp"

#include <drm_fourcc.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

namespace vramlink::test {
namespace {

constexpr FrameLayout hd{640, 480, 2560, 0, DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR};
constexpr uint64_t hd_size = 2560 * 480;

class Importer : public ::testing::Test {
  protected:
    void SetUp() override
    {
        auto opened = DrmDevice::open(drm, "/dev/dri/card0");
        ASSERT_TRUE(opened.has_value()) << opened.error().text;
        device = std::move(*opened);
        importer = std::make_unique<PrimeImporter>(*device);
    }
    void TearDown() override
    {
        importer.reset();
        EXPECT_EQ(drm.handles.size(), 0U);
        EXPECT_EQ(drm.framebuffers.size(), 0U);
        EXPECT_EQ(drm.bad_closes, 0);
        EXPECT_EQ(device->gem_handles_open(), 0);
        EXPECT_EQ(device->framebuffers_open(), 0);
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device;
    std::unique_ptr<PrimeImporter> importer;
};

TEST_F(Importer, SameBufferUnderAnotherNumberIsImportedOnce)
{
    const UniqueFd first(fake_dmabuf(hd_size));
    const UniqueFd second(fcntl(first.get(), F_DUPFD_CLOEXEC, 50));
    ASSERT_NE(first.get(), second.get());
    const auto a = importer->import(first.get(), hd);
    const auto b = importer->import(second.get(), hd);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(*a, *b);
    EXPECT_EQ(drm.imports, 1);
    EXPECT_EQ(importer->imports(), 1U);
}

TEST_F(Importer, AnotherBufferUnderTheSameNumberIsImportedAgain)
{
    UniqueFd fd(fake_dmabuf(hd_size));
    const int number = fd.get();
    const auto a = importer->import(fd.get(), hd);
    fd.reset();
    fd.reset(fake_dmabuf(hd_size));
    ASSERT_EQ(fd.get(), number) << "the kernel gave another number; the test needs the same one";
    const auto b = importer->import(fd.get(), hd);
    ASSERT_TRUE(a && b);
    EXPECT_NE((*a)->framebuffer(), (*b)->framebuffer());
    EXPECT_EQ(drm.imports, 2);
}

TEST_F(Importer, AnotherLayoutOfTheSameBufferIsAnotherFramebuffer)
{
    const UniqueFd fd(fake_dmabuf(hd_size));
    FrameLayout narrow = hd;
    narrow.width = 320;
    const auto a = importer->import(fd.get(), hd);
    const auto b = importer->import(fd.get(), narrow);
    ASSERT_TRUE(a && b);
    EXPECT_NE((*a)->framebuffer(), (*b)->framebuffer());
    EXPECT_EQ(device->framebuffers_open(), 2);
    EXPECT_EQ(device->gem_handles_open(), 0);
}

TEST_F(Importer, HandleIsClosedWhileTheFramebufferLives)
{
    const UniqueFd fd(fake_dmabuf(hd_size));
    ASSERT_TRUE(importer->import(fd.get(), hd));
    EXPECT_EQ(drm.handles.size(), 0U);
    EXPECT_EQ(drm.framebuffers.size(), 1U);
}

TEST_F(Importer, RefusedAddFbClosesTheHandle) // amdgpu: a GTT buffer that is not its own
{
    drm.addfb_error = EINVAL;
    const UniqueFd fd(fake_dmabuf(hd_size));
    const auto refused = importer->import(fd.get(), hd);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EINVAL);
    EXPECT_EQ(refused.error().text.rfind("EINVAL: AddFB2 of 640x480, stride 2560", 0), 0U)
        << refused.error().text;
    EXPECT_EQ(drm.handles.size(), 0U);
}

TEST_F(Importer, RefusedImportIsAskedOnce) // i915, shmem helpers: no peer-to-peer attachment
{
    drm.import_error = EOPNOTSUPP;
    const UniqueFd fd(fake_dmabuf(hd_size));
    for (int i = 0; i < 60; i++) {
        const auto refused = importer->import(fd.get(), hd);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, EOPNOTSUPP);
    }
    EXPECT_EQ(drm.imports, 1);
    EXPECT_EQ(importer->imports_failed(), 1U);
    ASSERT_EQ(importer->records().size(), 1U);
    EXPECT_EQ(importer->records()[0]->error.rfind("EOPNOTSUPP: ", 0), 0U);
    EXPECT_FALSE(importer->records()[0]->live);

    importer->forget_all(); // after a revocation the driver may think otherwise
    drm.import_error = 0;
    EXPECT_TRUE(importer->import(fd.get(), hd));
}

TEST_F(Importer, RevokedBufferSaysSo)
{
    drm.import_error = ENODEV;
    const UniqueFd fd(fake_dmabuf(hd_size));
    EXPECT_EQ(importer->import(fd.get(), hd).error().code, ENODEV);
}

TEST_F(Importer, CacheIsBounded)
{
    std::vector<UniqueFd> fds;
    for (int i = 0; i < 20; i++) {
        fds.emplace_back(fake_dmabuf(hd_size));
        ASSERT_TRUE(importer->import(fds.back().get(), hd));
        EXPECT_LE(device->framebuffers_open(), static_cast<int>(PrimeImporter::cache_entries));
    }
    ASSERT_TRUE(importer->import(fds[12].get(), hd)); // the eighth from the end is still known
    EXPECT_EQ(drm.imports, 20);
    ASSERT_TRUE(importer->import(fds[20 - 8 - 1].get(), hd)); // the ninth is not
    EXPECT_EQ(drm.imports, 21);
}

TEST_F(Importer, LeastRecentlyUsedGoesFirst)
{
    std::vector<UniqueFd> fds;
    for (int i = 0; i < 9; i++) {
        fds.emplace_back(fake_dmabuf(hd_size));
        ASSERT_TRUE(importer->import(fds.back().get(), hd));
        ASSERT_TRUE(importer->import(fds.front().get(), hd)); // in use all the time
    }
    EXPECT_EQ(drm.imports, 9);
}

TEST_F(Importer, EvictionSparesWhatSomebodyHolds)
{
    const UniqueFd fd(fake_dmabuf(hd_size));
    const auto held = importer->import(fd.get(), hd);
    for (int i = 0; i < 9; i++) {
        const UniqueFd other(fake_dmabuf(hd_size));
        ASSERT_TRUE(importer->import(other.get(), hd));
    }
    EXPECT_EQ(drm.framebuffers.count((*held)->framebuffer()), 1U);
    EXPECT_TRUE(importer->records()[0]->live);
}

TEST_F(Importer, ForgetAllRemovesEveryFramebuffer)
{
    for (int i = 0; i < 3; i++) {
        const UniqueFd fd(fake_dmabuf(hd_size));
        ASSERT_TRUE(importer->import(fd.get(), hd));
    }
    importer->forget_all();
    EXPECT_EQ(drm.framebuffers.size(), 0U);
    EXPECT_FALSE(importer->records()[2]->live);
}

TEST_F(Importer, RecordsAreBounded)
{
    for (int i = 0; i < 100; i++) {
        const UniqueFd fd(fake_dmabuf(hd_size));
        ASSERT_TRUE(importer->import(fd.get(), hd));
    }
    EXPECT_EQ(importer->records().size(), PrimeImporter::record_entries);
    EXPECT_EQ(importer->imports(), 100U);
}

TEST_F(Importer, AlphaIsIgnoredAndOtherPlanesStayZero)
{
    const UniqueFd fd(fake_dmabuf(hd_size));
    FrameLayout argb = hd;
    argb.fourcc = DRM_FORMAT_ARGB8888;
    ASSERT_TRUE(importer->import(fd.get(), argb));
    EXPECT_EQ(drm.requests.back().fourcc, static_cast<uint32_t>(DRM_FORMAT_XRGB8888));
    EXPECT_FALSE(drm.requests.back().with_modifiers);
}

TEST_F(Importer, TiledNeedsADeviceThatTakesModifiers)
{
    const UniqueFd fd(fake_dmabuf(hd_size));
    FrameLayout tiled = hd;
    tiled.modifier = I915_FORMAT_MOD_X_TILED;
    const auto refused = importer->import(fd.get(), tiled);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EOPNOTSUPP);
    EXPECT_TRUE(drm.requests.empty());
    EXPECT_EQ(drm.handles.size(), 0U);
}

TEST(ImporterModifiers, ArePassedWhenSaidAndTaken)
{
    FakeDrm drm;
    drm.modifiers_cap = 1;
    auto device = DrmDevice::open(drm, "/dev/dri/card0");
    ASSERT_TRUE(device);
    PrimeImporter importer(**device);
    const UniqueFd fd(fake_dmabuf(hd_size));
    FrameLayout layout = hd;
    layout.modifier = I915_FORMAT_MOD_X_TILED;
    ASSERT_TRUE(importer.import(fd.get(), layout));
    EXPECT_TRUE(drm.requests.back().with_modifiers);
    EXPECT_EQ(drm.requests.back().modifiers[0], I915_FORMAT_MOD_X_TILED);
    layout.modifier = DRM_FORMAT_MOD_INVALID;
    ASSERT_TRUE(importer.import(fd.get(), layout));
    EXPECT_FALSE(drm.requests.back().with_modifiers);
    EXPECT_EQ(drm.requests.back().modifiers[0], 0U);
}

struct Hostile {
    const char *name;
    FrameLayout layout;
    uint64_t size;
};

class HostileLayout : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileLayout, IsRefusedBeforeTheDriverSeesIt)
{
    FakeDrm drm;
    auto device = DrmDevice::open(drm, "/dev/dri/card0");
    ASSERT_TRUE(device);
    PrimeImporter importer(**device);
    const UniqueFd fd(fake_dmabuf(GetParam().size));
    const auto refused = importer.import(fd.get(), GetParam().layout);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EINVAL);
    EXPECT_EQ(drm.imports, 0);
}

constexpr uint32_t huge = std::numeric_limits<uint32_t>::max();
constexpr uint32_t xr24 = DRM_FORMAT_XRGB8888;

INSTANTIATE_TEST_SUITE_P(
    Layouts, HostileLayout,
    ::testing::Values(Hostile{"width_0", {0, 480, 2560, 0, xr24, 0}, hd_size},
                      Hostile{"height_0", {640, 0, 2560, 0, xr24, 0}, hd_size},
                      Hostile{"width_huge", {huge, 480, 2560, 0, xr24, 0}, hd_size},
                      Hostile{"height_huge", {640, huge, 2560, 0, xr24, 0}, hd_size},
                      Hostile{"stride_short", {640, 480, 2559, 0, xr24, 0}, hd_size},
                      Hostile{"stride_0", {640, 480, 0, 0, xr24, DRM_FORMAT_MOD_INVALID}, hd_size},
                      Hostile{"stride_huge", {640, 480, huge, 0, xr24, 0}, hd_size},
                      Hostile{"offset_huge", {640, 480, 2560, huge, xr24, 0}, hd_size},
                      Hostile{"offset_4", {640, 480, 2560, 4, xr24, 0}, hd_size},
                      Hostile{"buffer_short", {640, 480, 2560, 0, xr24, 0}, hd_size - 1},
                      Hostile{"buffer_empty", {640, 480, 2560, 0, xr24, 0}, 0},
                      Hostile{"format_0", {640, 480, 2560, 0, 0, 0}, hd_size},
                      Hostile{"format_yuv", {640, 480, 2560, 0, DRM_FORMAT_NV12, 0}, hd_size}),
    [](const auto &instance) { return instance.param.name; });

TEST(HostileFd, ClosedOrUnseekable)
{
    FakeDrm drm;
    auto device = DrmDevice::open(drm, "/dev/dri/card0");
    ASSERT_TRUE(device);
    PrimeImporter importer(**device);
    EXPECT_EQ(importer.import(-1, hd).error().code, EBADF);
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd a(ends[0]), b(ends[1]);
    EXPECT_EQ(importer.import(a.get(), hd).error().code, ESPIPE);
    EXPECT_EQ(drm.imports, 0);
}

TEST(DeviceOpen, RefusesWhatCannotImport)
{
    FakeDrm drm;
    drm.prime_cap = 2; // export only
    EXPECT_EQ(DrmDevice::open(drm, "/dev/dri/card0").error().code, EOPNOTSUPP);
    drm.prime_cap = 3;
    drm.master = false;
    EXPECT_EQ(DrmDevice::open(drm, "/dev/dri/card0").error().code, EACCES);
}

TEST(GemHandle, MoveAssignmentReleasesWhatItHeld)
{
    FakeDrm drm;
    auto device = DrmDevice::open(drm, "/dev/dri/card0");
    ASSERT_TRUE(device);
    drm.handles = {{7, 1}, {8, 2}};
    UniqueGemHandle a(**device, 7);
    a = UniqueGemHandle(**device, 8);
    EXPECT_EQ(a.get(), 8U);
    EXPECT_EQ(drm.handles.count(7), 0U);
    EXPECT_EQ((*device)->gem_handles_open(), 1);
    a.reset();
    a.reset();
    EXPECT_EQ((*device)->gem_handles_open(), 0);
    EXPECT_EQ(drm.bad_closes, 0);
}

} // namespace
} // namespace vramlink::test
