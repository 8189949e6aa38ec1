// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/fuzz/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace vramlink::test {

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::uint64_t bar_size = 16 * mebibyte;
constexpr std::uint16_t memory_enable = 0x2;
constexpr std::uint16_t bus_master = 0x4;
constexpr std::uint64_t rss_tolerance = 24 * mebibyte;
constexpr std::uint64_t sanitizer_rss = 256 * mebibyte; ///< that it may keep of freed memory
constexpr int sanitizer_maps = 256;                     ///< that a sanitizer's heap may add
constexpr int answer_ms = 20'000;

Machine::Options machine_options(const World::Options &options)
{
    auto chosen = ground_options(options.where);
    chosen.display = options.where == Where::Vfio ? "dbus,p2p=yes,gl=on" : "dbus,p2p=yes";
    chosen.preload = options.preload;
    chosen.environment = options.environment;
    return chosen;
}

int count_maps(pid_t pid, const std::vector<std::string> &names)
{
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);)
        count += std::any_of(names.begin(), names.end(),
                             [&](const std::string &name) { return line.find(name) != std::string::npos; });
    return count;
}

constexpr const char *surface = "memfd:displaysurface";

/// Mappings of guest RAM, BARs and VFIO devices: one more is a view that was not unmapped.
int count_memory_maps(pid_t pid)
{
    return count_maps(pid, {"memfd:", "vfio"}) - count_maps(pid, {surface});
}

/// Surfaces that consoles or displays have in memory of their own. How many QEMU itself needs changes with
/// who looks, and a consumer that it has not yet seen leave keeps one.
std::ptrdiff_t surfaces_of(const Held &held)
{
    return std::count_if(held.targets.begin(), held.targets.end(),
                         [](const std::string &target) { return target.find(surface) != std::string::npos; });
}
constexpr std::ptrdiff_t surfaces_more = 4;

/// Descriptors, but for surfaces, and for sockets: QEMU's D-Bus display keeps some of consumers that have
/// gone (seen with 10.0.2).
std::ptrdiff_t files_of(const Held &held)
{
    return std::count_if(held.targets.begin(), held.targets.end(),
                         [](const std::string &target) { return !target.starts_with("socket:"); }) -
           surfaces_of(held);
}

} // namespace

World::World(const Options &options)
    : options_(options), machine_(machine_options(options)), gpu_(machine_),
      raw_(gpu_.raw()), near_{"near", Ground::near_slot, nullptr, Ground::near_address, true, true},
      far_{"far", Ground::far_slot, nullptr, 0, true, true}
{
    const auto near = machine_.map_bar(near_.slot, 2);
    const auto far = machine_.map_bar(far_.slot, 2);
    near_.pci = near.pci;
    far_.pci = far.pci;
    far_.home = far.address;
    put_home(near_);
    // QEMU keeps the display's last connection, closed or not.
    consumers_.push_back(connect_consumer(machine_));
    consumers_.clear();
    if (options_.sanitized && count_maps(machine_.pid(), {"libasan", "libclang_rt.asan"}) == 0)
        ADD_FAILURE() << "QEMU runs without the sanitizer";
    constexpr std::uint64_t ram_start = 16 * mebibyte;
    places_.memory = {
        {near_.home, bar_size}, {far_.home, bar_size}, {ram_start, Machine::ram_size - ram_start}};
    places_.none = {
        {Ground::nowhere, mebibyte}, {0xb8000, 4 * page}, {near_.home + bar_size - page, 2 * page}};
}

void World::say(const std::string &what) const
{
    if (!options_.trace)
        return;
    std::fprintf(stderr, "  %s\n", what.c_str());
    std::fflush(stderr);
}

Json World::try_qmp(const Json &command)
{
    say(command.dump());
    const std::unique_ptr<char, decltype(&std::free)> text(vm_qmp(machine_.raw(), command.dump().c_str()),
                                                           std::free);
    return Json::parse(text.get());
}

void World::act(Random &random)
{
    const std::uint64_t kind = random.in(0, 999);
    if (kind < 720)
        command(random);
    else if (kind < 770)
        cursor(random);
    else if (kind < 860)
        change_bar(random, random.chance(70) ? near_ : far_);
    else if (kind < 910)
        screendump_somewhere(random);
    else if (kind < 950)
        consumers(random);
    else if (kind < 970)
        plug(random);
    else if (kind < 980) {
        say("virtio reset");
        gpu_.reset();
        model_.forget();
        ring_broken_ = false;
    } else if (kind < 985)
        system_reset();
    else if (kind < 990)
        bad_ring(random);
    else
        check_stats();
}

