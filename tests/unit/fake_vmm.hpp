// SPDX-License-Identifier: GPL-2.0-or-later
//
// FakeVmm: stands in for a VMM's glue: regions made of real memfds, a map of guest addresses, consumers that
// let go, a log. Every byte of every region has a value of its own, so that a test sees which byte it reads.
// FakeCalls: answers ioctl() and open() for the exporters; what it "exports" is a memfd.

#ifndef VRAMLINK_TESTS_UNIT_FAKE_VMM_HPP
#define VRAMLINK_TESTS_UNIT_FAKE_VMM_HPP

#include "hw/blob/c_api.hpp"
#include "vramlink/blob_table.h"
#include "vramlink/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vramlink::test {

inline constexpr uint64_t page = 4096;

/// Where tests map the region with this number: no two are neighbours.
[[nodiscard]] constexpr uint64_t gpa_of(uint64_t region)
{
    return region << 32;
}

/// Which file a descriptor is of; 0 when it is closed.
[[nodiscard]] uint64_t inode_of(int fd);
[[nodiscard]] bool is_open(int fd);

/// The byte at @p offset of the region @p id.
[[nodiscard]] std::byte pattern(uint64_t id, uint64_t offset);

class FakeRegion {
  public:
    FakeRegion(uint64_t id, vrl_region_kind kind, uint64_t size, const std::string &name);
    FakeRegion(const FakeRegion &) = delete;
    FakeRegion &operator=(const FakeRegion &) = delete;
    ~FakeRegion();

    /// The memfd, also where raw.fd is -1.
    [[nodiscard]] int file() const { return fd_.get(); }
    /// Of the VMM's own mapping, mprotect(2).
    void protect(int protection);

    vrl_region raw{};

  private:
    std::string name_;
    UniqueFd fd_;
    std::byte *host_;
};

struct Release {
    uint32_t id;
    bool revoked;
};

struct Note {
    vrl_note note; ///< its text is not valid any more
    std::string text;
};

struct Sentence {
    vrl_log_level level;
    std::string text;
};

class FakeVmm {
  public:
    FakeRegion &add_region(vrl_region_kind kind, uint64_t size, const std::string &name);
    /// Guest addresses [gpa, gpa + length) are @p offset of @p region and on.
    void map(uint64_t gpa, const FakeRegion &region, uint64_t offset, uint64_t length);
    /// No guest address leads to @p region any more.
    void unmap(const FakeRegion &region);
    /// Guest addresses of a device that is no memory.
    void map_device(uint64_t gpa, uint64_t length);

    struct Place {
        const FakeRegion *region; ///< null: a device
        uint64_t offset;
        uint64_t before; ///< bytes from the start of the window
        uint64_t left;   ///< bytes to its end
    };
    /// Where a guest address leads, by a slow walk.
    [[nodiscard]] std::optional<Place> find(uint64_t gpa) const;
    [[nodiscard]] vrl_ops ops();
    [[nodiscard]] bool logged(const std::string &part) const;

    uint64_t longest_piece = ~0ULL;        ///< an IOMMU answers page by page
    bool iommu = false;                    ///< what answers is one
    std::map<uint32_t, uint32_t> scanouts; ///< by blob id: a bit for each
    uint64_t translations = 0;
    uint32_t hanging = 0;           ///< consumers that cut_off() finds
    uint32_t cut_offs = 0;          ///< how often it was asked for
    std::vector<uint64_t> held;     ///< the inodes that it was asked for with
    std::vector<vrl_holders> asked; ///< each call; its inodes are not valid any more
    std::function<void(const vrl_holders &)> on_cut_off;
    bool lets_go_later = false;               ///< what release_consumers() answers is the opposite
    std::function<void(uint32_t)> on_release; ///< sees what is still open while consumers let go
    std::vector<Release> releases;
    bool keep_notes = false; ///< keeping them allocates
    std::vector<Note> notes;
    std::vector<Sentence> log;

