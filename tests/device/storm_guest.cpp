// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/storm_guest.hpp"

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <span>

namespace vramlink::test {

namespace {

constexpr std::uint32_t pages_of_frame = 4 * STORM_PIXELS / page;
constexpr Rect whole{0, 0, STORM_WIDTH, STORM_HEIGHT};
constexpr std::uint32_t vram_pages = 16384 - 64;

BlobScanout scanout_of(std::uint32_t id)
{
    return {.id = id, .rect = whole, .width = STORM_WIDTH, .height = STORM_HEIGHT, .stride = 4 * STORM_WIDTH};
}

std::int64_t now_us()
{
    using namespace std::chrono;
    return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

template <class T> void publish(T &field, T value)
{
    __atomic_store_n(&field, value, __ATOMIC_SEQ_CST);
}

} // namespace

StormGuest::StormGuest(Machine &machine, Board &board, unsigned seed, std::function<void()> tend)
    : machine_(machine), board_(board), tend_(std::move(tend)), random_(seed),
      nvme_(machine, NvmeGpu::At::BehindBridge), gpu_(machine),
      iommu_(machine), kinds_{{"memory decoding off", 20, &StormGuest::memory_off},
                              {"D3", 12, &StormGuest::sleep},
                              {"FLR", 12, &StormGuest::reset_function},
                              {"BAR moved", 14, &StormGuest::move_bar},
                              {"unplug", 5, &StormGuest::unplug},
                              {"secondary bus reset", 10, &StormGuest::reset_bus},
                              {"vIOMMU unmap", 10, &StormGuest::unmap},
                              {"machine reset", 2, &StormGuest::reset_machine},
                              {"virtio reset", 4, &StormGuest::reset_virtio},
                              {"DETACH_BACKING", 14, &StormGuest::detach},
                              {"UNREF", 12, &StormGuest::unref}}
{
    start_iommu();
    for (auto &buffer : buffers_)
        create(buffer);
}

Machine::Options StormGuest::machine()
{
    return {.devices = Iommu::device() + NvmeGpu::device(NvmeGpu::At::BehindBridge) + Viewer::door(),
            .gpu = "virtio-gpu-vram-pci,id=vram0,iommu_platform=on",
            .display = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128"};
}

/// RAM, for rings and commands, and the GPU's memory are mapped to themselves.
void StormGuest::start_iommu()
{
    iommu_.attach(Machine::gpu_slot);
    iommu_.map(0, Machine::ram_size, 0);
    map_memory();
}

void StormGuest::map_memory()
{
    iommu_.map(NvmeGpu::home, NvmeGpu::size, NvmeGpu::home);
}

std::string StormGuest::where() const
{
    return "revocation " + std::to_string(revocations_) + " (" + (kind_ != nullptr ? kind_->name : "none") +
           "), frame " + std::to_string(number_);
}

std::uint32_t StormGuest::below(std::uint32_t low, std::uint32_t high)
{
    return std::uniform_int_distribution<std::uint32_t>(low, high - 1)(random_);
}

void StormGuest::expect(std::uint32_t answer, const char *what, std::uint32_t wanted)
{
    if (answer != wanted)
        ADD_FAILURE() << what << " answered " << answer_name(answer) << " instead of " << answer_name(wanted)
                      << ": " << where();
}

// --- memory

std::vector<Entry> StormGuest::fresh_pages()
{
    const std::uint32_t step = below(1, 4);
    if (next_page_ + pages_of_frame * step >= vram_pages)
        next_page_ = 0;
    auto entries = scattered(nvme_.page_at(next_page_), pages_of_frame, below(0, 1U << 30), step);
    next_page_ += pages_of_frame * step;
    return entries;
}

void StormGuest::fill(const std::vector<Entry> &entries, const std::vector<std::uint32_t> &pixels)
{
    std::span<const std::uint32_t> left(pixels);
    for (const auto &entry : entries) {
        vm_write(machine_.raw(), entry.addr, left.data(), entry.length);
        left = left.subspan(entry.length / sizeof(std::uint32_t));
    }
}

std::vector<std::vector<Entry>> StormGuest::all_pages() const
{
    std::vector<std::vector<Entry>> pages;
    pages.reserve(buffers_.size());
    for (const auto &buffer : buffers_)
        pages.push_back(buffer.entries);
    return pages;
}

void StormGuest::paint_over(const std::vector<std::vector<Entry>> &pages)
{
    const std::vector<std::uint32_t> foreign(STORM_PIXELS, STORM_FOREIGN);
    for (const auto &entries : pages)
        fill(entries, foreign);
}

void StormGuest::create(Buffer &buffer)
{
    buffer.entries = fresh_pages();
    expect(gpu_.create_blob(buffer.id, std::uint64_t{4} * STORM_PIXELS, buffer.entries), "create");
}

/// New backing of a blob that has none; if it is bound to the scanout, it is shown at once.
void StormGuest::attach_painted(Buffer &buffer, const char *what)
{
    buffer.entries = fresh_pages();
    paint(buffer);
    expect(gpu_.attach(buffer.id, buffer.entries), what);
}

// --- frames

/// The next number.
void StormGuest::paint(const Buffer &buffer)
{
    std::vector<std::uint32_t> pixels(STORM_PIXELS);
    storm_paint(pixels.data(), ++number_);
    fill(buffer.entries, pixels);
}

void StormGuest::start_waiting()
{
    publish(board_->waiting_since, now_us());
}

void StormGuest::stop_waiting()
{
    if (now_us() - board_->waiting_since > STORM_LATE_US)
        publish(board_->late, board_->late + 1);
    publish(board_->waiting_since, std::int64_t{0});
}

/// What was painted so far is gone.
void StormGuest::raise_floor()
{
    publish(board_->floor, number_ + 1);
}

/// Paints a buffer that nobody shows, and flips to it.
void StormGuest::show_next()
{
    shown_ = (shown_ + 1) % buffers_.size();
    const Buffer &buffer = buffers_[shown_];
    paint(buffer);
    expect(gpu_.set_scanout_blob(scanout_of(buffer.id)), "set scanout");
}

void StormGuest::frame()
{
    const auto start = Clock::now();
    show_next();
    start_waiting();
    expect(gpu_.flush(buffers_[shown_].id, whole), "flush");
    stop_waiting();
    spent_.frames += Clock::now() - start;
    tend_();
}

/// The flush is under way; stop_waiting() is still to be called.
void StormGuest::begin_frame()
{
    show_next();
    start_waiting();
    constexpr virtio_gpu_ctrl_hdr header{VIRTIO_GPU_CMD_RESOURCE_FLUSH, 0, 0, 0, 0, {}};
    const virtio_gpu_resource_flush flush{header, {0, 0, whole.width, whole.height}, buffers_[shown_].id, 0};
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(&flush);
    (void)gpu_.send(Bytes(bytes, bytes + sizeof flush), 0, 0);
}

void StormGuest::wait_for_answers()
{
    constexpr std::uint32_t step_us = 1000;
    constexpr int limit_ms = 10'000;
    const auto end = Clock::now() + std::chrono::milliseconds(patience(limit_ms));
    while (gpu_.collect_late_answers() != 0 && Clock::now() < end)
        usleep(step_us);
    EXPECT_EQ(gpu_.collect_late_answers(), 0U) << "a flush is not answered: " << where();
}

// --- losses

void StormGuest::timed(const std::function<void()> &loss)
{
    const auto start = Clock::now();
    if (board_->waiting_since == 0)
        start_waiting();
    loss();
    const auto took = Clock::now() - start;
    spent_.losses += took;
    kind_->ms.push_back(std::chrono::duration<double, std::milli>(took).count());
}

void StormGuest::revocation()
{
    constexpr std::uint32_t most_frames = 4;
    constexpr std::uint32_t longest_pause_us = 4000;
    std::vector<unsigned> weights;
    weights.reserve(kinds_.size());
    for (const auto &kind : kinds_)
        weights.push_back(kind.weight);
    const std::uint32_t frames = below(1, most_frames);
    for (std::uint32_t i = 0; i < frames; i++)
        frame();
    kind_ = &kinds_[std::discrete_distribution<std::size_t>(weights.begin(), weights.end())(random_)];
    revocations_++;
    const bool in_the_middle = below(0, 10) < 6; // of a frame
    const std::uint32_t pause_us = below(0, longest_pause_us);
    if (in_the_middle) {
        begin_frame();
        usleep(pause_us);
    }
    (this->*kind_->act)();
    stop_waiting();
    tend_();
}

void StormGuest::replace_after_loss()
{
    for (auto &buffer : buffers_) {
        if (below(0, 2) == 0) {
            expect(gpu_.unref(buffer.id), "unref of a tombstone");
            create(buffer);
            continue;
        }
        expect(gpu_.detach(buffer.id), "detach of a tombstone");
        attach_painted(buffer, "attach to a tombstone");
    }
}

void StormGuest::replace_all()
{
    for (auto &buffer : buffers_)
        create(buffer);
}

void StormGuest::lose(const std::function<void()> &way, const std::function<void()> &restore)
{
    timed(way);
    raise_floor();
    restore();
    paint_over(all_pages()); // the kernel has given the same dma-bufs their memory back, with this in it
    wait_for_answers();
    expect(gpu_.set_scanout_blob(scanout_of(buffers_[shown_].id)), "showing a tombstone",
           VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    replace_after_loss();
}

void StormGuest::memory_off()
{
    lose([this] { nvme_.memory_off(); }, [this] { nvme_.power_up(); });
}

void StormGuest::sleep()
{
    lose([this] { nvme_.sleep(); },
         [this] {
             nvme_.wake();
             nvme_.power_up();
         });
}

void StormGuest::reset_function()
{
    lose([this] { nvme_.reset_function(); }, [this] { nvme_.power_up(); });
}

void StormGuest::move_bar()
{
    lose([this] { nvme_.move_away(); }, [this] { nvme_.power_up(); });
}

void StormGuest::unplug()
{
    lose([this] { nvme_.unplug(); },
         [this] {
             nvme_.plug();
             nvme_.power_up();
         });
}

void StormGuest::reset_bus()
{
    lose([this] { nvme_.reset_bus(); }, [this] { nvme_.power_up(); });
}

void StormGuest::unmap()
{
    lose([this] { iommu_.unmap(NvmeGpu::home, NvmeGpu::size); }, [this] { map_memory(); });
}

void StormGuest::reset_machine()
{
    timed([this] { vm_reset(machine_.raw()); });
    raise_floor();
    iommu_.restart();
    vm_gpu_restart(gpu_.raw());
    start_iommu();
    nvme_.power_up();
    paint_over(all_pages());
    replace_all();
}

void StormGuest::reset_virtio()
{
    const auto old = all_pages();
    timed([this] { vm_gpu_halt(gpu_.raw()); });
    gpu_.reset();
    replace_all();
    frame();
    publish(board_->floor, number_);
    paint_over(old);
}

void StormGuest::detach()
{
    Buffer &buffer = buffers_[shown_];
    const auto old = buffer.entries;
    timed([&] { expect(gpu_.detach(buffer.id), "detach"); });
    wait_for_answers();
    attach_painted(buffer, "attach");
    start_waiting();
    expect(gpu_.flush(buffer.id, whole), "flush after a move");
    stop_waiting();
    frame();
    publish(board_->floor, number_);
    paint_over({old});
}

void StormGuest::unref()
{
    Buffer &buffer = buffers_[shown_];
    const auto old = buffer.entries;
    timed([&] { expect(gpu_.unref(buffer.id), "unref"); });
    wait_for_answers();
    create(buffer);
    frame();
    publish(board_->floor, number_);
    paint_over({old});
}

void StormGuest::give_up()
{
    for (const auto &buffer : buffers_)
        expect(gpu_.unref(buffer.id), "the last unref");
}

} // namespace vramlink::test
