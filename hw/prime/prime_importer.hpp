// SPDX-License-Identifier: GPL-2.0-or-later
//
// PrimeImporter: dma-bufs in, KMS framebuffers out, each buffer imported once (hw/prime/import_cache.hpp).
//
// Ownership. The descriptor is borrowed for the call: an import holds its own reference to the dma-buf, so
// the sender's descriptor may be closed at once. The GEM handle is closed as soon as AddFB2 has answered, on
// success and failure alike; from then on the framebuffer alone keeps the memory imported, and removing it
// ends the import. So nothing but framebuffers has to be let go on a revocation.
//
// Thread: one at a time.

#ifndef VRAMLINK_HW_PRIME_PRIME_IMPORTER_HPP
#define VRAMLINK_HW_PRIME_PRIME_IMPORTER_HPP

#include "hw/prime/drm_device.hpp"
#include "hw/prime/import_cache.hpp"

#include <memory>

namespace vramlink {

/// A framebuffer that can be shown. Whoever holds the pointer keeps it alive; the importer's cache is one
/// holder.
class ShownBuffer final : public Showable {
  public:
    ShownBuffer(UniqueFramebuffer framebuffer, const FrameLayout &layout,
                std::shared_ptr<ImportRecord> record);
    ShownBuffer(const ShownBuffer &) = delete;
    ShownBuffer &operator=(const ShownBuffer &) = delete;
    ~ShownBuffer() override;

    [[nodiscard]] uint32_t framebuffer() const { return framebuffer_.id(); }
    [[nodiscard]] const FrameLayout &layout() const { return layout_; }

  private:
    UniqueFramebuffer framebuffer_;
    FrameLayout layout_;
    std::shared_ptr<ImportRecord> record_; ///< null for buffers that were not imported
};
using BufferRef = std::shared_ptr<const ShownBuffer>;

class PrimeImporter final : public ImportCache {
  public:
    explicit PrimeImporter(DrmDevice &device) : device_(device) {}

    /// import_frame(), as what it is.
    Result<BufferRef> import(int dmabuf, const FrameLayout &layout);

  private:
    Result<FrameRef> import_new(int dmabuf, const FrameLayout &layout,
                                const std::shared_ptr<ImportRecord> &record) override;
    Result<UniqueFramebuffer> add_framebuffer(uint32_t handle, const FrameLayout &layout);

    DrmDevice &device_;
};

} // namespace vramlink

#endif