  private:
    struct Window {
        uint64_t gpa, length;
        const FakeRegion *region;
        uint64_t offset;
    };
    vrl_translate_result translate(uint64_t gpa, uint64_t length, vrl_piece &piece);

    std::vector<std::unique_ptr<FakeRegion>> regions_;
    std::vector<Window> windows_;
};

class FakeCalls final : public DeviceCalls {
  public:
    int ioctl(int fd, unsigned long request, void *argument) override;
    int open(const char *path) override;
    std::optional<unsigned long> references(int fd) noexcept override;

    /// Of a dma-buf, as a driver that tells has it.
    struct Told {
        int device; ///< whose it is
        bool live;
        uint64_t generation;
    };
    bool tells = false;           ///< the VFIO driver has the features of vfio-pci-vram
    std::map<int, Told> states;   ///< by descriptor; others: live, never revoked
    std::map<int, int> listeners; ///< eventfds by device

    bool counts = true;                   ///< references can be counted
    std::map<int, unsigned long> holders; ///< of a dma-buf, by descriptor: how many others have it
    int ioctl_errno = 0;                  ///< not 0: what ioctl() answers
    int open_errno = 0;
    int prime_errno = 0;   ///< not 0: what a PRIME import answers
    int prime_imports = 0; ///< tried
    int gem_handles = 0;   ///< imported and not closed
    int ioctls = 0;
    int last_fd = -1;
    unsigned long last_request = 0;
    std::vector<std::byte> last_argument; ///< with its ranges or items
    std::vector<std::string> names;       ///< given to dma-bufs

  private:
    int tell(int device, void *argument);
};

class FakeClock final : public Clock {
  public:
    [[nodiscard]] Time now() const noexcept override { return time; }
    void pause() const noexcept override
    {
        time += std::chrono::milliseconds(1);
        if (on_pause)
            on_pause();
    }
    mutable Time time{std::chrono::hours(1)};
    std::function<void()> on_pause; ///< what happens on the host meanwhile
};

/// A table on a fake host, and the count of what it must give back.
class Bench {
  public:
    explicit Bench(const vrl_limits &limits = {}, uint64_t max_maps = 30000, uint64_t max_dmabufs = 512);
    Bench(const Bench &) = delete;
    Bench &operator=(const Bench &) = delete;

    [[nodiscard]] vrl_table *get() const { return table_.get(); }
    void free_table() { table_.reset(); }
    /// BARs of @p size bytes each, of devices of their own, at gpa_of(1) and so on.
    void map_bars(uint64_t count, uint64_t size);
    vrl_status create(uint32_t id, uint64_t size, const std::vector<vrl_entry> &entries);
    vrl_status attach(uint32_t id, const std::vector<vrl_entry> &entries);
    /// A framebuffer of @p height rows of @p width pixels from byte @p start on; rows are adjacent.
    [[nodiscard]] static vrl_framebuffer framebuffer(uint64_t start, uint32_t width, uint32_t height);
    /// Brought up to date, where it is a copy.
    [[nodiscard]] const std::byte *view(uint32_t id, uint64_t start, uint32_t width, uint32_t height);
    /// Borrowed; -1 when there is none.
    [[nodiscard]] int dmabuf(uint32_t id, uint64_t start);
    /// The stats, parsed by the caller.
    [[nodiscard]] std::string stats() const;

    FakeVmm vmm;
    FakeCalls calls;
    FakeClock clock;
    ProcessBudgets process;
    Budget &maps = process.mappings;

  private:
    struct Free {
        void operator()(vrl_table *table) const { vrl_table_free(table); }
    };
    std::unique_ptr<vrl_table, Free> table_;
};

/// Open descriptors of this process.
[[nodiscard]] size_t open_fds();
/// Mappings of this process whose line in /proc/self/maps has @p part.
[[nodiscard]] size_t mappings_of(const std::string &part);

} // namespace vramlink::test

#endif
