// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable: the blobs of one device and their lifecycle. include/vramlink/blob_table.h says what each call
// does; this is the same in C++. Methods may throw std::bad_alloc, and the table is unchanged then; what
// releases is noexcept. Thread: main loop.

#ifndef VRAMLINK_HW_BLOB_BLOB_TABLE_HPP
#define VRAMLINK_HW_BLOB_BLOB_TABLE_HPP

#include "hw/blob/address_list.hpp"
#include "hw/blob/backing.hpp"
#include "hw/blob/facts.hpp"
#include "hw/blob/framebuffer.hpp"
#include "hw/blob/history.hpp"
#include "hw/blob/id_list.hpp"
#include "hw/blob/refusal.hpp"
#include "hw/blob/region_registry.hpp"
#include "hw/blob/resources.hpp"
#include "vramlink/blob_table.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vramlink {

class BlobTable {
  public:
    BlobTable(const vrl_ops &ops, void *opaque, const vrl_limits &limits, const Host &host);
    ~BlobTable();
    BlobTable(const BlobTable &) = delete;
    BlobTable &operator=(const BlobTable &) = delete;

    using Entries = std::span<const vrl_entry>;
    vrl_status create(uint32_t id, uint64_t size, Entries entries);
    vrl_status attach(uint32_t id, Entries entries);
    vrl_status detach(uint32_t id) noexcept;
    vrl_status unref(uint32_t id) noexcept;
    void reset() noexcept;
    uint32_t revoke_region(uint64_t region_id, const char *why) noexcept;
    uint32_t revoke_addresses(uint64_t first, uint64_t last, const char *why) noexcept;
    uint32_t revoke_device(int device_fd, const char *why) noexcept;
    uint32_t revoke_reported(int device_fd, const char *why) noexcept;
    /// Until nobody else has a reference to its dma-bufs; false after @p limit.
    bool await(uint32_t id, std::chrono::milliseconds limit) noexcept;
    uint32_t revoke_lost(const char *why) noexcept;
    /// Bytes [@p first, @p last] of the region are the host's again.
    uint32_t revoke_range(uint64_t region_id, uint64_t first, uint64_t last, const char *why) noexcept;
    [[nodiscard]] bool in_device(int device_fd) const noexcept;
    [[nodiscard]] bool in_vfio(uint32_t id) const noexcept;
    /// Waits for those who hold dma-bufs that linger, cuts them off, and closes these.
    void lose_lingering() noexcept;
    [[nodiscard]] size_t lingering() const noexcept { return resources_.lingering.size(); }
    void tidy_lingering() noexcept;
    /// References to its dma-bufs prove nothing from now on.
    void imported_here(uint32_t id) noexcept;
    /// Retired views go.
    void reap() noexcept;

    [[nodiscard]] uint32_t max_entries() const noexcept { return limits_.max_entries; }
    /// None, and a sentence is logged, over a limit.
    std::optional<Charge> charge(vrl_resource what, uint64_t amount, const char *for_what);
    void warn(const char *sentence);

    [[nodiscard]] uint64_t bytes_pinned() const noexcept { return resources_.account.pinned->used(); }
    [[nodiscard]] uint32_t vfio_blobs() const noexcept { return resources_.vfio_backings; }
    using Save = void (*)(void *opaque, const vrl_saved_blob *blob);
    void save(Save take, void *opaque) const;
    vrl_status restore(const vrl_saved_blob &saved);

    [[nodiscard]] bool has(uint32_t id) const noexcept { return blobs_.contains(id); }
    [[nodiscard]] State state(uint32_t id) const noexcept;
    [[nodiscard]] vrl_plan plan(uint32_t id) const noexcept;

