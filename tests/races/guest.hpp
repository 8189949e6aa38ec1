// SPDX-License-Identifier: GPL-2.0-or-later
//
// Guest: a QEMU whose vCPUs run what the test gives them. Between rounds the vCPUs stand still, and the test
// is the guest through qtest, as in the device tests.

#ifndef VRAMLINK_TESTS_RACES_GUEST_HPP
#define VRAMLINK_TESTS_RACES_GUEST_HPP

#include "tests/device/ground.hpp"
#include "tests/races/program.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vramlink::test {

/// What all guests of a run have in common.
struct Setup {
    std::string bios{};           ///< the image (bios/)
    std::string guard{};          ///< LD_PRELOAD for QEMU (guard.c)
    std::string environment{};    ///< of QEMU
    std::string accel = "tcg";    ///< or "kvm"
    Where where = Where::Ivshmem; ///< what the GPU is
};

class Guest {
  public:
    struct Options {
        unsigned cpus = 2;
        std::string gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=2";
        std::string display = "none";
        std::string machine = "pc";
        std::string devices{}; ///< others than those of ground_options()
    };
    /// Returns when all vCPUs are ready for a program.
    Guest(const Setup &setup, const Options &options);
    ~Guest();
    Guest(const Guest &) = delete;
    Guest &operator=(const Guest &) = delete;

    Machine machine;

    /// Guest RAM, mapped.
    [[nodiscard]] std::uint8_t *at(std::uint64_t gpa) { return ram_ + gpa; }
    template <class T> [[nodiscard]] volatile T *at(std::uint64_t gpa)
    {
        return reinterpret_cast<volatile T *>(ram_ + gpa);
    }
    [[nodiscard]] race_page &page() { return *reinterpret_cast<race_page *>(ram_ + RACE_PAGE); }

    /// QMP's round trips, in seconds.
    struct Trips {
        unsigned count = 0;
        double longest = 0;
        double busiest =
            0; ///< what QEMU's main thread computed during one: no other work of the host is in it
    };
    struct Ran {
        bool stopped; ///< it went on for the limit
        Trips qmp;
    };
    /// One round: vCPU i runs programs[i]. All are stopped after @p limit_ms.
    /// @p qmp_pause_ms: between two questions to QEMU's monitor meanwhile.
    /// Throws a Finding when a vCPU does not come back, or QMP is silent for too long.
    Ran run(const std::vector<Program> &programs, std::uint32_t random, int limit_ms, int qmp_pause_ms = 25);

    // The same in steps, for who does not want QMP to be asked meanwhile.
    void begin(const std::vector<Program> &programs, std::uint32_t random);
    /// The first @p count vCPUs have come to the end of their programs.
    [[nodiscard]] bool all_done(std::size_t count);
    /// Ends them; the vCPUs stand still afterwards. Throws a Finding when one does not come back.
    void halt(std::size_t count);

    /// QEMU's threads run before other work of the machine, as on a host that has a core for each; if we may.
    void prefer();

    /// Throws a Finding when QEMU has ended.
    void check_alive();

    /// Of all guests: how each QEMU that has ended did so, and what it said. Also for a handler of SIGABRT,
    /// which libqtest raises when QEMU is gone.
    [[nodiscard]] static std::string last_words();

  private:
    void load(const std::vector<Program> &programs, std::uint32_t random);
    void ask(Trips &trips);
    [[nodiscard]] std::string end();

    std::uint8_t *ram_ = nullptr;
};

/// QMP must answer within this, whatever the guest does (times VRAMLINK_SLOW).
inline constexpr int qmp_limit_ms = 5000;

} // namespace vramlink::test

#endif
