// SPDX-License-Identifier: GPL-2.0-or-later
//
// Field: where races are run. A guest with a display device whose blob lies in a GPU's BAR and is on the
// screen, and a 2D resource. home() puts all of that back after whatever a round has done.

#ifndef VRAMLINK_TESTS_RACES_FIELD_HPP
#define VRAMLINK_TESTS_RACES_FIELD_HPP

#include "tests/races/ring.hpp"

#include <memory>
#include <optional>

namespace vramlink::test {

class Field {
  public:
    static constexpr std::uint32_t blob_id = 1; ///< in the GPU's BAR, on scanout 0
    static constexpr std::uint32_t flat_id = 2; ///< a 2D resource of 16x16 with backing
    static constexpr std::uint32_t free_id = 3; ///< for commands that make one
    static constexpr std::uint32_t flat_side = 16;
    static constexpr std::uint64_t elsewhere = 0xc8000000; ///< nothing lies there: a BAR may
    static constexpr std::uint16_t memory_enable = 0x2, bus_master = 0x4;

    Field(const Setup &setup, const Guest::Options &options);

    Guest guest;
    Ring control, cursor;

    /// All as at first: devices that were ejected are plugged, the GPU's BAR is at its place, the display
    /// device is reset and shows the blob. Throws a Finding when that does not work.
    void home();
    /// The blob's picture is on the screen, in every pixel. Throws a Finding otherwise.
    void check_picture();

    [[nodiscard]] Gpu &gpu() { return *gpu_; }
    [[nodiscard]] const Picture &picture() const { return picture_; }
    [[nodiscard]] std::vector<Entry> blob_entries() const;
    /// 8 MiB of RAM for the taking; the first page belongs to the 2D resource.
    [[nodiscard]] std::uint64_t ram() const { return ram_; }
    static constexpr std::uint64_t ram_size = 8 << 20;

    /// Places in config space, for Program.
    [[nodiscard]] static std::uint32_t gpu_config(std::uint32_t reg)
    {
        return RACE_CONFIG_AT(0, Ground::near_slot, reg);
    }
    /// What a Program writes to command register and BAR.
    static constexpr std::uint32_t on = memory_enable | bus_master, off = bus_master;
    static constexpr std::uint32_t command_register = 0x4;
    static constexpr std::uint32_t bar_register = 0x18; ///< of BAR 2

    /// The GPU's registers that put it into D3 and reset its function: offset in config space and the byte; 0
    /// where it has none.
    struct ConfigByte {
        std::uint32_t reg = 0, value = 0;
    };
    [[nodiscard]] ConfigByte sleeps() const { return sleeps_; }
    [[nodiscard]] ConfigByte resets() const { return resets_; }

    /// The guest's answer to a request to unplug, asked for or not.
    static constexpr std::uint32_t eject_port = 0xae08;
    static constexpr std::uint32_t eject_display = 1u << Machine::gpu_slot,
                                   eject_gpu = 1u << Ground::near_slot;

    /// The command must be answered with OK; throws a Finding.
    void must(const char *what, const Bytes &command);

  private:
    void plug_display();
    void plug_gpu();
    void plug(const Json &arguments);
    void find_gpu();
    void put_gpu_home();

    Where where_;
    std::string gpu_options_;
    std::unique_ptr<Gpu> gpu_;
    vm_pci *near_ = nullptr;
    ConfigByte sleeps_, resets_;
    Picture picture_;
    std::uint64_t ram_;
    unsigned plugs_ = 0; ///< of the GPU
    bool painted_ = false;
};

[[nodiscard]] Bytes create_2d_bytes(std::uint32_t id, std::uint32_t width, std::uint32_t height);
[[nodiscard]] Bytes set_scanout_bytes(std::uint32_t scanout, std::uint32_t id, Rect rect);
/// A command that has nothing, or one id, behind its header.
[[nodiscard]] Bytes short_bytes(std::uint32_t type, std::uint32_t id);

} // namespace vramlink::test

#endif
