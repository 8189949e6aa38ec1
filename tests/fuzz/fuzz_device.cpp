// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer's target: a guest, a display and a memory map, all hostile. Bytes become commands (whole ones
// with numbers near the limits, and plain garbage), regions that vanish and come back, consumers that hold
// frames; after each step what always holds is checked (fake_gpu_check(), and the table's own state here).

#include "tests/fuzz/fake_qemu.h"
#include "tests/fuzz/input.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <drm_fourcc.h>
#include <linux/virtio_gpu.h>
#include <sys/mman.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

namespace {

using namespace vramlink;
using namespace vramlink::test;

constexpr uint32_t max_id = 8;
constexpr uint64_t pages = 24;
constexpr int most_steps = 200;

void must(bool held, const char *what)
{
    if (held)
        return;
    std::cerr << "broken: " << what << "\n";
    std::abort();
}

/// Memory that can vanish and come back; while it is gone, a read of the VMM's mapping is a fault.
struct Window {
    uint64_t gpa;
    FakeRegion *region;
    bool there;
};

class World {
  public:
    explicit World(Input &input) : input_(input), gpu_(fake_gpu_new(&displays_))
    {
        add_window(0x100000, VRL_REGION_SHARED_RAM, "ram");
        add_window(0x100000 + pages * page, VRL_REGION_PRIVATE_RAM, "private");
        add_window(0x80000000, VRL_REGION_VFIO_BAR, "bar 0");
        add_window(0xfffffffffff00000, VRL_REGION_VFIO_BAR, "bar 2");
        vmm_.map_device(0x90000000, page);
        vrl_ops ops = vmm_.ops();
        vmm_ops_ = ops;
        ops.translate = [](void *self, uint64_t gpa, uint64_t length, vrl_piece *piece) {
            auto &world = *static_cast<World *>(self);
            return world.vmm_ops_.translate(&world.vmm_, gpa, length, piece);
        };
        ops.release_consumers = [](void *self, uint32_t id, bool revoked) {
            return fake_gpu_release_consumers(static_cast<World *>(self)->gpu_, id, revoked);
        };
        ops.scanouts = [](void *self, uint32_t id) {
            return fake_gpu_scanouts(static_cast<World *>(self)->gpu_, id);
        };
        ops.log = [](void *, vrl_log_level, const char *text) {
            must(text != nullptr, "a log without words");
        };
        vrl_limits limits{};
        limits.max_blobs = max_id - 2;
        limits.max_extents_total = 4 * pages;
        limits.max_bytes_copied = 3 * pages * page;
        table_ = new_table(ops, this, &limits, Host{calls_, process_, clock_});
        fake_gpu_set_table(gpu_, table_);
    }
    World(const World &) = delete;
    World &operator=(const World &) = delete;
    ~World()
    {
        fake_gpu_reset(gpu_);
        const std::string stats = this->stats();
        for (const char *nothing : {"\"live\": 0,", "\"dmabuf_fds\": 0,", "\"extents\": 0,"})
            must(stats.find(nothing) != std::string::npos, nothing);
        vrl_table_free(table_);
        fake_gpu_free(gpu_);
        must(process_.mappings.used() == 0, "mappings are still charged");
    }

    void step()
    {
        constexpr std::array<void (World::*)(), 14> steps{
            &World::create,     &World::create,         &World::attach,          &World::detach,
            &World::unref,      &World::scanout,        &World::scanout,         &World::flush,
            &World::garbage,    &World::memory_changes, &World::display_changes, &World::host_changes,
            &World::frame_goes, &World::other};
        (this->*input_.one_of(steps))();
        check();
    }

  private:
    void add_window(uint64_t gpa, vrl_region_kind kind, const char *name)
    {
        FakeRegion &region = vmm_.add_region(kind, pages * page, name);
        vmm_.map(gpa, region, 0, pages * page);
        windows_.push_back({gpa, &region, true});
        next_region_ = windows_.size() + 1;
    }
    [[nodiscard]] std::string stats() const
    {
        const std::unique_ptr<char, decltype(&std::free)> text(vrl_table_stats_json(table_), std::free);
        return text.get();
    }
    uint32_t id() { return input_.in32(0, max_id); }
    /// Mostly small and round, now and then anything.
    uint32_t number(uint32_t usual)
    {
        const auto kind = input_.any<uint8_t>();
        if (kind < 200)
            return input_.in32(0, usual);
        return kind < 220 ? usual + 1 : input_.any<uint32_t>();
    }

