// SPDX-License-Identifier: GPL-2.0-or-later
//
// still-ms bounds all that a still reads of the guest's memory: making the CPU's view of a frame that cannot
// be mapped, too, which is a copy (finding 15 of the attacker's review). A read of a memfd that has holes
// fills them, so the file tells how much was read.

#include "tests/fuzz/fake_qemu.h"
#include "tests/unit/fake_vmm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/virtio_gpu.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint32_t id = 1, width = 2048, height = 4096;
constexpr uint64_t bytes = uint64_t{width} * height * 4; ///< 32 MiB
constexpr uint64_t pieces = 128;                         ///< more than may be mapped
constexpr uint64_t bar = 0x80000000;

vrl_translate_result translate(void *self, uint64_t gpa, uint64_t length, vrl_piece *piece);

/// A blob in VRAM on a display of another process, which was handed the dma-buf: nobody has asked for a view.
class Still : public testing::Test {
  protected:
    Still()
    {
        vmm.map(bar, vram, 0, bytes);
        vrl_ops ops{};
        ops.translate = translate;
        ops.release_consumers = [](void *self, uint32_t blob, bool revoked) {
            return fake_gpu_release_consumers(static_cast<Still *>(self)->gpu, blob, revoked);
        };
        ops.log = [](void *, vrl_log_level, const char *) {};
        table = new_table(ops, this, nullptr, Host{calls, process, clock});
        fake_gpu_set_table(gpu, table);
        show();
    }
    ~Still() override
    {
        fake_gpu_reset(gpu);
        vrl_table_free(table);
        fake_gpu_free(gpu);
    }
    Still(const Still &) = delete;
    Still &operator=(const Still &) = delete;

    template <class Command>
    uint32_t send(Command command, uint32_t type, const std::vector<virtio_gpu_mem_entry> &tail = {})
    {
        command.hdr.type = type;
        std::vector<uint8_t> message(sizeof command + tail.size() * sizeof(virtio_gpu_mem_entry));
        std::memcpy(message.data(), &command, sizeof command);
        if (!tail.empty())
            std::memcpy(message.data() + sizeof command, tail.data(), message.size() - sizeof command);
        return fake_gpu_command(gpu, message.data(), message.size());
    }
    void show()
    {
        std::vector<virtio_gpu_mem_entry> entries;
        for (uint64_t i = pieces; i-- > 0;)
            entries.push_back({bar + i * (bytes / pieces), static_cast<uint32_t>(bytes / pieces), 0});
        virtio_gpu_resource_create_blob create{};
        create.resource_id = id;
        create.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST;
        create.size = bytes;
        create.nr_entries = static_cast<uint32_t>(pieces);
        EXPECT_EQ(send(create, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, entries), VRL_OK);
        virtio_gpu_set_scanout_blob scanout{};
        scanout.resource_id = id;
        scanout.width = width;
        scanout.height = height;
        scanout.r = {0, 0, width, height};
        scanout.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
        scanout.strides[0] = width * 4;
        EXPECT_EQ(send(scanout, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB), VRL_OK);
        // Nothing of it has been read from here on.
        EXPECT_EQ(fallocate(vram.file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                            static_cast<off_t>(vram.raw.map_offset + bytes)),
                  0);
    }
    uint32_t detach()
    {
        virtio_gpu_resource_detach_backing command{};
        command.resource_id = id;
        return send(command, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING);
    }
    [[nodiscard]] uint64_t read() const
    {
        struct stat status {};
        EXPECT_EQ(fstat(vram.file(), &status), 0);
        return static_cast<uint64_t>(status.st_blocks) * 512;
    }
    [[nodiscard]] nlohmann::json totals() const
    {
        const std::unique_ptr<char, decltype(&std::free)> text(vrl_table_stats_json(table), std::free);
        return nlohmann::json::parse(text.get())["totals"];
    }

    FakeVmm vmm;
    FakeRegion &vram = vmm.add_region(VRL_REGION_VFIO_BAR, bytes, "vram");
    FakeCalls calls;
    FakeClock clock;
    ProcessBudgets process{ProcessLimits{.descriptors{16}, .mappings{pieces / 2}}};
    fake_displays displays{.gl = true,
                           .imports = false,
                           .import_works = false,
                           .lets_go = false,
                           .software = false,
                           .holds = false};
    fake_gpu *gpu = fake_gpu_new(&displays);
    vrl_table *table = nullptr;

    friend vrl_translate_result translate(void *self, uint64_t gpa, uint64_t length, vrl_piece *piece);
};

vrl_translate_result translate(void *self, uint64_t gpa, uint64_t length, vrl_piece *piece)
{
    FakeVmm &vmm = static_cast<Still *>(self)->vmm;
    return vmm.ops().translate(&vmm, gpa, length, piece);
}

TEST_F(Still, WithTimeAllOfTheFrameIsRead)
{
    fake_gpu_set_still_ms(gpu, 600'000);
    ASSERT_EQ(read(), 0U);
    EXPECT_EQ(detach(), VRL_OK);
    EXPECT_EQ(totals()["stills"], 1);
    EXPECT_EQ(read(), bytes) << "each page once, as the test counts";
}

TEST_F(Still, ItsTimeCoversTheView)
{
    fake_gpu_set_still_ms(gpu, 1);
    ASSERT_EQ(read(), 0U);
    EXPECT_EQ(detach(), VRL_OK);
    EXPECT_EQ(totals()["stills_lost"], 1);
    EXPECT_LT(read(), bytes / 2) << "in a millisecond";
}

} // namespace
} // namespace vramlink::test
