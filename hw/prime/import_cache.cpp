// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/import_cache.hpp"

#include "hw/prime/drm_device.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

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

Result<FrameRef> ImportCache::import_frame(int dmabuf, const FrameLayout &layout)
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

    auto outcome = measure_and_import(dmabuf, layout, record);
    if (outcome) {
        ++imports_;
    } else {
        ++imports_failed_;
        record->error = outcome.error().text;
    }
    if (outcome || outcome.error().code != ETIMEDOUT) // that was no refusal
        remember({*identity, layout, outcome});
    return outcome;
}

Result<FrameRef> ImportCache::measure_and_import(int dmabuf, const FrameLayout &layout,
                                                 const std::shared_ptr<ImportRecord> &record)
{
    const auto size = size_of(dmabuf);
    if (!size)
        return std::unexpected(size.error());
    record->size = *size;
    if (const auto checked = check_layout(layout, *size); !checked)
        return fail(checked.error().code,
                    fmt::format("{}: {}", errno_name(checked.error().code), checked.error().text));
    return import_new(dmabuf, layout, record);
}

void ImportCache::refuse(const FrameRef &frame, const Error &why)
{
    for (Entry &entry : cache_) {
        if (!entry.outcome || *entry.outcome != frame)
            continue;
        for (const auto &record : records_) {
            if (record->inode == entry.identity.inode && record->layout == entry.layout)
                record->error = why.text;
        }
        entry.outcome = std::unexpected(why);
        ++imports_failed_;
    }
}

void ImportCache::remember(Entry entry)
{
    cache_.push_front(std::move(entry));
    if (cache_.size() > cache_entries)
        cache_.pop_back();
}

} // namespace vramlink
