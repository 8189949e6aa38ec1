// SPDX-License-Identifier: GPL-2.0-or-later
//
// World: a QEMU with the device, two others whose BARs hold its blobs, and everything that happens to them
// from outside of the queues. home() puts all back, and checks that nothing was kept.

#ifndef VRAMLINK_TESTS_DEVICE_FUZZ_WORLD_HPP
#define VRAMLINK_TESTS_DEVICE_FUZZ_WORLD_HPP

#include "tests/device/consumer.hpp"
#include "tests/device/fuzz/commands.hpp"
#include "tests/device/fuzz/model.hpp"
#include "tests/device/fuzz/random.hpp"
#include "tests/device/ground.hpp"

#include <string>
#include <vector>

namespace vramlink::test {

class World {
  public:
    struct Options {
        Where where = Where::Ivshmem;
        std::string preload{};     ///< for QEMU: a sanitizer's run time
        std::string environment{}; ///< its options
        bool trace = false;
        bool sanitized = false; ///< memory that was freed stays resident for a while
    };
    explicit World(const Options &options);

    /// One thing happens.
    void act(Random &random);
    /// Ends the stream: statistics, then all as it was, then a picture. Failures are GoogleTest's.
    void home();
    /// What QEMU said since the last stream, to stderr.
    void tell_messages();

  private:
    struct Device {
        std::string name;
        unsigned slot;
        vm_pci *pci;
        std::uint64_t home; ///< address of its BAR 2
        bool there;         ///< plugged
        bool answers;       ///< at home, and enabled
    };

    void command(Random &random);
    void cursor(Random &random);
    void bad_ring(Random &random);
    void change_bar(Random &random, Device &device);
    void plug(Random &random);
    void unplug();
    void plug_again();
    void consumers(Random &random);
    void screendump_somewhere(Random &random);
    void system_reset();
    [[nodiscard]] std::string memory_name() const;
    void put_home(Device &device);
    void check_stats();
    void check_picture();
    void check_held();
    void say(const std::string &what) const;
    /// QMP without a word on errors.
    Json try_qmp(const Json &command);

    Options options_;
    Machine machine_;
    Gpu gpu_;
    vm_gpu *raw_;
    Device near_, far_;
    Places places_;
    Model model_;
    std::vector<Consumer> consumers_;
    bool ring_broken_ = false;
    bool know_held_ = false;
    Held held_;
    int memory_maps_ = 0;
    unsigned pictures_ = 0;
    unsigned plugs_ = 0; ///< of near, with a new memory backend each
};

} // namespace vramlink::test

#endif
