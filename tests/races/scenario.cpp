// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/races/scenario.hpp"

#include <array>

namespace vramlink::test {

namespace {

constexpr std::array<Scenario, 15> all{{
    {"answers", "a word of a command changes while it is read: the answer fits one of the two commands",
     false, play_answers},
    {"scanout", "a command turns into SET_SCANOUT while a blob is on the screen", false, play_scanout},
    {"convert", "a command turns into SET_SCANOUT while a blob on the screen is converted", false,
     play_convert},
    {"entries", "a list of pages changes while it is read", false, play_entries},
    {"commands", "commands on both queues are overwritten by others, before a viewer", false, play_commands},
    {"descriptors", "descriptors and rings change while they are read", false, play_descriptors},
    {"reset", "the device is reset while commands are under way", false, play_reset},
    {"reset-eject", "the device is reset while it is ejected", false, play_reset_eject},
    {"loss", "the GPU loses its memory and is ejected while commands use it", false, play_loss},
    {"loss-window", "the same before a window of QEMU's own process", false, play_loss_window},
    {"loss-gl", "the same of the 3D device, with GL in QEMU's own process", false, play_loss_gl},
    {"starve-control", "the control queue is refilled for ever: QMP answers", false, play_starve_control},
    {"starve-cursor", "the cursor queue is refilled for ever: QMP answers", false, play_starve_cursor},
    {"config-eject", "a config write takes the GPU's memory away while it is ejected", true,
     play_config_eject},
    {"config-reads", "config reads of others while a write takes the GPU's memory away", true,
     play_config_reads},
}};

} // namespace

std::span<const Scenario> scenarios()
{
    return all;
}

} // namespace vramlink::test
