// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/user_hands.hpp"

#include <gtest/gtest.h>

#include <drm.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/uinput.h>
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

namespace vramlink::test {
namespace {

constexpr std::uint16_t last_key = KEY_MICMUTE; // of those that keyboards have

UniqueFd plug(const char *name, const std::vector<std::uint16_t> &keys,
              const std::vector<std::uint16_t> &axes)
{
    UniqueFd device(open("/dev/uinput", O_WRONLY | O_CLOEXEC));
    if (!device) {
        ADD_FAILURE() << "/dev/uinput: " << std::strerror(errno);
        return device;
    }
    ioctl(device.get(), UI_SET_EVBIT, EV_KEY);
    for (const auto key : keys)
        ioctl(device.get(), UI_SET_KEYBIT, key);
    if (!axes.empty())
        ioctl(device.get(), UI_SET_EVBIT, EV_REL);
    for (const auto axis : axes)
        ioctl(device.get(), UI_SET_RELBIT, axis);
    uinput_setup setup{};
    setup.id.bustype = BUS_USB;
    setup.id.vendor = 0x1234;
    setup.id.product = keys.size() > 3 ? 1 : 2;
    std::strncpy(setup.name, name, sizeof(setup.name) - 1);
    if (ioctl(device.get(), UI_DEV_SETUP, &setup) < 0 || ioctl(device.get(), UI_DEV_CREATE) < 0)
        ADD_FAILURE() << name << ": " << std::strerror(errno);
    return device;
}

UniqueFd open_terminal()
{
    return UniqueFd(open("/dev/tty0", O_RDWR | O_CLOEXEC | O_NOCTTY));
}

} // namespace

UserHands::UserHands()
{
    EXPECT_EQ(
        std::system("modprobe uinput && modprobe evdev && mkdir -p /run/udev && "
                    "{ pidof systemd-udevd || /usr/lib/systemd/systemd-udevd --daemon; } >/dev/null 2>&1"),
        0);
    std::vector<std::uint16_t> keys;
    for (std::uint16_t key = KEY_ESC; key <= last_key; key++)
        keys.push_back(key);
    keyboard_ = plug("vramlink test keyboard", keys, {});
    mouse_ = plug("vramlink test mouse", {BTN_LEFT, BTN_RIGHT, BTN_MIDDLE}, {REL_X, REL_Y, REL_WHEEL});
    EXPECT_EQ(std::system("udevadm trigger --action=add --subsystem-match=input --subsystem-match=drm && "
                          "udevadm settle --timeout=60"),
              0);
}

void UserHands::send(std::uint16_t type, std::uint16_t code, std::int32_t value)
{
    const bool with_keyboard = type == EV_KEY && code <= last_key;
    const int device = with_keyboard ? keyboard_.get() : mouse_.get();
    for (const auto &[kind, which, amount] :
         {std::tuple{type, code, value}, {std::uint16_t{EV_SYN}, std::uint16_t{SYN_REPORT}, 0}}) {
        input_event event{};
        event.type = kind;
        event.code = which;
        event.value = amount;
        EXPECT_EQ(write(device, &event, sizeof(event)), static_cast<ssize_t>(sizeof(event)));
    }
}

void UserHands::key(std::uint16_t code, bool down)
{
    send(EV_KEY, code, down ? 1 : 0);
}

void UserHands::chord(std::initializer_list<std::uint16_t> keys)
{
    for (const auto code : keys)
        key(code, true);
    for (const auto *code = keys.end(); code != keys.begin();)
        key(*--code, false);
}

void UserHands::click()
{
    key(BTN_LEFT, true);
    key(BTN_LEFT, false);
}

void UserHands::move(int right, int down)
{
    send(EV_REL, REL_X, right);
    send(EV_REL, REL_Y, down);
}

int terminal()
{
    const UniqueFd console = open_terminal();
    vt_stat state{};
    return console && ioctl(console.get(), VT_GETSTATE, &state) == 0 ? state.v_active : 0;
}

void switch_terminal(int number)
{
    const UniqueFd console = open_terminal();
    EXPECT_EQ(ioctl(console.get(), VT_ACTIVATE, number), 0) << std::strerror(errno);
}

bool is_graphic(int number)
{
    const UniqueFd console(
        open(("/dev/tty" + std::to_string(number)).c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
    int mode = -1;
    EXPECT_EQ(ioctl(console.get(), KDGETMODE, &mode), 0) << std::strerror(errno);
    return mode == KD_GRAPHICS;
}

bool nobody_drives()
{
    const UniqueFd card(open("/dev/dri/card0", O_RDWR | O_CLOEXEC)); // who opens it first is the master
    drm_auth nothing{};
    return card && ioctl(card.get(), DRM_IOCTL_AUTH_MAGIC, &nothing) < 0 && errno != EACCES;
}

} // namespace vramlink::test
