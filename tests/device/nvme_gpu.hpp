// SPDX-License-Identifier: GPL-2.0-or-later
//
// NvmeGpu: the passthrough "GPU" that can do everything a real one can do to its memory: an NVMe controller
// with a persistent memory region (BAR 4), the emulated device that has memory, a function level reset and
// power management. VRAMLINK_VFIO_FLR names it.

#ifndef VRAMLINK_TESTS_DEVICE_NVME_GPU_HPP
#define VRAMLINK_TESTS_DEVICE_NVME_GPU_HPP

#include "tests/device/gpu.hpp"

#include <cstdint>
#include <string>

namespace vramlink::test {

class NvmeGpu {
  public:
    static constexpr unsigned slot = 5;
    /// Where its memory lies; nothing else answers here or there.
    static constexpr std::uint64_t home = 0xd0000000, elsewhere = 0xc8000000;
    static constexpr std::uint64_t size = 64 << 20; ///< of its memory, bytes

    /// Its PCI address in the host; empty when there is none.
    [[nodiscard]] static std::string host();
    /// Its driver tells QEMU of revocations (vfio-pci-vram).
    [[nodiscard]] static bool driver_tells();
    /// Resets the function, as the host's root. 0 or the errno; may block as long as importers have it.
    static int reset_by_host();
    /// More of QEMU's command line: on the first bus, or behind a bridge, which can reset it.
    enum class At { RootBus, BehindBridge };
    [[nodiscard]] static std::string device(At at = At::RootBus);

    /// Turns its memory region on; @p registers is where BAR 0 lies.
    static void enable_memory(Machine &machine, std::uint64_t registers);
    /// Writes something into the controller's configuration, and looks whether it is still there: a reset
    /// of the function clears it.
    static void configure(Machine &machine, std::uint64_t registers);
    [[nodiscard]] static bool configured(Machine &machine, std::uint64_t registers);

    /// Powers it up.
    explicit NvmeGpu(Machine &machine, At at = At::RootBus);

    /// As a driver does after a reset, also one of the machine: the bridge's windows, BARs, decoding and the
    /// memory region on.
    void power_up();
    [[nodiscard]] std::uint64_t page_at(std::uint32_t number) const { return home + number * page; }

    /// A write of 16 bits into its config space.
    struct ConfigWrite {
        std::uint8_t at;
        std::uint16_t value;
    };
    // What takes its memory away, for who writes it by another way.
    [[nodiscard]] ConfigWrite writes_memory_off() const;
    [[nodiscard]] ConfigWrite writes_sleep() const;
    [[nodiscard]] ConfigWrite writes_reset_function() const;

    // What takes its memory away. Each returns when QEMU has carried it out, and may block as long as that
    // does.
    void memory_off();
    void sleep(); ///< D3hot
    void wake();
    void reset_function(); ///< FLR
    void move_away();      ///< the memory goes to @c elsewhere
    void reset_bus();      ///< the bridge's secondary bus reset
    void unplug();         ///< and waits until QEMU has closed it
    void plug();

  private:
    void open_bridge();
    void write(ConfigWrite what);

    Machine &machine_;
    At at_;
    vm_pci *bridge_ = nullptr;
    vm_pci *pci_;
};

} // namespace vramlink::test

#endif