void World::command(Random &random)
{
    const Bytes bytes = random_command(random, places_);
    const std::size_t pieces = random.chance(80) ? 1 : random.in(1, 40); // the queue has 64 descriptors
    const std::size_t piece = (bytes.size() + pieces - 1) / pieces;
    const bool header_fits = random.chance(95);
    if (ring_broken_)
        return;
    say(described(bytes));
    std::vector<std::uint8_t> answer(header_fits ? 2048 : 8);
    const int written = vm_gpu_command(raw_, bytes.data(), bytes.size(), piece, answer.data(), answer.size(),
                                       patience(answer_ms));
    if (written < 0) {
        ADD_FAILURE() << "no answer to " << described(bytes);
        ring_broken_ = true;
        return;
    }
    std::uint32_t type = 0;
    if (written >= 4)
        std::memcpy(&type, answer.data(), sizeof type);
    if (!Model::legal(type))
        ADD_FAILURE() << "the answer " << type << " to " << described(bytes);
    say("  -> " + std::to_string(type));
    model_.answered(bytes, type);
}

void World::cursor(Random &random)
{
    const Bytes bytes = random_cursor_command(random);
    if (ring_broken_)
        return;
    say("cursor: " + described(bytes));
    if (!vm_gpu_cursor(raw_, bytes.data(), bytes.size(), patience(answer_ms)))
        ADD_FAILURE() << "the cursor queue does not take " << described(bytes);
}

void World::bad_ring(Random &random)
{
    std::vector<vm_descriptor> ring(random.in(1, 8));
    for (auto &descriptor : ring) {
        const auto &from = random.chance(60) ? places_.memory : places_.none;
        descriptor.address = from[random.in(0, from.size() - 1)].address + random.in(0, 2 * page);
        descriptor.length = random.chance(60) ? random.in32(0, 256) : random.edge();
        descriptor.flags = static_cast<std::uint16_t>(random.in(0, 7));
        descriptor.next =
            static_cast<std::uint16_t>(random.chance(80) ? random.in(0, ring.size()) : random.edge());
    }
    if (ring_broken_)
        return;
    say("a bad ring of " + std::to_string(ring.size()));
    vm_gpu_offer(raw_, ring.data(), ring.size());
    ring_broken_ = true;
}

void World::change_bar(Random &random, Device &device)
{
    const std::uint64_t what = random.in(0, 3);
    const std::uint64_t address = random.chance(30) ? (&device == &near_ ? far_ : near_).home
                                                    : 0xc8000000 + bar_size / 2 * random.in(0, 8);
    if (!device.there)
        return;
    say(device.name + ": BAR change " + std::to_string(what));
    const std::uint16_t command = vm_pci_command(device.pci);
    if (what == 0) {
        vm_pci_set_command(device.pci, command & ~memory_enable);
        device.answers = false;
    } else if (what == 1) {
        vm_pci_move_bar(device.pci, 2, address);
    } else {
        put_home(device);
    }
}

void World::put_home(Device &device)
{
    vm_pci_move_bar(device.pci, 2, device.home);
    vm_pci_set_command(device.pci, vm_pci_command(device.pci) | memory_enable | bus_master);
    device.answers = true;
}

std::string World::memory_name() const
{
    return plugs_ == 0 ? "near-mem" : "near-mem-" + std::to_string(plugs_);
}

void World::plug(Random &)
{
    if (near_.there)
        unplug();
    else
        plug_again();
}

void World::unplug()
{
    const Json answer = try_qmp({{"execute", "device_del"}, {"arguments", {{"id", "near"}}}});
    if (!answer.contains("return")) {
        ADD_FAILURE() << "device_del: " << answer.dump();
        return;
    }
    vm_pci_eject(machine_.raw(), near_.slot);
    vm_wait_event(machine_.raw(), "DEVICE_DELETED");
    near_.there = near_.answers = false;
    // The backend goes with it: QEMU's ivshmem forgets to unregister it when its BAR is disabled
    // (ivshmem_exit), and asserts when a second device takes it.
    if (options_.where == Where::Ivshmem)
        (void)try_qmp({{"execute", "object-del"}, {"arguments", {{"id", memory_name()}}}});
}

void World::plug_again()
{
    Json device{{"id", "near"}, {"addr", std::to_string(near_.slot)}};
    if (options_.where == Where::Vfio)
        device.update({{"driver", "vfio-pci"}, {"host", vfio_hosts()[0]}});
    else {
        ++plugs_;
        (void)try_qmp({{"execute", "object-add"},
                       {"arguments",
                        {{"qom-type", "memory-backend-memfd"},
                         {"id", memory_name()},
                         {"share", true},
                         {"size", bar_size}}}});
        device.update({{"driver", "ivshmem-plain"}, {"memdev", memory_name()}});
    }
    const Json answer = try_qmp({{"execute", "device_add"}, {"arguments", device}});
    near_.pci = answer.contains("return") ? vm_pci_open(machine_.raw(), near_.slot) : nullptr;
    if (near_.pci == nullptr) {
        ADD_FAILURE() << "device_add: " << answer.dump();
        return;
    }
    near_.there = true;
    put_home(near_);
}

