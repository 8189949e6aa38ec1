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

Answer<void> check_entries(uint64_t size, std::span<const vrl_entry> entries)
{
    uint64_t covered = 0; // cannot wrap: fewer than 2^32 entries of less than 2^32 bytes
    for (size_t i = 0; i < entries.size(); ++i) {
        if (auto checked = check_entry(entries[i], i); !checked)
            return checked;
        covered += entries[i].length;
    }
    if (covered < size)
        return refuse(VRL_ERR_INVALID_PARAMETER, fmt::format("{} entries cover {} bytes of a blob of {}",
                                                             entries.size(), covered, size));
    return {};
}

/// Guest addresses that translate to one stretch of a region.
struct Stretch {
    std::shared_ptr<const Region> region;
    uint64_t gpa = 0;    ///< of the first byte
    uint64_t offset = 0; ///< of the first byte, in the region
    uint64_t length = 0; ///< bytes

    /// False for no bytes.
    [[nodiscard]] bool holds(uint64_t address, uint64_t bytes) const noexcept
    {
        const uint64_t into = address - gpa;
        return into < length && bytes - 1 < length - into;
    }
};

/// One command's translation: entries in, extents out.
class Translation {
  public:
    explicit Translation(const TranslateContext &context) : context_(context), extents_(context.pool) {}

    /// Entries from the start on, until @p wanted bytes are there, as far as the stretch at hand holds them.
    /// Returns how many, and takes their bytes off @p wanted.
    size_t add_known(std::span<const vrl_entry> entries, uint64_t &wanted);
    Answer<void> add(uint64_t gpa, uint64_t length);
    [[nodiscard]] Answer<void> check_count() const;
    [[nodiscard]] Translated take()
    {
        extents_.shrink_to_fit();
        return {std::move(extents_), iommu_};
    }

  private:
    Answer<void> find_stretch(uint64_t gpa, uint64_t length);

    const TranslateContext &context_;
    ExtentList extents_;
    Stretch stretch_; ///< that the last entry lay in
    uint64_t pieces_ = 0;
    bool iommu_ = false;
};

/// The piece as it should be: inside its region, and around the address that was asked for.
bool makes_sense(const vrl_piece &piece, uint64_t gpa)
{
    return piece.region != nullptr && piece.length > 0 && piece.before <= piece.offset &&
           piece.before <= gpa && fits(piece.offset, piece.length, piece.region->size);
}

Answer<void> Translation::find_stretch(uint64_t gpa, uint64_t length)
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
    if (!makes_sense(piece, gpa))
        return reject(VRL_LOG_HOST,
                      fmt::format("the translation of {:#x} + {:#x} makes no sense: {:#x} bytes at {:#x}",
                                  gpa, length, piece.length, piece.offset));
    if (!stretch_.region || stretch_.region->id != piece.region->id) {
        auto region = context_.regions.intern(*piece.region);
        if (!region)
            return std::unexpected(std::move(region.error()));
        stretch_.region = std::move(*region);
    }
    stretch_.gpa = gpa - piece.before;
    stretch_.offset = piece.offset - piece.before;
    stretch_.length = piece.before + piece.length;
    iommu_ |= piece.iommu;
    return {};
}

Answer<void> Translation::check_count() const
{
    if (extents_.extents().size() > context_.extents_left)
        return refuse(VRL_ERR_OUT_OF_MEMORY,
                      fmt::format("the backing takes more than the {} ranges that are left "
                                  "for this guest",
                                  context_.extents_left));
    return {};
}

size_t Translation::add_known(std::span<const vrl_entry> entries, uint64_t &wanted)
{
    if (!stretch_.region)
        return 0;
    // The loop that every entry of a large list goes through: what it needs stands in registers.
    const Stretch &known = stretch_;
    const uint64_t offset = known.offset - known.gpa; // wraps around, and back
    uint64_t left = wanted;
    const vrl_entry *entry = entries.data();
    const vrl_entry *const end = entry + entries.size();
    {
        ExtentList::Writer writer(extents_, known.region, entries.size());
        for (; entry != end; ++entry) {
            const uint64_t length = std::min<uint64_t>(entry->length, left);
            if (!known.holds(entry->gpa, length))
                break;
            writer.add(entry->gpa + offset, length);
            left -= length;
        }
    }
    wanted = left;
    return static_cast<size_t>(entry - entries.data());
}

Answer<void> Translation::add(uint64_t gpa, uint64_t length)
{
    while (length > 0) {
        if (auto found = find_stretch(gpa, length); !found)
            return found;
        const uint64_t into = gpa - stretch_.gpa;
        const uint64_t part = std::min(length, stretch_.length - into);
        extents_.append(stretch_.region, stretch_.offset + into, part);
        if (auto counted = check_count(); !counted)
            return counted;
        gpa += part;
        length -= part;
    }
    return {};
}

/// Translates until @p size bytes, rounded up to a page, are there. True when that took every entry and they
/// were enough, so that none is left to check.
Answer<bool> translate_all(Translation &translation, uint64_t size, std::span<const vrl_entry> entries)
{
    uint64_t wanted = page_up(size);
    size_t done = 0;
    while (true) {
        done += translation.add_known(entries.subspan(done), wanted);
        if (done == entries.size() || wanted == 0)
            break;
        const vrl_entry &entry = entries[done];
        if (auto checked = check_entry(entry, done); !checked)
            return std::unexpected(std::move(checked.error()));
        const uint64_t length = std::min<uint64_t>(entry.length, wanted);
        if (auto added = translation.add(entry.gpa, length); !added)
            return std::unexpected(std::move(added.error()));
        wanted -= length;
        ++done;
    }
    if (auto counted = translation.check_count(); !counted)
        return std::unexpected(std::move(counted.error()));
    return done == entries.size() && page_up(size) - wanted >= size;
}

} // namespace

Answer<Translated> translate_entries(const TranslateContext &context, uint64_t size,
                                     std::span<const vrl_entry> entries)
{
    if (entries.empty() || entries.size() > context.max_entries)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("{} entries; 1 to {} are allowed", entries.size(), context.max_entries));
    // Sizes in the last page below 2^64 cannot be rounded up; no guest has that much.
    if (size > std::numeric_limits<uint64_t>::max() - page_size()) {
        if (auto checked = check_entries(size, entries); !checked)
            return std::unexpected(std::move(checked.error()));
        return refuse(VRL_ERR_INVALID_PARAMETER, fmt::format("a blob of {} bytes", size));
    }
    Translation translation(context);
    auto translated = translate_all(translation, size, entries);
    // What is wrong with the list itself counts first.
    if (!translated || !*translated)
        if (auto checked = check_entries(size, entries); !checked)
            return std::unexpected(std::move(checked.error()));
    if (!translated)
        return std::unexpected(std::move(translated.error()));
    return translation.take();
}

} // namespace vramlink