    template <class Command>
    uint32_t send(Command command, uint32_t type, const std::vector<virtio_gpu_mem_entry> &tail = {})
    {
        command.hdr.type = type;
        std::vector<uint8_t> bytes(sizeof command);
        std::memcpy(bytes.data(), &command, sizeof command);
        const auto *more = reinterpret_cast<const uint8_t *>(tail.data());
        bytes.insert(bytes.end(), more, more + tail.size() * sizeof tail[0]);
        return fake_gpu_command(gpu_, bytes.data(), bytes.size());
    }
    std::vector<virtio_gpu_mem_entry> entries()
    {
        std::vector<virtio_gpu_mem_entry> list(input_.in(0, 12));
        for (auto &entry : list) {
            const Window &window = windows_[input_.in(0, windows_.size() - 1)];
            const bool aligned = input_.chance(78);
            const uint64_t at = input_.in(0, pages);
            entry.addr = window.gpa + at * page + (aligned ? 0 : input_.any<uint16_t>());
            entry.length = aligned ? input_.in32(0, 4) * page : number(9000);
        }
        return list;
    }
    void create()
    {
        const auto list = entries();
        virtio_gpu_resource_create_blob command{};
        command.resource_id = id();
        command.blob_mem = input_.chance(98) ? uint32_t{VIRTIO_GPU_BLOB_MEM_GUEST} : number(9);
        uint64_t covered = 0;
        for (const auto &entry : list)
            covered += entry.length;
        command.size = input_.yes() ? covered : input_.in(0, covered + 1);
        command.nr_entries = input_.chance(94) ? static_cast<uint32_t>(list.size()) : number(64);
        const bool known = vrl_table_has(table_, command.resource_id);
        if (send(command, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, list) != VRL_OK)
            return;
        must(!known && command.resource_id != 0, "an id was given twice");
        must(vrl_table_is_backed(table_, command.resource_id), "a new blob has no backing");
    }
    void attach()
    {
        const auto list = entries();
        virtio_gpu_resource_attach_backing command{};
        command.resource_id = id();
        command.nr_entries = static_cast<uint32_t>(list.size());
        const bool blob = vrl_table_has(table_, command.resource_id);
        if (send(command, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, list) == VRL_OK && blob)
            must(vrl_table_is_backed(table_, command.resource_id), "attached, and no backing");
    }
    void detach()
    {
        virtio_gpu_resource_detach_backing command{};
        command.resource_id = id();
        const uint32_t answer = send(command, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING);
        must(answer != 0, "DETACH_BACKING waits for a consumer");
        must(!vrl_table_is_backed(table_, command.resource_id), "detached, and still backed");
    }
    void unref()
    {
        virtio_gpu_resource_unref command{};
        command.resource_id = id();
        must(send(command, VIRTIO_GPU_CMD_RESOURCE_UNREF) != 0, "UNREF waits for a consumer");
        must(!vrl_table_has(table_, command.resource_id), "unreferenced, and still there");
    }
    uint32_t format()
    {
        constexpr std::array<uint32_t, 10> formats{
            VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
            VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
            VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
            VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
            VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
            VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, // tiled: see fake_gpu_new()
            DRM_FORMAT_NV12,
            DRM_FORMAT_P010,
            DRM_FORMAT_XRGB2101010,
            DRM_FORMAT_NV21}; // not listed
        return input_.chance(94) ? input_.one_of(formats) : number(140);
    }
    void scanout()
    {
        virtio_gpu_set_scanout_blob command{};
        command.scanout_id = input_.in32(0, FAKE_OUTPUTS);
        command.resource_id = id();
        command.width = number(64);
        command.height = number(64);
        command.r = {number(8), number(8), number(64), number(64)};
        command.format = format();
        command.strides[0] = input_.yes() ? command.width * 4 : number(1024);
        command.offsets[0] = input_.yes() ? 0 : number(2 * page);
        if (input_.yes()) { // a second plane
            command.strides[1] = input_.yes() ? command.strides[0] : number(1024);
            command.offsets[1] = command.offsets[0] + (input_.yes() ? 4 * number(1024) : number(3 * page));
        }
        (void)send(command, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB);
    }
    void flush()
    {
        virtio_gpu_resource_flush command{};
        command.resource_id = id();
        command.r = {number(64), number(64), number(64), number(64)};
        (void)send(command, VIRTIO_GPU_CMD_RESOURCE_FLUSH);
    }
    void garbage()
    {
        auto bytes = input_.bytes(input_.in(0, 128));
        if (bytes.size() > 4 && input_.yes()) { // a type that means something
            bytes[0] = static_cast<uint8_t>(input_.in(0, 0x0e));
            bytes[1] = 1;
            bytes[2] = bytes[3] = 0;
        }
        (void)fake_gpu_command(gpu_, bytes.data(), bytes.size());
    }
    /// A region leaves the guest's address space, or an IOMMU unmaps; or it comes back as a new one.
    void memory_changes()
    {
        Window &window = windows_[input_.in(0, windows_.size() - 1)];
        if (input_.yes()) {
            (void)vrl_table_revoke_addresses(table_, window.gpa, window.gpa + number(pages * page),
                                             "unmapped");
            vmm_.iommu = input_.yes();
            return;
        }
        if (window.there) {
            (void)vrl_table_revoke_region(table_, window.region->raw.id, "gone");
            vmm_.unmap(*window.region);
            window.region->protect(PROT_NONE);
        } else {
            window.region->raw.id = next_region_++;
            window.region->protect(PROT_READ | PROT_WRITE);
            vmm_.map(window.gpa, *window.region, 0, pages * page);
        }
        window.there = !window.there;
    }
    void display_changes()
    {
        const auto bits = input_.any<uint8_t>();
        displays_ = {.gl = (bits & 1U) != 0,
                     .imports = (bits & 2U) != 0,
                     .import_works = (bits & 4U) != 0,
                     .lets_go = (bits & 32U) != 0,
                     .software = (bits & 16U) != 0,
                     .holds = (bits & 8U) != 0};
    }
    void host_changes()
    {
        constexpr std::array<int, 5> errors{0, 0, ENOTTY, ENOMEM, EMFILE};
        calls_.ioctl_errno = input_.one_of(errors);
        calls_.open_errno = input_.one_of(errors);
        vmm_.longest_piece = input_.yes() ? page : ~0ULL;
    }
    void frame_goes()
    {
        if (input_.yes())
            fake_gpu_let_go(gpu_);
        else
            fake_gpu_time_passes(gpu_);
    }
    void other()
    {
        switch (input_.in(0, 3)) {
        case 0:
            fake_gpu_reset(gpu_);
            break;
        case 1:
            fake_gpu_cursor(gpu_, id());
            break;
        case 2:
            must(!stats().empty(), "no statistics");
            break;
        default: {
            virtio_gpu_resource_create_2d command{};
            command.resource_id = id();
            (void)send(command, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D);
        }
        }
    }
    void check()
    {
        fake_gpu_check(gpu_);
        for (uint32_t i = 0; i <= max_id; ++i) {
            const bool known = vrl_table_has(table_, i);
            const bool backed = vrl_table_is_backed(table_, i);
            must(!backed || known, "backed, but unknown");
            must(!vrl_table_is_revoked(table_, i) || (known && !backed), "a tombstone with backing");
            must((vrl_table_plan(table_, i) == VRL_PLAN_NONE) == !backed,
                 "a plan without backing, or none with");
        }
    }

    Input &input_;
    fake_displays displays_{};
    FakeVmm vmm_;
    vrl_ops vmm_ops_{};
    FakeCalls calls_;
    FakeClock clock_;
    ProcessBudgets process_{ProcessLimits{.descriptors{6}, .mappings{64}}};
    std::vector<Window> windows_;
    uint64_t next_region_ = 1;
    fake_gpu *gpu_;
    vrl_table *table_ = nullptr;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t fds = open_fds();
    static unsigned runs = 0;
    {
        Input input({data, size});
        World world(input);
        for (int i = 0; i < most_steps && !input.empty(); ++i)
            world.step();
    }
    if (++runs % 64 == 0) // libFuzzer opens files of its own between runs, never one for each
        must(open_fds() <= fds + 8, "descriptors leak");
    return 0;
}