void World::consumers(Random &random)
{
    const bool answering = random.chance(70);
    if (!consumers_.empty() && (consumers_.size() > 1 || random.chance(50))) {
        say("a consumer goes");
        consumers_.erase(consumers_.begin());
        return;
    }
    say(answering ? "a consumer comes" : "a consumer comes, and hangs");
    consumers_.push_back(connect_consumer(machine_));
    if (!consumers_.back()) {
        ADD_FAILURE() << "a consumer cannot join";
        consumers_.pop_back();
        return;
    }
    stuck_consumer_answer(consumers_.back().get(), answering);
}

void World::screendump_somewhere(Random &random)
{
    Json arguments{{"filename", "/dev/null"}, {"device", "vram0"}, {"head", random.in(0, 2)}};
    if (random.chance(30))
        arguments["format"] = "png";
    (void)try_qmp({{"execute", "screendump"}, {"arguments", arguments}});
}

void World::system_reset()
{
    say("system reset");
    vm_reset(machine_.raw());
    vm_gpu_restart(raw_);
    model_.forget();
    ring_broken_ = false;
    if (near_.there)
        put_home(near_);
    put_home(far_);
}

void World::check_stats()
{
    const std::string wrong = model_.disagreement(machine_.stats(), near_.answers);
    if (!wrong.empty())
        ADD_FAILURE() << "statistics: " << wrong;
}

/// A valid blob in one kind of memory after another; every pixel of it.
void World::check_picture()
{
    constexpr std::uint32_t id = 1;
    const auto &place = places_.memory[pictures_++ % places_.memory.size()];
    const Picture picture = paint(Ground::width, Ground::height, pictures_);
    // In RAM not where libqos keeps the rings: at the end.
    const std::uint64_t start = place.address + place.size - std::uint64_t{4} * picture.pages() * page;
    const auto entries = scattered(start, picture.pages(), pictures_, 2);
    put(machine_, entries, picture);
    EXPECT_STREQ(answer_name(gpu_.create_blob(id, picture.bytes(), entries)), "OK");
    EXPECT_STREQ(answer_name(gpu_.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    EXPECT_STREQ(answer_name(gpu_.flush(id, {0, 0, picture.width, picture.height})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine_)), "")
        << "in memory " << pictures_ % places_.memory.size();
    EXPECT_STREQ(answer_name(gpu_.unref(id)), "OK");
}

void World::check_held()
{
    if (!know_held_) {
        held_ = machine_.held();
        memory_maps_ = count_memory_maps(machine_.pid());
        know_held_ = true;
        return;
    }
    Held now;
    int maps = 0;
    const bool back = eventually([&] {
        now = machine_.held();
        maps = count_memory_maps(machine_.pid());
        return files_of(now) <= files_of(held_) && now.dmabufs <= held_.dmabufs && maps <= memory_maps_ &&
               surfaces_of(now) <= surfaces_of(held_) + surfaces_more;
    });
    EXPECT_TRUE(back) << "descriptors " << files_of(held_) << " -> " << files_of(now) << ", dma-bufs "
                      << held_.dmabufs << " -> " << now.dmabufs << ", mappings of memory " << memory_maps_
                      << " -> " << maps << ", surfaces " << surfaces_of(held_) << " -> " << surfaces_of(now);
    EXPECT_LE(now.rss, held_.rss + (options_.sanitized ? sanitizer_rss : rss_tolerance));
    EXPECT_LE(now.maps, held_.maps + (options_.sanitized ? sanitizer_maps : 8 * heap_maps));
}

void World::tell_messages()
{
    std::fprintf(stderr, "QEMU said:\n%s", machine_.new_messages().c_str());
}

void World::home()
{
    say("home");
    check_stats();
    consumers_.clear();
    if (!near_.there)
        plug_again();
    if (near_.pci != nullptr)
        put_home(near_);
    put_home(far_);
    gpu_.reset();
    model_.forget();
    ring_broken_ = false;
    check_picture();
    check_stats();
    check_held();
    const std::string messages = machine_.new_messages();
    EXPECT_EQ(messages.find("runtime error"), std::string::npos) << messages;
    if (testing::UnitTest::GetInstance()->Failed() || options_.trace)
        std::fprintf(stderr, "QEMU said:\n%s", messages.c_str());
}

} // namespace vramlink::test
