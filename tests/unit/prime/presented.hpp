// SPDX-License-Identifier: GPL-2.0-or-later
//
// Presented: a presenter on a KMS screen of FakeDrm; nothing may be left of it.

#ifndef VRAMLINK_TESTS_UNIT_PRIME_PRESENTED_HPP
#define VRAMLINK_TESTS_UNIT_PRIME_PRESENTED_HPP

#include "tests/unit/prime/fake_drm.hpp"
#include "tools/viewer/kms/screen.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/presenter.hpp"

#include <drm_fourcc.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

namespace vramlink::test {

class Presented : public ::testing::Test {
  protected:
    void SetUp() override
    {
        Log::level = LogLevel::error;
        device = *DrmDevice::open(drm, "/dev/dri/card0");
        card = *KmsCard::open(*device);
        screens = std::make_unique<KmsScreens>(*card);
        screen = *screens->make();
        presenter = std::make_unique<Presenter>(*screen, [this](const std::string &why) { reason = why; });
        presenter->connected();
        idle = drm.framebuffers;
    }
    void TearDown() override
    {
        presenter.reset();
        screen.reset();
        screens.reset();
        card.reset();
        EXPECT_EQ(drm.handles.size(), 0U);
        EXPECT_EQ(drm.framebuffers.size(), 0U);
        EXPECT_EQ(drm.mappings.size(), 0U);
        EXPECT_EQ(drm.bad_closes, 0);
    }
    DmabufFrame frame_of(int dmabuf) const
    {
        return {UniqueFd(fcntl(dmabuf, F_DUPFD_CLOEXEC, 0)),
                {1024, 768, 4096, 0, DRM_FORMAT_XRGB8888, 0},
                false,
                false};
    }
    void show(int dmabuf, bool still = false)
    {
        DmabufFrame frame = frame_of(dmabuf);
        frame.still = still;
        presenter->scanout_dmabuf(std::move(frame));
        presenter->update_dmabuf({}, Completion([this] { ++answered; }));
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device;
    std::unique_ptr<KmsCard> card;
    std::unique_ptr<KmsScreens> screens;
    std::unique_ptr<Screen> screen;
    std::unique_ptr<Presenter> presenter;
    std::map<uint32_t, uint64_t> idle;
    std::string reason;
    int answered = 0;
    const UniqueFd a{fake_dmabuf(4096 * 768)}, b{fake_dmabuf(4096 * 768)}, c{fake_dmabuf(4096 * 768)};
};

} // namespace vramlink::test

#endif
