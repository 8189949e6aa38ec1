// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the exporters ask of the kernel, byte by byte, and what each errno leads to.

#include "hw/export/vfio_abi.hpp"
#include "hw/export/vfio_events.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/udmabuf.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t ram_gpa = 0x1'0000'0000;
constexpr uint64_t size = 64 * page;

class Export : public testing::Test {
  protected:
    Export()
    {
        bench.vmm.map(bar_gpa, bar, 0, size);
        bench.vmm.map(ram_gpa, ram, 0, size);
    }
    template <class T> [[nodiscard]] T argument(size_t at) const
    {
        T value{};
        std::memcpy(&value, bench.calls.last_argument.data() + at, sizeof value);
        return value;
    }
    [[nodiscard]] nlohmann::json blob() const { return nlohmann::json::parse(bench.stats())["blobs"][0]; }
    vrl_status create_in_bar()
    {
        return bench.create(1, 3 * page, {{bar_gpa + 8 * page, page, 0}, {bar_gpa, 2 * page, 0}});
    }
    vrl_status create_in_ram()
    {
        return bench.create(1, 3 * page, {{ram_gpa + 8 * page, page, 0}, {ram_gpa, 2 * page, 0}});
    }

    Bench bench;
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar");
    FakeRegion &ram = bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "ram");
};

TEST_F(Export, VfioRequestIsTheKernelsLayout)
{
    ASSERT_EQ(create_in_bar(), VRL_OK);
    EXPECT_EQ(bench.calls.last_fd, bar.raw.fd);
    EXPECT_EQ(bench.calls.last_request, static_cast<unsigned long>(VFIO_DEVICE_FEATURE));
    ASSERT_EQ(bench.calls.last_argument.size(), 24U + 2 * 16);
    EXPECT_EQ(argument<uint32_t>(0), 56U);
    EXPECT_EQ(argument<uint32_t>(4), (1U << 16) | 11U); // VFIO_DEVICE_FEATURE_GET | _DMA_BUF
    EXPECT_EQ(argument<uint32_t>(8), bar.raw.index);
    EXPECT_EQ(argument<uint32_t>(12), static_cast<uint32_t>(O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(argument<uint32_t>(16), 0U);
    EXPECT_EQ(argument<uint32_t>(20), 2U);
    EXPECT_EQ(argument<uint64_t>(24), 8 * page); // in the BAR, not in the device's fd
    EXPECT_EQ(argument<uint64_t>(32), page);
    EXPECT_EQ(argument<uint64_t>(40), 0U);
    EXPECT_EQ(argument<uint64_t>(48), 2 * page);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_SHARED);
    EXPECT_EQ(blob()["dmabufs"].size(), 1U);
}

TEST_F(Export, UdmabufRequestIsTheKernelsLayout)
{
    ASSERT_EQ(create_in_ram(), VRL_OK);
    EXPECT_EQ(bench.calls.last_request, static_cast<unsigned long>(UDMABUF_CREATE_LIST));
    ASSERT_EQ(bench.calls.last_argument.size(), 8U + 2 * 24);
    EXPECT_EQ(argument<uint32_t>(0), static_cast<uint32_t>(UDMABUF_FLAGS_CLOEXEC));
    EXPECT_EQ(argument<uint32_t>(4), 2U);
    EXPECT_EQ(argument<udmabuf_create_item>(8).memfd, static_cast<uint32_t>(ram.raw.fd));
    EXPECT_EQ(argument<udmabuf_create_item>(8).offset, 8 * page);
    EXPECT_EQ(argument<udmabuf_create_item>(32).offset, 0U);
    EXPECT_EQ(argument<udmabuf_create_item>(32).size, 2 * page);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_SHARED);
}

TEST_F(Export, SliceFromAPageInsideAnExtent)
{
    ASSERT_EQ(create_in_bar(), VRL_OK);
    const int whole = bench.dmabuf(1, 0);
    const int slice = bench.dmabuf(1, 2 * page);
    ASSERT_GE(slice, 0);
    EXPECT_NE(slice, whole);
    EXPECT_EQ(argument<uint32_t>(20), 1U);
    EXPECT_EQ(argument<uint64_t>(24), page);
    EXPECT_EQ(argument<uint64_t>(32), page);
    EXPECT_EQ(bench.dmabuf(1, 2 * page), slice) << "asking again is a look-up";
    EXPECT_EQ(bench.calls.ioctls, 2);
}

