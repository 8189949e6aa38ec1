// SPDX-License-Identifier: GPL-2.0-or-later
//
// Qmp: a client of QEMU's control protocol, one command at a time.
//
// A QMP socket serves one client at a time, and others want it too: connect, ask, and be gone. JSON goes in
// and out as text, so that who includes this pays for no JSON library. Thread: one; every call blocks.

#ifndef VRAMLINK_TOOLS_COMMON_QMP_HPP
#define VRAMLINK_TOOLS_COMMON_QMP_HPP

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <chrono>
#include <string>

namespace vramlink {

class Qmp {
  public:
    /// Connects to the socket at @p path and negotiates; everything on this connection together may take
    /// @p limit. Errors: errno of connect() and others; EPROTO when it is not QEMU; ETIMEDOUT.
    static Result<Qmp> connect(const std::string &path, std::chrono::milliseconds limit);

    /// Runs one command; @p arguments is a JSON object. @p fd, when not -1, travels along (borrowed). Answers
    /// what is under "return", as JSON. Events are skipped. Errors: EPROTO with QEMU's own words when it
    /// refuses; what reading and writing a socket may end in.
    Result<std::string> command(const std::string &name, const std::string &arguments = "{}", int fd = -1);

  private:
    using Clock = std::chrono::steady_clock;

    Qmp(UniqueFd socket, Clock::time_point deadline) : socket_(std::move(socket)), deadline_(deadline) {}
    Result<void> send(const std::string &text, int fd);
    Result<std::string> read_line();
    Result<void> fill();

    UniqueFd socket_;
    Clock::time_point deadline_;
    std::string buffer_; ///< read and not yet taken
};

} // namespace vramlink

#endif