    vrl_status framebuffer(uint32_t id, const FramebufferRequest &request, vrl_framebuffer &out);
    /// Borrowed; -1 when this framebuffer has none.
    int dmabuf(uint32_t id, const vrl_framebuffer &fb);
    void unshare(uint32_t id, const char *why) noexcept;
    /// Imports each exporter's first buffer on @p node from now on.
    Result<void> probe_with(const char *node);
    void *view(uint32_t id, const vrl_framebuffer &fb);
    [[nodiscard]] bool view_is_copy(uint32_t id, const vrl_framebuffer &fb) noexcept;
    void flush(uint32_t id, const vrl_framebuffer &fb, uint32_t x, uint32_t y, uint32_t width,
               uint32_t height) noexcept;

    struct Target {
        void *pixels;
        uint32_t stride; ///< bytes
    };
    struct Part {
        uint32_t x, y, width, height; ///< pixels
    };
    /// XRGB8888 of a part of a YUV framebuffer, to the same place of @p to.
    bool convert(uint32_t id, const vrl_framebuffer &fb, const Target &to, const Part &part);

    void tell_shown(uint32_t id, const char *how);
    void count(vrl_event event) noexcept;
    void count_command(uint32_t type) noexcept { resources_.counters.commands.add(type); }
    void count_copied(uint64_t bytes) noexcept { resources_.counters.bytes_copied += bytes; }
    void count_error(vrl_status status) noexcept;
    [[nodiscard]] Log &log() noexcept { return resources_.log; }
    [[nodiscard]] Resources &resources() noexcept { return resources_; }
    [[nodiscard]] std::string stats_json() const;
    [[nodiscard]] std::string blobs_json(uint32_t page) const;

  private:
    struct Blob {
        Facts facts;
        std::unique_ptr<Backing> backing; ///< set exactly when state is Backed
        AddressList addresses;            ///< of a backing that can migrate or that an IOMMU answered for
        bool iommu = false;               ///< an IOMMU answered for a part of it
        bool read_on = false; ///< while it lets go: a display of this process may read its views for a while
    };
    using Blobs = std::unordered_map<uint32_t, Blob>;

    /// Logs without an allocation; returns @p status.
    vrl_status say(uint32_t id, vrl_status status, vrl_log_level level, std::string_view sentence) noexcept;
    vrl_status say(uint32_t id, const Refusal &refusal) noexcept
    {
        return say(id, refusal.status, refusal.level, refusal.sentence);
    }
    Answer<Blob> make_blob(uint32_t id, uint64_t size, Entries entries);
    Answer<void> check_new(uint32_t id, uint64_t size) const;
    static Answer<void> check_memory(uint64_t size, const ExtentList &memory);
    Answer<void> keep_addresses(Blob &blob, Entries entries);
    [[nodiscard]] Blob *backed(uint32_t id) noexcept;
    template <class Affected>
    uint32_t revoke_where(Affected affected, DmaBufs lost, const char *why) noexcept;
    template <class Look> void each_leaving(const DmaBufs &lost, Look look) const noexcept;
    void wait_for_importers(const DmaBufs &lost) noexcept;
    void cut_off(const vrl_holders &holders) noexcept;
    void say_held_over(uint32_t id) noexcept;
    void add(uint32_t id, Blob &&blob);
    void turn(Blob &blob, State next) noexcept;
    void release(Blob &blob, State next) noexcept;
    void let_go(Blob &blob, State next) noexcept;
    void give_back(Blob &blob) noexcept;
    void gather_plane(Backing &backing, const vrl_framebuffer &fb, uint32_t number, uint32_t y,
                      uint32_t height) noexcept;
    [[nodiscard]] size_t blob_pages() const noexcept;
    template <class List> void list_blobs(uint64_t page, List &list) const;
    void remember_rejected(uint32_t id, uint64_t size, Entries entries, const Refusal &refusal);

    vrl_ops ops_;
    void *opaque_;
    vrl_limits limits_;
    Resources resources_; ///< before blobs_: budgets outlive their charges
    RegionRegistry regions_;
    History history_;
    Backing::Views retired_;
    IdList ids_; ///< of blobs_
    size_t tombstones_ = 0;
    std::vector<std::string> warnings_;
    Blobs blobs_;
};

} // namespace vramlink

#endif