TEST_F(Export, SlicesAreBoundedAndStayOpen)
{
    ASSERT_EQ(bench.create(1, 32 * page, {{bar_gpa, 32 * page, 0}}), VRL_OK);
    std::vector<int> fds;
    for (uint64_t i = 1; i <= Backing::max_slices; ++i)
        fds.push_back(bench.dmabuf(1, i * page));
    EXPECT_EQ(bench.dmabuf(1, 30 * page), -1);
    EXPECT_NE(blob()["reason"].get<std::string>().find("the blob has 17 already"), std::string::npos);
    for (const int fd : fds)
        EXPECT_GE(::fcntl(fd, F_GETFD), 0) << "a borrowed fd lives until consumers let go";
}

TEST_F(Export, NoDmaBufInsideAPage)
{
    ASSERT_EQ(create_in_bar(), VRL_OK);
    EXPECT_EQ(bench.dmabuf(1, 64), -1);
    EXPECT_EQ(bench.dmabuf(1, 3 * page), -1) << "behind the blob";
    EXPECT_NE(blob()["reason"].get<std::string>().find("at byte 64, inside a page"), std::string::npos);
    EXPECT_NE(bench.view(1, 64, 4, 4), nullptr) << "the view serves it";
}

TEST_F(Export, AFailedSliceIsNotTriedAgain)
{
    ASSERT_EQ(create_in_bar(), VRL_OK);
    bench.calls.ioctl_errno = ENOMEM;
    EXPECT_EQ(bench.dmabuf(1, page), -1);
    EXPECT_EQ(bench.dmabuf(1, page), -1);
    EXPECT_EQ(bench.calls.ioctls, 2);
    EXPECT_GE(bench.dmabuf(1, 0), 0);
}

