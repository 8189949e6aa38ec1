// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/prime_importer.hpp"

#include "hw/prime/fourcc.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace vramlink {
namespace {

class Stopwatch {
  public:
    [[nodiscard]] uint64_t microseconds() const
    {
        const auto passed = std::chrono::steady_clock::now() - start_;
        return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Result<BufferIdentity> identify(int dmabuf)
{
    struct stat st {};
    if (fstat(dmabuf, &st) < 0) {
        const int code = errno;
        return fail(code, fmt::format("{}: fstat of dma-buf fd {}", errno_name(code), dmabuf));
    }
    return BufferIdentity{st.st_dev, st.st_ino};
}

Result<uint64_t> size_of(int dmabuf)
{
    const off_t end = lseek(dmabuf, 0, SEEK_END);
    if (end < 0) {
        const int code = errno;
        return fail(code, fmt::format("{}: lseek of dma-buf fd {}", errno_name(code), dmabuf));
    }
    return static_cast<uint64_t>(end);
}

} // namespace

ShownBuffer::ShownBuffer(UniqueFramebuffer framebuffer, const FrameLayout &layout,
                         std::shared_ptr<ImportRecord> record)
    : framebuffer_(std::move(framebuffer)), layout_(layout), record_(std::move(record))
{
    if (record_)
        record_->live = true;
}

ShownBuffer::~ShownBuffer()
{
    if (record_)
        record_->live = false;
}

Result<BufferRef> PrimeImporter::import(int dmabuf, const FrameLayout &layout)
{
    const auto identity = identify(dmabuf);
    if (!identity)
        return std::unexpected(identity.error());
    for (auto it = cache_.begin(); it != cache_.end(); ++it) {
        if (it->identity == *identity && it->layout == layout) {
            cache_.splice(cache_.begin(), cache_, it);
            return it->outcome;
        }
    }

    auto record = std::make_shared<ImportRecord>();
    record->inode = identity->inode;
    record->layout = layout;
    records_.push_back(record);
    if (records_.size() > record_entries)
        records_.pop_front();

    auto outcome = import_new(dmabuf, layout, *record);
    if (outcome) {
        ++imports_;
    } else {
        ++imports_failed_;
        record->error = outcome.error().text;
    }
    remember({*identity, layout, outcome});
    return outcome;
}

Result<BufferRef> PrimeImporter::import_new(int dmabuf, const FrameLayout &layout, ImportRecord &record)
{
    const auto size = size_of(dmabuf);
    if (!size)
        return std::unexpected(size.error());
    record.size = *size;
    if (const auto checked = check_layout(layout, *size); !checked)
        return fail(checked.error().code,
                    fmt::format("{}: {}", errno_name(checked.error().code), checked.error().text));

    uint32_t raw = 0;
    const Stopwatch import_time;
    const int r = device_.api().prime_fd_to_handle(device_.fd(), dmabuf, &raw);
    record.import_us = import_time.microseconds();
    if (r < 0)
        return fail(-r, fmt::format("{}: {} does not import this dma-buf of {} bytes ({})", errno_name(r),
                                    device_.path(), *size, std::strerror(-r)));
    const UniqueGemHandle handle(device_, raw); // closed on return, whatever AddFB2 says

    const Stopwatch addfb_time;
    auto framebuffer = add_framebuffer(handle.get(), layout);
    record.addfb_us = addfb_time.microseconds();
    if (!framebuffer)
        return std::unexpected(framebuffer.error());
    return std::make_shared<ShownBuffer>(std::move(*framebuffer), layout, records_.back());
}

Result<UniqueFramebuffer> PrimeImporter::add_framebuffer(uint32_t handle, const FrameLayout &layout)
{
    const bool explicit_layout = layout.modifier != DRM_FORMAT_MOD_INVALID;
    const bool linear = layout.modifier == DRM_FORMAT_MOD_LINEAR;
    if (explicit_layout && !linear && !device_.takes_modifiers())
        return fail(EOPNOTSUPP,
                    fmt::format("EOPNOTSUPP: modifier {:#x}, but {} takes linear framebuffers only",
                                layout.modifier, device_.path()));
    FramebufferRequest request;
    request.width = layout.width;
    request.height = layout.height;
    request.fourcc = opaque_twin(layout.fourcc);
    request.handles[0] = handle;
    request.pitches[0] = layout.stride;
    request.offsets[0] = layout.offset;
    if (explicit_layout && device_.takes_modifiers()) {
        request.modifiers[0] = layout.modifier;
        request.with_modifiers = true;
    }
    auto framebuffer = UniqueFramebuffer::add(device_, request);
    if (!framebuffer)
        return fail(framebuffer.error().code,
                    fmt::format("{}: {}", errno_name(framebuffer.error().code), framebuffer.error().text));
    return framebuffer;
}

void PrimeImporter::remember(Entry entry)
{
    cache_.push_front(std::move(entry));
    if (cache_.size() > cache_entries)
        cache_.pop_back();
}

void PrimeImporter::forget_all()
{
    cache_.clear();
}

} // namespace vramlink
