// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/races/field.hpp"

#include "tests/races/finding.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <linux/pci_regs.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>

namespace vramlink::test {

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::uint32_t d3hot = 3; ///< in PCI_PM_CTRL_STATE_MASK
constexpr int plug_limit_ms = 20'000;

/// "driver,name=value,…" as device_add wants it.
Json device_arguments(const std::string &option)
{
    std::istringstream parts(option);
    Json arguments;
    for (std::string part; std::getline(parts, part, ',');) {
        const auto equals = part.find('=');
        const std::string value = part.substr(equals + 1);
        const bool number = !value.empty() && std::all_of(value.begin(), value.end(),
                                                          [](char c) { return c >= '0' && c <= '9'; });
        if (equals == std::string::npos)
            arguments["driver"] = part;
        else if (number)
            arguments[part.substr(0, equals)] = std::stoul(value);
        else
            arguments[part.substr(0, equals)] = value;
    }
    return arguments;
}

Json try_qmp(Machine &machine, const Json &command)
{
    const std::unique_ptr<char, decltype(&std::free)> text(vm_qmp(machine.raw(), command.dump().c_str()),
                                                           std::free);
    return Json::parse(text.get());
}

} // namespace

Bytes create_2d_bytes(std::uint32_t id, std::uint32_t width, std::uint32_t height)
{
    return bytes_of(virtio_gpu_resource_create_2d{header(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), id, xrgb8888,
                                                  width, height});
}

Bytes set_scanout_bytes(std::uint32_t scanout, std::uint32_t id, Rect rect)
{
    return bytes_of(virtio_gpu_set_scanout{
        header(VIRTIO_GPU_CMD_SET_SCANOUT), {rect.x, rect.y, rect.width, rect.height}, scanout, id});
}

Bytes short_bytes(std::uint32_t type, std::uint32_t id)
{
    return bytes_of(virtio_gpu_resource_unref{header(type), id, 0});
}

Field::Field(const Setup &setup, const Guest::Options &options)
    : guest(setup, options), control(guest, 0), cursor(guest, 1), where_(setup.where),
      gpu_options_(options.gpu), gpu_(std::make_unique<Gpu>(guest.machine)), picture_(paint(64, 64, 1)),
      ram_(vm_alloc(guest.machine.raw(), ram_size))
{
    find_gpu();
}

void Field::find_gpu()
{
    near_ = vm_pci_open(guest.machine.raw(), Ground::near_slot);
    if (near_ == nullptr)
        throw std::runtime_error("the GPU is not in its slot");
    if (const std::uint8_t pm = vm_pci_find_capability(near_, PCI_CAP_ID_PM))
        sleeps_ = {pm + std::uint32_t{PCI_PM_CTRL}, d3hot};
    if (const std::uint8_t af = vm_pci_find_capability(near_, PCI_CAP_ID_AF))
        resets_ = {af + std::uint32_t{PCI_AF_CTRL}, PCI_AF_CTRL_FLR};
    put_gpu_home();
}

std::vector<Entry> Field::blob_entries() const
{
    return scattered(Ground::near_address, picture_.pages(), 1);
}

void Field::plug(const Json &arguments)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience(plug_limit_ms));
    Json answer;
    do { // the one before may still be about to go
        answer = try_qmp(guest.machine, {{"execute", "device_add"}, {"arguments", arguments}});
        if (answer.contains("return"))
            return;
        guest.check_alive();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    } while (std::chrono::steady_clock::now() < end);
    throw Finding("a device that the guest has ejected cannot be plugged again: " + answer.dump());
}

void Field::plug_display()
{
    Json arguments = device_arguments(gpu_options_);
    arguments["addr"] = std::to_string(Machine::gpu_slot);
    plug(arguments);
    gpu_ = std::make_unique<Gpu>(guest.machine);
}

/// A new backend each time: QEMU's ivshmem forgets to unregister one when it goes with its BAR disabled
/// (ivshmem_exit), and asserts when another device takes it.
void Field::plug_gpu()
{
    Json device{{"id", "near"}, {"addr", std::to_string(Ground::near_slot)}};
    if (where_ == Where::Vfio) {
        device.update({{"driver", "vfio-pci"}, {"host", vfio_hosts()[0]}});
    } else {
        const std::string memory = "near-mem-" + std::to_string(++plugs_);
        (void)guest.machine.qmp({{"execute", "object-add"},
                                 {"arguments",
                                  {{"qom-type", "memory-backend-memfd"},
                                   {"id", memory},
                                   {"share", true},
                                   {"size", 16 * mebibyte}}}});
        device.update({{"driver", "ivshmem-plain"}, {"memdev", memory}});
    }
    plug(device);
    if (where_ == Where::Ivshmem) // of the one before; may still be in use for a moment
        (void)try_qmp(
            guest.machine,
            {{"execute", "object-del"},
             {"arguments", {{"id", plugs_ == 1 ? "near-mem" : "near-mem-" + std::to_string(plugs_ - 1)}}}});
    find_gpu();
    painted_ = false;
}

void Field::put_gpu_home()
{
    if (sleeps_.reg)
        vm_pci_config_writew(near_, static_cast<std::uint8_t>(sleeps_.reg), 0);
    vm_pci_config_writel(near_, bar_register, static_cast<std::uint32_t>(Ground::near_address));
    vm_pci_config_writel(near_, bar_register + 4, 0);
    vm_pci_set_command(near_, on);
}

void Field::must(const char *what, const Bytes &command)
{
    const std::uint32_t answer = control.send(command);
    if (answer != VIRTIO_GPU_RESP_OK_NODATA)
        throw Finding(fmt::format("after the race {} is answered with {}", what, answer_name(answer)));
}

void Field::home()
{
    if (!vm_pci_present(guest.machine.raw(), Ground::near_slot))
        plug_gpu();
    put_gpu_home();
    if (vm_pci_present(guest.machine.raw(), Machine::gpu_slot))
        gpu_->reset();
    else
        plug_display();
    control.refresh(gpu_->raw());
    cursor.refresh(gpu_->raw());
    if (!painted_)
        put(guest.machine, blob_entries(), picture_);
    painted_ = true;
    must("RESOURCE_CREATE_2D", create_2d_bytes(flat_id, flat_side, flat_side));
    must("RESOURCE_ATTACH_BACKING", attach_bytes(flat_id, 1, linear(ram_, page)));
    const auto entries = blob_entries();
    must("RESOURCE_CREATE_BLOB",
         create_blob_bytes(blob_id, picture_.bytes(), static_cast<std::uint32_t>(entries.size()), entries));
    must("SET_SCANOUT_BLOB", set_scanout_blob_bytes(Ground::scanout_of(blob_id, picture_)));
}

void Field::check_picture()
{
    put(guest.machine, blob_entries(), picture_);
    must("RESOURCE_FLUSH", flush_bytes(blob_id, {0, 0, picture_.width, picture_.height}));
    const std::string wrong = difference(picture_, screendump(guest.machine));
    if (!wrong.empty())
        throw Finding("after the race the picture is wrong: " + wrong);
}

} // namespace vramlink::test
