// SPDX-License-Identifier: GPL-2.0-or-later
//
// Guest RAM that is given back to the host while a blob lies in it: virtio-mem, and the balloon. The host
// pays for no page twice, and no display shows memory that is not the guest's any more.

#include "tests/device/ground.hpp"
#include "tests/device/ram.hpp"
#include "tests/device/repeat.hpp"

#include <gtest/gtest.h>
#include <linux/virtio_mem.h>

#include <sys/mman.h>

#include <cstring>
#include <fstream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr unsigned other_slot = 9;
constexpr std::uint64_t mebi = 1 << 20;

// --- virtio-mem

/// A driver of virtio-mem, with its one queue.
class VirtioMem {
  public:
    [[nodiscard]] static std::string arguments()
    {
        return " -m maxmem=1G -object memory-backend-memfd,id=more,size=64M,share=on,reserve=off"
               " -device virtio-mem-pci,id=mem0,memdev=more,requested-size=64M,block-size=2M,addr=" +
               std::to_string(other_slot);
    }
    explicit VirtioMem(Machine &machine) : queue_(vm_gpu_open(machine.raw(), other_slot))
    {
        const Json devices = machine.qmp({{"execute", "query-memory-devices"}});
        address_ = devices.at(0)["data"]["memaddr"];
    }
    [[nodiscard]] std::uint64_t address() const { return address_; }
    [[nodiscard]] bool plug(std::uint16_t blocks) { return ask(VIRTIO_MEM_REQ_PLUG, blocks); }
    [[nodiscard]] bool unplug(std::uint16_t blocks) { return ask(VIRTIO_MEM_REQ_UNPLUG, blocks); }

  private:
    /// For the first blocks.
    bool ask(std::uint16_t type, std::uint16_t blocks)
    {
        virtio_mem_req request{};
        virtio_mem_resp answer{};
        request.type = type;
        request.u.plug.addr = address_; // of an unplug, too
        request.u.plug.nb_blocks = blocks;
        constexpr int limit_ms = 10'000;
        return vm_gpu_command(queue_, &request, sizeof request, 0, &answer, sizeof answer,
                              patience(limit_ms)) > 0 &&
               answer.type == VIRTIO_MEM_RESP_ACK;
    }

    vm_gpu *queue_;
    std::uint64_t address_ = 0;
};

TEST(GivenBack, ToVirtioMem)
{
    Machine machine({.devices = VirtioMem::arguments()});
    Gpu gpu(machine);
    VirtioMem memory(machine);
    const Picture picture = paint(Ground::width, Ground::height, 1);
    const auto entries = linear(memory.address() + page, picture.bytes());
    EXPECT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "ERR_INVALID_PARAMETER")
        << "nothing is plugged there";
    for (int round = 0; round < 3; round++) {
        ASSERT_TRUE(memory.plug(2));
        put(machine, entries, picture);
        ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        EXPECT_EQ(difference(picture, screendump(machine)), "");

        ASSERT_TRUE(memory.unplug(1));
        EXPECT_EQ(machine.blob(id)["state"], "revoked");
        EXPECT_STREQ(answer_name(gpu.flush(id, {0, 0, Ground::width, Ground::height})),
                     "ERR_INVALID_RESOURCE_ID");
        EXPECT_STREQ(answer_name(gpu.create_blob(id + 1, picture.bytes(), entries)), "ERR_INVALID_PARAMETER");
        EXPECT_EQ(machine.stats()["totals"]["dmabuf_fds"], 0);
        EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
        ASSERT_TRUE(memory.plug(1)); // requests are for blocks that are all in the other state
        ASSERT_TRUE(memory.unplug(2));
    }
}

// --- the balloon

std::int64_t available_bytes()
{
    std::ifstream file("/proc/meminfo");
    std::string word;
    while (file >> word && word != "MemAvailable:")
        ;
    std::int64_t kibibytes = 0;
    file >> kibibytes;
    return kibibytes * 1024;
}

/// A blob over RAM, the balloon takes it, the guest touches it again: with a dma-buf that kept its pages,
/// each round would cost the host as much again. In the lab, where there is udmabuf.
TEST(VfioGivenBack, ToTheBalloon)
{
    constexpr std::uint64_t base = 32 * mebi, size = 16 * mebi;
    const std::uint32_t rounds = repetitions(16, 60); // of 16 MiB: twice what is allowed
    constexpr std::uint32_t at_a_time = 256;
    constexpr auto allowed = static_cast<std::int64_t>(2 * Machine::ram_size);
    Machine machine({.devices = "-device virtio-balloon-pci,id=balloon0,addr=" + std::to_string(other_slot)});
    Gpu gpu(machine);
    vm_gpu *balloon = vm_gpu_open(machine.raw(), other_slot);
    const Ram ram(machine);
    ASSERT_TRUE(ram);
    std::vector<std::uint32_t> pages;
    for (std::uint64_t at = base; at < base + size; at += page)
        pages.push_back(static_cast<std::uint32_t>(at / page));
    std::memset(ram.at<char>(base), 1, size);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, size, linear(base, size))), "OK");
    ASSERT_EQ(machine.blob(id)["plan"], "shared") << machine.blob(id).dump();
    const std::int64_t before = available_bytes();
    for (std::uint32_t round = 1; round <= rounds; round++) {
        std::memset(ram.at<char>(base), static_cast<int>(round), size);
        (void)gpu.create_blob(id + round, size,
                              linear(base, size));        // over the limit on pinned memory it is refused
        madvise(ram.at<char>(base), size, MADV_DONTNEED); // the test's own mapping
        for (std::size_t at = 0; at < pages.size(); at += at_a_time) {
            std::uint8_t none = 0;
            ASSERT_GE(vm_gpu_command(balloon, &pages[at], at_a_time * sizeof pages[0], 0, &none, 0,
                                     patience(20'000)),
                      0);
        }
        ASSERT_LE(before - available_bytes(), allowed)
            << "bytes that the host has lost after " << round << " rounds";
    }
}

} // namespace
} // namespace vramlink::test
