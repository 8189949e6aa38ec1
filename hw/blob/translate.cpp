// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/translate.hpp"

#include "vramlink/checked.hpp"
#include "vramlink/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace vramlink {
namespace {

Answer<void> check_entry(const vrl_entry &entry, size_t index)
{
    if (entry.length == 0)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("entry {} at {:#x} has length 0", index, entry.gpa));
    if (!checked_add(entry.gpa, entry.length))
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("entry {}: {:#x} + {:#x} wraps around", index, entry.gpa, entry.length));
    return {};
}

/// Bytes that the entries cover; saturates, which is more than any blob's size that passes.
Answer<uint64_t> check_entries(uint64_t size, std::span<const vrl_entry> entries)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
        if (auto checked = check_entry(entries[i], i); !checked)
            return std::unexpected(std::move(checked.error()));
        covered = checked_add(covered, entries[i].length).value_or(std::numeric_limits<uint64_t>::max());
    }
    if (covered < size)
        return refuse(VRL_ERR_INVALID_PARAMETER, fmt::format("{} entries cover {} bytes of a blob of {}",
                                                             entries.size(), covered, size));
    return covered;
}

/// One command's translation: pieces in, extents out.
class Translation {
  public:
    explicit Translation(const TranslateContext &context) : context_(context) {}

    Answer<void> add(uint64_t gpa, uint64_t length);
    [[nodiscard]] Translated take()
    {
        extents_.shrink_to_fit();
        return {std::move(extents_), iommu_};
    }

  private:
    Answer<vrl_piece> translate(uint64_t gpa, uint64_t length);
    Answer<void> append(const vrl_piece &piece);

    const TranslateContext &context_;
    ExtentList extents_;
    std::shared_ptr<const Region> region_; ///< of the last piece
    uint64_t pieces_ = 0;
    bool iommu_ = false;
};

Answer<vrl_piece> Translation::translate(uint64_t gpa, uint64_t length)
{
    if (++pieces_ > context_.max_pieces)
        return refuse(VRL_ERR_OUT_OF_MEMORY,
                      fmt::format("the backing falls into more than {} pieces", context_.max_pieces));
    vrl_piece piece{};
    switch (context_.ops.translate(context_.opaque, gpa, length, &piece)) {
    case VRL_TRANSLATE_OK:
        break;
    case VRL_TRANSLATE_NOT_RAM:
        return reject(VRL_LOG_GUEST, fmt::format("guest address {:#x} is a device's, not memory", gpa));
    case VRL_TRANSLATE_UNMAPPED:
    default:
        return reject(VRL_LOG_GUEST, fmt::format("nothing answers at guest address {:#x}", gpa));
    }
    if (piece.region == nullptr || piece.length == 0 || piece.length > length ||
        !fits(piece.offset, piece.length, piece.region->size))
        return reject(VRL_LOG_HOST,
                      fmt::format("the translation of {:#x} + {:#x} makes no sense: {:#x} bytes at {:#x}",
                                  gpa, length, piece.length, piece.offset));
    return piece;
}

Answer<void> Translation::append(const vrl_piece &piece)
{
    if (!region_ || region_->id != piece.region->id) {
        auto region = context_.regions.intern(*piece.region);
        if (!region)
            return std::unexpected(std::move(region.error()));
        region_ = std::move(*region);
    }
    extents_.append(region_, piece.offset, piece.length);
    if (extents_.extents().size() > context_.extents_left)
        return refuse(VRL_ERR_OUT_OF_MEMORY,
                      fmt::format("the backing takes more than the {} ranges that are left "
                                  "for this guest",
                                  context_.extents_left));
    return {};
}

Answer<void> Translation::add(uint64_t gpa, uint64_t length)
{
    while (length > 0) {
        const auto piece = translate(gpa, length);
        if (!piece)
            return std::unexpected(piece.error());
        if (auto added = append(*piece); !added)
            return added;
        iommu_ |= piece->iommu;
        gpa += piece->length;
        length -= piece->length;
    }
    return {};
}

} // namespace

Answer<Translated> translate_entries(const TranslateContext &context, uint64_t size,
                                     std::span<const vrl_entry> entries)
{
    if (entries.empty() || entries.size() > context.max_entries)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("{} entries; 1 to {} are allowed", entries.size(), context.max_entries));
    const auto covered = check_entries(size, entries);
    if (!covered)
        return std::unexpected(covered.error());
    // Sizes in the last page below 2^64 cannot be rounded up; no guest has that much.
    if (size > std::numeric_limits<uint64_t>::max() - page_size())
        return refuse(VRL_ERR_INVALID_PARAMETER, fmt::format("a blob of {} bytes", size));
    uint64_t wanted = std::min(page_up(size), *covered);
    Translation translation(context);
    for (const vrl_entry &entry : entries) {
        const uint64_t length = std::min<uint64_t>(entry.length, wanted);
        if (length == 0)
            break;
        if (auto added = translation.add(entry.gpa, length); !added)
            return std::unexpected(std::move(added.error()));
        wanted -= length;
    }
    return translation.take();
}

} // namespace vramlink