TEST_F(Export, OpenDmaBufsAreBounded)
{
    Bench small({}, 30000, 2);
    small.vmm.map(bar_gpa, small.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar"), 0, size);
    for (uint32_t id = 1; id <= 3; ++id)
        ASSERT_EQ(small.create(id, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(small.get(), 2), VRL_PLAN_SHARED);
    EXPECT_EQ(vrl_table_plan(small.get(), 3), VRL_PLAN_MAPPED);
    EXPECT_TRUE(small.vmm.logged(
        "a dma-buf takes 1 descriptor, over the 0 that are left of 2 (a test's descriptors)"));
    EXPECT_EQ(vrl_table_unref(small.get(), 1), VRL_OK);
    EXPECT_EQ(small.create(4, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(small.get(), 4), VRL_PLAN_SHARED);
}

TEST_F(Export, ProbeAsksWithoutMaking)
{
    VfioExporter exporter(bench.calls);
    const Region region{
        .id = 1, .kind = RegionKind::VfioBar, .fd = 9, .index = 2, .size = size, .name = "bar"};
    bench.calls.ioctl_errno = ENOTTY;
    const auto refused = exporter.probe(region);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ENOTTY);
    EXPECT_EQ(argument<uint32_t>(4), (1U << 18) | (1U << 16) | 11U); // PROBE | GET | DMA_BUF
    EXPECT_EQ(bench.calls.last_fd, 9);
}

struct Failure {
    int code;
    const char *name;
    const char *advice;
};

class VfioErrno : public Export, public testing::WithParamInterface<Failure> {};

TEST_P(VfioErrno, FallsBackToTheViewAndSaysWhy)
{
    const size_t fds = open_fds();
    bench.calls.ioctl_errno = GetParam().code;
    ASSERT_EQ(create_in_bar(), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    EXPECT_EQ(bench.dmabuf(1, 0), -1);
    EXPECT_EQ(bench.calls.ioctls, 1);
    const std::string reason = blob()["reason"];
    EXPECT_NE(reason.find(GetParam().name), std::string::npos) << reason;
    EXPECT_NE(reason.find(GetParam().advice), std::string::npos) << reason;
    EXPECT_TRUE(bench.vmm.logged(reason));
    EXPECT_EQ(bench.vmm.log[0].level, VRL_LOG_HOST);
    EXPECT_EQ(open_fds(), fds);
    const std::byte *view = bench.view(1, 0, 1024, 3);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[page], pattern(1, 0));
}

INSTANTIATE_TEST_SUITE_P(Each, VfioErrno,
                         testing::Values(Failure{ENOTTY, "ENOTTY", "CONFIG_VFIO_PCI_DMABUF"},
                                         Failure{EOPNOTSUPP, "EOPNOTSUPP", "bind the device to vfio-pci"},
                                         Failure{ENODEV, "ENODEV", "going away"},
                                         Failure{ENOMEM, "ENOMEM", "no memory"},
                                         Failure{EINVAL, "EINVAL", "page aligned ranges"},
                                         Failure{EMFILE, "EMFILE", "RLIMIT_NOFILE"},
                                         Failure{EFAULT, "EFAULT", "kernel's log"}),
                         [](const auto &row) { return std::string(row.param.name); });

class UdmabufErrno : public Export, public testing::WithParamInterface<Failure> {};

TEST_P(UdmabufErrno, FallsBackToTheViewAndSaysWhy)
{
    const size_t fds = open_fds();
    bench.calls.ioctl_errno = GetParam().code;
    ASSERT_EQ(create_in_ram(), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    const std::string reason = blob()["reason"];
    EXPECT_NE(reason.find(GetParam().name), std::string::npos) << reason;
    EXPECT_NE(reason.find(GetParam().advice), std::string::npos) << reason;
    EXPECT_EQ(open_fds(), fds);
}

INSTANTIATE_TEST_SUITE_P(Each, UdmabufErrno,
                         testing::Values(Failure{EINVAL, "EINVAL", "list_limit"},
                                         Failure{EBADFD, "EBADFD", "memory-backend-memfd"},
                                         Failure{ENOMEM, "ENOMEM", "no memory"},
                                         Failure{ENFILE, "ENFILE", "RLIMIT_NOFILE"},
                                         Failure{EIO, "EIO", "kernel's log"}),
                         [](const auto &row) { return std::string(row.param.name); });

TEST_F(Export, NoUdmabufDevice)
{
    bench.calls.open_errno = ENOENT;
    ASSERT_EQ(create_in_ram(), VRL_OK);
    EXPECT_EQ(bench.calls.ioctls, 0);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    EXPECT_TRUE(bench.vmm.logged("modprobe udmabuf"));
    const size_t sentences = bench.vmm.log.size();
    ASSERT_EQ(bench.create(3, page, {{ram_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.vmm.log.size(), sentences) << "a failure that repeats with each blob is said once";
    bench.calls.open_errno = EACCES;
    ASSERT_EQ(bench.create(2, page, {{ram_gpa, page, 0}}), VRL_OK);
    EXPECT_TRUE(bench.vmm.logged("permission"));
}

TEST(VfioEvents, ListensWhereTheDriverTells)
{
    FakeCalls calls;
    VfioEvents events(calls);
    EXPECT_EQ(events.listen(7, 8).error(), ENOTTY);
    calls.tells = true;
    EXPECT_TRUE(events.listen(7, 8));
    EXPECT_EQ(calls.listeners[7], 8);
    EXPECT_EQ(vrl_device_listen(-1, -1), -EBADF) << "the kernel's own";
}

TEST(VfioEvents, ReadTheStateOfADmabuf)
{
    FakeCalls calls;
    VfioEvents events(calls);
    EXPECT_EQ(events.state(7, 20).error(), ENOTTY);
    calls.tells = true;
    calls.states = {{20, {7, false, 3}}};
    EXPECT_EQ(events.state(8, 20).error(), EINVAL) << "another device's";
    const auto state = events.state(7, 20);
    ASSERT_TRUE(state);
    EXPECT_FALSE(state->live);
    EXPECT_EQ(state->generation, 3U);
}

TEST(VfioEvents, WhatCountsAsRevoked)
{
    const auto revoked = [](bool live, uint64_t generation) {
        return DmaBufState{.live = live, .generation = generation}.was_revoked();
    };
    EXPECT_FALSE(revoked(true, 0));
    EXPECT_TRUE(revoked(false, 1));
    EXPECT_TRUE(revoked(true, 2)) << "back by now";
    EXPECT_FALSE(revoked(false, 0)) << "exported while the memory was off";
    EXPECT_FALSE(revoked(true, 1)) << "and its memory has come";
    EXPECT_TRUE(revoked(false, 2)) << "and gone";
    EXPECT_TRUE(revoked(true, 3));
}

TEST(KernelCalls, CatchTheErrnoAtOnce)
{
    EXPECT_EQ(kernel_calls().ioctl(-1, VFIO_DEVICE_FEATURE, nullptr), -EBADF);
    EXPECT_EQ(kernel_calls().open("/dev/null/none"), -ENOTDIR);
    const UniqueFd null(kernel_calls().open("/dev/null"));
    ASSERT_TRUE(null.valid());
    EXPECT_EQ(::fcntl(null.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

} // namespace
} // namespace vramlink::test
