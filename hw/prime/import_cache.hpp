// SPDX-License-Identifier: GPL-2.0-or-later
//
// ImportCache: dma-bufs in, frames out, each buffer imported once, whoever imports it.
//
// Identity. A dma-buf is known by device and inode number of its file, never by descriptor number: the kernel
// gives every dma-buf an inode number of its own that is not used again (drivers/dma-buf/dma-buf.c,
// dma_buf_getfile()). Key of the cache is identity and layout.
//
// Failures are remembered with their errno until forget_all(): an importer that refuses a buffer is asked
// once, not once a frame. ETIMEDOUT is no refusal and not remembered.
//
// Thread: one at a time.

#ifndef VRAMLINK_HW_PRIME_IMPORT_CACHE_HPP
#define VRAMLINK_HW_PRIME_IMPORT_CACHE_HPP

#include "hw/prime/frame_layout.hpp"
#include "hw/prime/showable.hpp"

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
    uint64_t import_us = 0; ///< the import: drmPrimeFDToHandle, or the compositor's answer
    uint64_t addfb_us = 0;  ///< AddFB2
    std::string error;      ///< empty: it worked; otherwise begins with the errno's name
    bool live = false;      ///< what came of it exists
};

class ImportCache {
  public:
    static constexpr size_t cache_entries = 8;   ///< least recently used goes first
    static constexpr size_t record_entries = 64; ///< kept for the statistics

    ImportCache() = default;
    ImportCache(const ImportCache &) = delete;
    ImportCache &operator=(const ImportCache &) = delete;
    virtual ~ImportCache() = default;

    /// The frame for the buffer behind @p dmabuf (borrowed). A known buffer costs one fstat() and a look-up.
    /// Errors: see check_layout(); otherwise errno and words of the call that failed.
    Result<FrameRef> import_frame(int dmabuf, const FrameLayout &layout);

    /// An import that could not be shown after all (a driver that takes a framebuffer and refuses the flip):
    /// from now on import_frame() answers @p why for its buffer. It is let go of.
    void refuse(const FrameRef &frame, const Error &why);

    /// Lets go of every buffer and forgets failures. Frames that somebody still holds live on: drop those
    /// references as well.
    void forget_all() { cache_.clear(); }

    [[nodiscard]] uint64_t imports() const { return imports_; }
    [[nodiscard]] uint64_t imports_failed() const { return imports_failed_; }
    [[nodiscard]] const std::deque<std::shared_ptr<ImportRecord>> &records() const { return records_; }

  private:
    struct Entry {
        BufferIdentity identity;
        FrameLayout layout;
        Result<FrameRef> outcome;
    };

    /// A buffer that is not known, of @p record.size bytes, whose layout has been checked. Sets the times in
    /// @p record, and record.live for as long as the frame exists.
    virtual Result<FrameRef> import_new(int dmabuf, const FrameLayout &layout,
                                        const std::shared_ptr<ImportRecord> &record) = 0;
    Result<FrameRef> measure_and_import(int dmabuf, const FrameLayout &layout,
                                        const std::shared_ptr<ImportRecord> &record);
    void remember(Entry entry);

    std::list<Entry> cache_; ///< most recently used first
    std::deque<std::shared_ptr<ImportRecord>> records_;
    uint64_t imports_ = 0;
    uint64_t imports_failed_ = 0;
};

} // namespace vramlink

#endif
