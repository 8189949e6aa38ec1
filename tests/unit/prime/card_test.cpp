// SPDX-License-Identifier: GPL-2.0-or-later
//
// All screens of a device: which connector gets which CRTC, whose flip has ended, and monitors that come and
// go.

#include "hw/prime/crtc_choice.hpp"
#include "hw/prime/kms_card.hpp"
#include "tests/unit/prime/fake_drm.hpp"
#include "tools/viewer/kms/screen.hpp"
#include "tools/viewer/log.hpp"

#include <drm_fourcc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace vramlink::test {
namespace {

using Users = std::map<uint32_t, uint32_t>; ///< connector to CRTC

ConnectorInfo connector(uint32_t id, std::vector<uint32_t> possible, uint32_t current = 0)
{
    auto info = FakeDrm::connector(DRM_MODE_CONNECTOR_HDMIA, {{640, 480}});
    info.id = id;
    info.possible_crtcs = std::move(possible);
    info.current_crtc = current;
    return info;
}

Users users(const std::vector<ConnectorInfo> &connectors, const std::set<uint32_t> &taken = {})
{
    Users found;
    const auto chosen = choose_connectors(connectors, taken);
    for (const auto &one : chosen.value_or(std::vector<ConnectorInfo>{}))
        found[one.id] = one.current_crtc;
    return found;
}

TEST(ConnectorChoice, SaysWhatIsThere)
{
    auto unplugged = connector(1, {5});
    unplugged.connected = false;
    auto modeless = connector(2, {5});
    modeless.modes.clear();
    const auto refused = choose_connectors({unplugged, modeless});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ENODEV);
    EXPECT_NE(refused.error().text.find("2 connectors, 1 connected"), std::string::npos)
        << refused.error().text;
    EXPECT_EQ(users({unplugged, connector(3, {5})}), (Users{{3, 5}}));
}

TEST(ConnectorChoice, EachKeepsItsCrtcWhereNobodyElseNeedsIt)
{
    EXPECT_EQ(users({connector(1, {5, 6}, 6), connector(2, {5, 6}, 5)}), (Users{{1, 6}, {2, 5}}));
    EXPECT_EQ(users({connector(1, {5, 6}, 5), connector(2, {5})}), (Users{{1, 6}, {2, 5}}))
        << "the second has no other";
    EXPECT_EQ(users({connector(1, {5, 6}), connector(2, {6, 7}), connector(3, {5})}),
              (Users{{1, 6}, {2, 7}, {3, 5}}));
}

TEST(ConnectorChoice, WhatTheCrtcsDoNotSufficeForIsLeftOut)
{
    EXPECT_EQ(users({connector(1, {5}), connector(2, {5}), connector(3, {6})}), (Users{{1, 5}, {3, 6}}));
    EXPECT_EQ(users({connector(1, {5, 6})}, {5}), (Users{{1, 6}}));
    EXPECT_EQ(users({connector(1, {5})}, {5}), Users{});
}

