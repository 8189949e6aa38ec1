// SPDX-License-Identifier: GPL-2.0-or-later
//
// Machine: a QEMU with the plugin, and what the outside sees of it: its messages, its open files, its maps.
//
// Where tests run is told by the environment (docs/testing.md): VRAMLINK_PLUGIN (the plugin to load),
// VRAMLINK_VFIO (PCI addresses of devices bound to vfio-pci, blank-separated), VRAMLINK_SLOW (factor on
// time-outs).

#ifndef VRAMLINK_TESTS_DEVICE_MACHINE_HPP
#define VRAMLINK_TESTS_DEVICE_MACHINE_HPP

#include "tests/device/vm.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace vramlink::test {

using Json = nlohmann::json;

/// Milliseconds, times VRAMLINK_SLOW.
[[nodiscard]] int patience(int ms);

/// Waits until @p condition holds; false when it does not within 10 s (times VRAMLINK_SLOW). For what QEMU
/// does later, such as freeing memory after an RCU grace period.
[[nodiscard]] bool eventually(const std::function<bool()> &condition);

/// What a process holds; compare two to find a leak.
struct Held {
    int fds = 0;                           ///< all open descriptors
    int dmabufs = 0;                       ///< of these, dma-bufs
    int vfio_dmabufs = 0;                  ///< of these, exported by VFIO
    int maps = 0;                          ///< lines of /proc/PID/maps
    std::uint64_t rss = 0;                 ///< resident bytes of its own: heap, stacks, private maps
    std::set<std::uint64_t> dmabuf_inodes; ///< Mesa's software renderer has some of its own
    std::multiset<std::string> targets;    ///< where the descriptors lead, for messages
};
[[nodiscard]] Held held_by(pid_t pid);

class Machine {
  public:
    static constexpr std::uint64_t ram_size = 64ull << 20; ///< the rig takes no memory above it
    struct Options {
        std::string devices{}; ///< "-device …" and "-object …", in a shell's words
        std::string gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=2";
        std::string display = "none";
        std::string plugin{};         ///< another than VRAMLINK_PLUGIN
        std::string plugin_options{}; ///< ",NAME=VALUE" each
        std::string preload{};        ///< LD_PRELOAD for QEMU
        std::string environment{};    ///< "NAME=value …" for QEMU
        std::string machine = "pc";   ///< or "q35"
        std::string accel = "tcg";    ///< or "kvm"; the vCPUs stand still until QMP's cont
        bool shared_ram = true;       ///< memfd; otherwise private anonymous memory
        std::uint64_t ram = ram_size; ///< bytes
        bool operator==(const Options &) const = default;
    };
    static constexpr unsigned gpu_slot = 4; ///< tests put their own devices at addr=5 and up

    explicit Machine(const Options &options);
    ~Machine();
    Machine(const Machine &) = delete;
    Machine &operator=(const Machine &) = delete;

    [[nodiscard]] vm *raw() const { return vm_; }
    [[nodiscard]] pid_t pid() const { return vm_pid(vm_); }

    /// A QMP command; fails the test and returns null when the answer is an error.
    Json qmp(const Json &command);
    /// The plugin's statistics (vrl_table_stats_json).
    Json stats();
    /// The entry of blob @p id in the statistics; null when there is none.
    Json blob(std::uint32_t id);

    /// QEMU's stderr since the last call.
    std::string new_messages();
    [[nodiscard]] Held held() const { return held_by(pid()); }

    void write(std::uint64_t gpa, const std::vector<std::uint32_t> &words);

    struct Bar {
        vm_pci *pci;
        std::uint64_t address;
        std::uint64_t size;
    };
    /// Enables memory decoding of the device at @p slot and maps one of its BARs.
    Bar map_bar(unsigned slot, int bar);

  private:
    vm *vm_ = nullptr;
    std::ifstream messages_; ///< QEMU's stderr
};

/// The preloadable vfio_faults.c, which lies beside this program.
[[nodiscard]] std::string faults_library();
/// The preloadable loss_log.c.
[[nodiscard]] std::string loss_library();
/// The preloadable lazy_import.c.
[[nodiscard]] std::string lazy_library();
/// The preloadable gl_importer.c.
[[nodiscard]] std::string gl_importer_library();
/// The preloadable blind.c.
[[nodiscard]] std::string blind_library();
/// The preloadable stall.c.
[[nodiscard]] std::string stall_library();

/// PCI addresses in VRAMLINK_VFIO.
[[nodiscard]] std::vector<std::string> vfio_hosts();

/// "-object memory-backend-memfd… -device ivshmem-plain…": a BAR 2 of RAM at addr=@p slot.
[[nodiscard]] std::string ivshmem(const std::string &id, unsigned slot, unsigned mebibytes);

} // namespace vramlink::test

#endif
