// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/ground.hpp"

#include "tests/device/shared.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace vramlink::test {

Machine::Options ground_options(Where where)
{
    constexpr unsigned mebibytes = 16;
    if (where == Where::Ivshmem)
        return {.devices = ivshmem("near", Ground::near_slot, mebibytes) +
                           ivshmem("far", Ground::far_slot, mebibytes)};
    const auto hosts = vfio_hosts();
    if (hosts.size() < 2)
        return {};
    return {.devices =
                "-device vfio-pci,id=near,host=" + hosts[0] + ",addr=" + std::to_string(Ground::near_slot) +
                " -device vfio-pci,id=far,host=" + hosts[1] + ",addr=" + std::to_string(Ground::far_slot)};
}

Machine::Options gl_ground_options(Where where)
{
    auto options = ground_options(where);
    const char *display = std::getenv("VRAMLINK_GL_DISPLAY");
    options.gpu = "virtio-gpu-gl-vram-pci,id=vram0,max_outputs=2";
    options.display = display != nullptr ? display : "none";
    return options;
}

Ground::Ground(const Machine::Options &options, std::uint32_t first)
    : machine(options), gpu(machine), first_page(first), near(machine.map_bar(near_slot, 2)),
      far(machine.map_bar(far_slot, 2)), registers(machine.map_bar(near_slot, 0)),
      picture(paint(width, height, 1))
{
    vm_pci_move_bar(near.pci, 2, near_address);
    near.address = near_address;
    EXPECT_STREQ(answer_name(gpu.create_2d(plain_2d_id, width, height)), "OK");
    show_blob();
    check_alive();
    const std::string messages = machine.new_messages();
    EXPECT_TRUE(sentences(messages).empty()) << messages;
}

void Ground::show_blob()
{
    const auto entries = shown_entries();
    put(machine, entries, picture);
    EXPECT_STREQ(answer_name(gpu.create_blob(shown_id, picture.bytes(), entries)), "OK");
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob(scanout_of(shown_id, picture))), "OK");
}

void Ground::restore()
{
    constexpr std::uint16_t memory_enable = 0x2;
    vm_pci_move_bar(near.pci, 2, near_address);
    vm_pci_set_command(near.pci, vm_pci_command(near.pci) | memory_enable);
    const Json stats = machine.stats();
    for (const auto &blob : stats.value("blobs", Json::array()))
        EXPECT_STREQ(answer_name(gpu.unref(blob["id"])), "OK");
    picture = paint(width, height, 1);
    show_blob();
    check_alive();
    machine.new_messages();
}

Ground &Ground::shared(const Machine::Options &options, std::uint32_t first_page)
{
    Ground *left = Shared::take_over<Ground>(options);
    if (left == nullptr || left->first_page != first_page) {
        Shared::end();
        return Shared::leave(options, std::make_unique<Ground>(options, first_page));
    }
    left->restore();
    return *left;
}

BlobScanout Ground::scanout_of(std::uint32_t id, const Picture &shown)
{
    return {.id = id,
            .rect = {0, 0, shown.width, shown.height},
            .width = shown.width,
            .height = shown.height,
            .stride = 4 * shown.width};
}

std::vector<Entry> Ground::shown_entries() const
{
    return scattered(near_page(first_page), picture.pages(), 1);
}

void Ground::check_alive()
{
    EXPECT_STREQ(answer_name(gpu.create_blob(spare_id, page, linear(far_page(first_page), page))), "OK");
    EXPECT_STREQ(answer_name(gpu.unref(spare_id)), "OK");
    EXPECT_STREQ(answer_name(gpu.flush(shown_id, {0, 0, width, height})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
}

void expect_same(const Held &after, const Held &before)
{
    EXPECT_EQ(after.fds, before.fds);
    EXPECT_EQ(after.dmabufs, before.dmabufs);
    EXPECT_LE(after.maps, before.maps + heap_maps);
}

void expect_same_totals(const Json &after, const Json &before)
{
    for (const char *kept : {"live", "tombstones", "extents", "dmabuf_fds"})
        EXPECT_EQ(after[kept], before[kept]) << kept;
}

std::vector<std::string> sentences(const std::string &messages)
{
    std::istringstream lines(messages);
    std::vector<std::string> ours;
    for (std::string line; std::getline(lines, line);)
        if (line.find("vramlink") != std::string::npos && line.find("guest: ") != std::string::npos)
            ours.push_back(line);
    return ours;
}

} // namespace vramlink::test