class Card : public ::testing::Test {
  protected:
    void SetUp() override
    {
        Log::level = LogLevel::error;
        drm.connectors.push_back(FakeDrm::other_connector(2));
        device = *DrmDevice::open(drm, "/dev/dri/card0");
    }
    void start()
    {
        auto opened = KmsCard::open(*device);
        ASSERT_TRUE(opened.has_value()) << opened.error().text;
        card = std::move(*opened);
    }
    void TearDown() override
    {
        card.reset();
        EXPECT_EQ(drm.framebuffers.size(), 0U);
        EXPECT_EQ(drm.handles.size(), 0U);
        EXPECT_EQ(drm.bad_closes, 0);
    }
    BufferRef frame(uint32_t width, uint32_t height)
    {
        const UniqueFd fd(fake_dmabuf(uint64_t{width} * height * 4));
        PrimeImporter importer(*device);
        return *importer.import(fd.get(), {width, height, width * 4, 0, DRM_FORMAT_XRGB8888, 0});
    }
    void plug(size_t number, bool connected)
    {
        drm.connectors[number].connected = connected;
        drm.calls.clear();
        ASSERT_TRUE(card->rescan());
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device;
    std::unique_ptr<KmsCard> card;
};

TEST_F(Card, EveryConnectedScreenIsNeutralAndEachFlipsByItself)
{
    start();
    ASSERT_EQ(card->outputs().size(), 2U);
    KmsOutput &first = *card->outputs()[0];
    KmsOutput &second = *card->outputs()[1];
    EXPECT_NE(drm.crtc.framebuffer, 0U);
    EXPECT_NE(drm.more_crtcs[43].framebuffer, 0U);
    const auto a = frame(1024, 768);
    const auto b = frame(1024, 768);
    EXPECT_EQ(second.show(*b), KmsOutput::Shown::pending);
    EXPECT_EQ(card->read_events(), std::vector{&second});
    EXPECT_EQ(first.show(*a), KmsOutput::Shown::pending);
    EXPECT_EQ(second.show(*a), KmsOutput::Shown::pending) << "one buffer on two screens";
    const auto ended = card->read_events();
    ASSERT_TRUE(ended.has_value());
    EXPECT_EQ(ended->size(), 2U);
    ASSERT_TRUE(first.show_neutral());
    ASSERT_TRUE(second.show_neutral());
}

TEST_F(Card, AScreenThatCannotBeLitIsLeftOutAsLongAsAnotherCan)
{
    drm.connectors[1].possible_crtcs = drm.connectors[0].possible_crtcs;
    start();
    EXPECT_EQ(card->outputs().size(), 1U);
}

TEST_F(Card, AMonitorThatIsBackShowsWhatWasShown)
{
    start();
    KmsOutput &second = *card->outputs()[1];
    const auto a = frame(800, 600);
    EXPECT_EQ(second.show(*a), KmsOutput::Shown::now);
    plug(1, false);
    EXPECT_FALSE(second.has_monitor());
    EXPECT_TRUE(card->outputs()[0]->has_monitor());
    EXPECT_TRUE(drm.calls.empty()) << "what a dark screen shows is nobody's business";
    drm.more_crtcs[43] = {}; // a driver that turns the CRTC off
    plug(1, true);
    EXPECT_TRUE(second.has_monitor());
    EXPECT_EQ(drm.more_crtcs[43].framebuffer, a->framebuffer());
    EXPECT_EQ(drm.more_crtcs[43].mode.hdisplay, 800);
    ASSERT_TRUE(second.show_neutral());
}

TEST_F(Card, AnotherMonitorThatHasNotTheModeShowsTheNeutralFrame)
{
    start();
    KmsOutput &second = *card->outputs()[1];
    const auto a = frame(800, 600);
    EXPECT_EQ(second.show(*a), KmsOutput::Shown::now);
    plug(1, false);
    drm.connectors[1].modes = FakeDrm::connector(DRM_MODE_CONNECTOR_DisplayPort, {{1920, 1080}}).modes;
    plug(1, true);
    EXPECT_EQ(drm.more_crtcs[43].mode.hdisplay, 1920);
    EXPECT_NE(drm.more_crtcs[43].framebuffer, a->framebuffer());
    EXPECT_EQ(second.screen().width, 1920U);
}

TEST_F(Card, AnAliveMonitorIsNotTouched)
{
    start();
    plug(0, true);
    EXPECT_TRUE(drm.calls.empty());
}

TEST_F(Card, AMonitorOnAFreeConnectorIsANewOutput)
{
    drm.connectors[1].connected = false;
    start();
    ASSERT_EQ(card->outputs().size(), 1U);
    plug(1, true);
    ASSERT_EQ(card->outputs().size(), 2U);
    EXPECT_EQ(card->outputs()[1]->crtc(), 43U);
}

/// A dock that is unplugged takes its connectors along, and comes back with others.
TEST_F(Card, AConnectorThatIsGoneIsFollowedByAnotherOfItsCrtc)
{
    start();
    const auto dock = drm.connectors[1];
    drm.connectors.pop_back();
    ASSERT_TRUE(card->rescan());
    EXPECT_FALSE(card->outputs()[1]->has_monitor());
    drm.connectors.push_back(dock);
    drm.connectors.back().id = 99;
    ASSERT_TRUE(card->rescan());
    EXPECT_EQ(card->outputs().size(), 2U);
    EXPECT_TRUE(card->outputs()[1]->has_monitor());
    EXPECT_EQ(card->outputs()[1]->connector().id, 99U);
}

TEST_F(Card, ScreensAreMadeForMonitorsThatHaveNone)
{
    start();
    KmsScreens screens(*card);
    int told = 0;
    screens.on_plugged = [&] { ++told; };
    EXPECT_EQ(screens.monitors(), 2U);
    auto first = screens.make();
    auto second = screens.make();
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_EQ(screens.make().error().code, ENODEV);
    second->reset();
    drm.connectors[1].connected = false;
    screens.plugged();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(screens.monitors(), 1U);
    EXPECT_EQ(screens.make().error().code, ENODEV) << "dark";
    drm.connectors[0].connected = false;
    screens.plugged();
    EXPECT_FALSE((*first)->has_monitor());
    EXPECT_EQ(screens.monitors(), 1U) << "the picture stays where the last one was";
    first->reset();
}

} // namespace
} // namespace vramlink::test
