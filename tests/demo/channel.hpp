// SPDX-License-Identifier: GPL-2.0-or-later
//
// Channel: the painter's line to the script that watches it, over a virtio-serial port.
//
// One JSON object a line in both directions. The painter reports events; at a checkpoint it stops and waits
// for
// {"go":true}, so that the screen can be examined while nothing moves. Thread: one.

#ifndef VRAMLINK_TESTS_DEMO_CHANNEL_HPP
#define VRAMLINK_TESTS_DEMO_CHANNEL_HPP

#include <string>

#include <nlohmann/json.hpp>

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

namespace vramlink::demo {

class Channel {
  public:
    /// The virtio-serial port of this name; ENODEV when the machine has none.
    [[nodiscard]] static Result<Channel> open_port(const std::string &name);
    /// A character device, pipe or socket that reads and writes.
    [[nodiscard]] static Result<Channel> open_path(const std::string &path);

    /// Sends {"event": @p event} with the members of @p details.
    [[nodiscard]] Result<void> report(const std::string &event, nlohmann::json details);

    /// Reports a checkpoint and waits for the other side's go; ECANCELED when it answers anything else.
    [[nodiscard]] Result<void> checkpoint(const std::string &label, unsigned frame);

  private:
    explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}
    Result<std::string> read_line();

    UniqueFd fd_;
    std::string received_; ///< bytes after the last full line
};

} // namespace vramlink::demo

#endif
