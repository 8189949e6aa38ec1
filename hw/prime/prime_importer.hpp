// SPDX-License-Identifier: GPL-2.0-or-later
//
// PrimeImporter: dma-bufs in, KMS framebuffers out, each buffer imported once.
//
// Identity. A dma-buf is known by device and inode number of its file, never by descriptor number: the kernel
// gives every dma-buf an inode number of its own that is not used again (drivers/dma-buf/dma-buf.c,
// dma_buf_getfile()). Key of the cache is identity and layout.
//
// Ownership. The descriptor is borrowed for the call: an import holds its own reference to the dma-buf, so
// the sender's descriptor may be closed at once. The GEM handle is closed as soon as AddFB2 has answered, on
// success and failure alike; from then on the framebuffer alone keeps the memory imported, and removing it
// ends the import. So nothing but framebuffers has to be let go on a revocation.
//
// Failures are remembered with their errno until forget_all(): a driver that refuses a buffer is asked once,
// not once a frame.
//
// Thread: one at a time.

#ifndef VRAMLINK_HW_PRIME_PRIME_IMPORTER_HPP
#define VRAMLINK_HW_PRIME_PRIME_IMPORTER_HPP

#include "hw/prime/drm_device.hpp"
#include "hw/prime/frame_layout.hpp"

#include <sys/types.h>

#include <deque>
#include <list>
#include <memory>
#include <string>

namespace vramlink {

struct BufferIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const BufferIdentity &) const = default;
};

/// One import that was tried, for the statistics.
struct ImportRecord {
    uint64_t inode = 0;
    FrameLayout layout;
    uint64_t size = 0;      ///< bytes, from lseek
    uint64_t import_us = 0; ///< drmPrimeFDToHandle
    uint64_t addfb_us = 0;  ///< AddFB2
    std::string error;      ///< empty: it worked; otherwise begins with the errno's name
    bool live = false;      ///< its framebuffer exists
};

/// A framebuffer that can be shown. Whoever holds the pointer keeps it alive; the importer's cache is one
/// holder.
class ShownBuffer {
  public:
    ShownBuffer(UniqueFramebuffer framebuffer, const FrameLayout &layout,
                std::shared_ptr<ImportRecord> record);
    ShownBuffer(const ShownBuffer &) = delete;
    ShownBuffer &operator=(const ShownBuffer &) = delete;
    ~ShownBuffer();

    [[nodiscard]] uint32_t framebuffer() const { return framebuffer_.id(); }
    [[nodiscard]] const FrameLayout &layout() const { return layout_; }

  private:
    UniqueFramebuffer framebuffer_;
    FrameLayout layout_;
    std::shared_ptr<ImportRecord> record_; ///< null for buffers that were not imported
};
using BufferRef = std::shared_ptr<const ShownBuffer>;

class PrimeImporter {
  public:
    static constexpr size_t cache_entries = 8;   ///< least recently used goes first
    static constexpr size_t record_entries = 64; ///< kept for the statistics

    explicit PrimeImporter(DrmDevice &device) : device_(device) {}

    /// The framebuffer for the buffer behind @p dmabuf (borrowed). A known buffer costs one fstat() and a
    /// look-up. Errors: see check_layout(); otherwise errno and words of the call that failed.
    Result<BufferRef> import(int dmabuf, const FrameLayout &layout);

    /// Lets go of every buffer and forgets failures. Framebuffers that somebody still holds live on: drop
    /// those references as well.
    void forget_all();

    [[nodiscard]] uint64_t imports() const { return imports_; }
    [[nodiscard]] uint64_t imports_failed() const { return imports_failed_; }
    [[nodiscard]] const std::deque<std::shared_ptr<ImportRecord>> &records() const { return records_; }

  private:
    struct Entry {
        BufferIdentity identity;
        FrameLayout layout;
        Result<BufferRef> outcome;
    };

    Result<BufferRef> import_new(int dmabuf, const FrameLayout &layout, ImportRecord &record);
    Result<UniqueFramebuffer> add_framebuffer(uint32_t handle, const FrameLayout &layout);
    void remember(Entry entry);

    DrmDevice &device_;
    std::list<Entry> cache_; ///< most recently used first
    std::deque<std::shared_ptr<ImportRecord>> records_;
    uint64_t imports_ = 0;
    uint64_t imports_failed_ = 0;
};

} // namespace vramlink

#endif
