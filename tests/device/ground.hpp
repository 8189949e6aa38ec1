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

class Ground {
  public:
    static constexpr unsigned near_slot = 5;
    static constexpr unsigned far_slot = 6;
    static constexpr std::uint64_t bar_size = 16ull << 20;
    /// Where BAR near lies; nothing answers behind its end.
    static constexpr std::uint64_t near_address = 0xd0000000;
    static constexpr std::uint64_t nowhere = 0x5000000000; ///< nothing answers here
    static constexpr std::uint32_t width = 64, height = 64;

    Ground();

    Machine machine;
    Gpu gpu;
    Machine::Bar near;      ///< BAR 2 of an ivshmem device
    Machine::Bar far;       ///< of another
    Machine::Bar registers; ///< BAR 0 of the first: registers, no memory
    Picture picture;        ///< what shown_id holds

    /// Where page @p number of a BAR lies; the first pages belong to shown_id.
    [[nodiscard]] std::uint64_t near_page(std::uint32_t number) const
    {
        return near.address + std::uint64_t{number} * page;
    }
    [[nodiscard]] std::uint64_t far_page(std::uint32_t number) const
    {
        return far.address + std::uint64_t{number} * page;
    }

    /// Fails the test unless valid commands still work and the shown blob is still on the screen.
    void check_alive();
    /// A whole-blob scanout for a picture of this size.
    [[nodiscard]] static BlobScanout scanout_of(std::uint32_t id, const Picture &picture);
};

/// The lines of QEMU's stderr in which the plugin speaks of a guest's mistake. (A host without udmabuf is
/// told so in others.)
[[nodiscard]] std::vector<std::string> sentences(const std::string &messages);

} // namespace vramlink::test

#endif
