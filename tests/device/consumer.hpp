// SPDX-License-Identifier: GPL-2.0-or-later
//
// Consumers of a machine's D-Bus display: one that takes everything and answers nothing (stuck_consumer.h),
// one that looks at each frame (reading_consumer.h), one that answers and remembers (recording_consumer.h),
// and one that is a process of its own, to be killed.

#ifndef VRAMLINK_TESTS_DEVICE_CONSUMER_HPP
#define VRAMLINK_TESTS_DEVICE_CONSUMER_HPP

#include "tests/device/machine.hpp"
#include "tests/device/picture.hpp"
#include "tests/device/reading_consumer.h"
#include "tests/device/recording_consumer.h"
#include "tests/device/spawned.hpp"
#include "tests/device/stuck_consumer.h"
#include "vramlink/unique_fd.hpp"

#include <memory>
#include <string>

namespace vramlink::test {

using Consumer = std::unique_ptr<stuck_consumer, decltype(&stuck_consumer_free)>;
using Reader = std::unique_ptr<reading_consumer, decltype(&reading_consumer_free)>;

/// Our end of a socket on which QEMU speaks the display protocol; -1 when there is none.
[[nodiscard]] int add_display_client(Machine &machine);
/// Null, with a sentence on stderr, when QEMU does not let it in.
[[nodiscard]] Consumer connect_consumer(Machine &machine);
[[nodiscard]] Reader connect_reader(Machine &machine, reading_options options);

/// A stuck consumer in another process.
class ConsumerProcess {
  public:
    explicit ConsumerProcess(Machine &machine);
    ~ConsumerProcess();
    ConsumerProcess(const ConsumerProcess &) = delete;
    ConsumerProcess &operator=(const ConsumerProcess &) = delete;

    /// Whether it has been handed a frame, within @p wait_ms.
    [[nodiscard]] bool has_a_frame(int wait_ms);
    void kill();

    /// What the process runs; never returns.
    [[noreturn]] static void run(int display, int report);

  private:
    Spawned process_;
};

class Recorder {
  public:
    /// Throws when QEMU does not let it in, which fails the test.
    explicit Recorder(Machine &machine, unsigned console = 0);

    /// Calls so far.
    [[nodiscard]] unsigned count() const { return recording_consumer_count(consumer_.get()); }
    [[nodiscard]] const recorded &at(unsigned number) const
    {
        return *recording_consumer_get(consumer_.get(), number);
    }
    /// The last call of this kind from number @p from on; null when there is none.
    [[nodiscard]] const recorded *last(recorded_kind kind, unsigned from = 0) const;
    /// Waits for a call of this kind from number @p from on that @p wanted likes; null when none comes.
    const recorded *wait(recorded_kind kind, unsigned from,
                         const std::function<bool(const recorded &)> &wanted);

    /// It does not let go of dma-bufs.
    void keep_dmabufs() { recording_consumer_keep(consumer_.get(), true); }
    [[nodiscard]] UniqueFd take_dmabuf() { return UniqueFd(recording_consumer_take(consumer_.get())); }
    /// QEMU has ended the connection.
    [[nodiscard]] bool closed() const { return recording_consumer_closed(consumer_.get()); }

    [[nodiscard]] recording_consumer *raw() const { return consumer_.get(); }

  private:
    std::unique_ptr<recording_consumer, decltype(&recording_consumer_free)> consumer_;
};

/// The pixels of a Scanout, or of a dma-buf that could be mapped, as XRGB8888 (which they must be).
[[nodiscard]] Picture picture_of(const recorded &call);

} // namespace vramlink::test

#endif
