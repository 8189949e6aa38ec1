// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ground: the situation most tests start from. A machine with two BARs of RAM, one shown blob and one 2D
// resource, so that a test sees what its mistake costs the innocent.

#ifndef VRAMLINK_TESTS_DEVICE_GROUND_HPP
#define VRAMLINK_TESTS_DEVICE_GROUND_HPP

#include "tests/device/picture.hpp"

#include <string>

namespace vramlink::test {

inline constexpr std::uint32_t shown_id = 1;    ///< a blob in BAR near, on scanout 0
inline constexpr std::uint32_t plain_2d_id = 2; ///< a 2D resource
inline constexpr std::uint32_t free_id = 77;    ///< nobody has it
inline constexpr std::uint32_t spare_id = 78;   ///< used by check_alive()

/// What owns the two BARs: QEMU's ivshmem devices, or devices of the host through vfio-pci.
enum class Where { Ivshmem, Vfio };
[[nodiscard]] Machine::Options ground_options(Where where);
/// The same with the 3D device, on the display with GL that VRAMLINK_GL_DISPLAY names.
[[nodiscard]] Machine::Options gl_ground_options(Where where);

class Ground {
  public:
    /// One for all tests of the suite that ask for the same options and first page (shared.hpp); restored
    /// before it is handed out.
    static Ground &shared(const Machine::Options &options, std::uint32_t first_page = 0);

    static constexpr unsigned near_slot = 5;
    static constexpr unsigned far_slot = 6;
    /// Where BAR near lies; nothing answers behind its end.
    static constexpr std::uint64_t near_address = 0xd0000000;
    static constexpr std::uint64_t nowhere = 0x5000000000; ///< nothing answers here
    static constexpr std::uint32_t width = 64, height = 64;

    /// The shown blob starts at page @p first_page of BAR near.
    explicit Ground(const Machine::Options &options = ground_options(Where::Ivshmem),
                    std::uint32_t first_page = 0);

    Machine machine;
    Gpu gpu;
    std::uint32_t first_page;
    Machine::Bar near;      ///< BAR 2 of the first device, @c near_slot
    Machine::Bar far;       ///< of another
    Machine::Bar registers; ///< BAR 0 of the first: registers, no memory
    Picture picture;        ///< what shown_id holds

    /// Where page @p number of a BAR lies; the four from first_page belong to shown_id.
    [[nodiscard]] std::uint64_t near_page(std::uint32_t number) const
    {
        return near.address + std::uint64_t{number} * page;
    }
    [[nodiscard]] std::uint64_t far_page(std::uint32_t number) const
    {
        return far.address + std::uint64_t{number} * page;
    }

    /// The backing of shown_id.
    [[nodiscard]] std::vector<Entry> shown_entries() const;

    /// Back to how it was after construction, whatever a test did: BARs, the shown blob; others are
    /// unreferenced.
    void restore();

    /// Fails the test unless valid commands still work and the shown blob is still on the screen.
    void check_alive();
    /// A whole-blob scanout for a picture of this size.
    [[nodiscard]] static BlobScanout scanout_of(std::uint32_t id, const Picture &picture);

  private:
    void show_blob();
};

/// Maps that QEMU's allocator may add between two looks. A leak test repeats its mistake more often than
/// this.
inline constexpr int heap_maps = 8;
/// The process holds what it held: descriptors, dma-bufs, and maps but for the allocator's.
void expect_same(const Held &after, const Held &before);
/// The same of the device's statistics: what it keeps, by their "totals".
void expect_same_totals(const Json &after, const Json &before);

/// The lines of QEMU's stderr in which the plugin speaks of a guest's mistake. (A host without udmabuf is
/// told so in others.)
[[nodiscard]] std::vector<std::string> sentences(const std::string &messages);

} // namespace vramlink::test

#endif
