// SPDX-License-Identifier: GPL-2.0-or-later
//
// SpiceClient: opens the main and the display channel of a spice server, asks to be shown everything, and
// reads nothing of it. (Spice protocol: spice/protocol.h and messages of libspice-protocol.)

#ifndef VRAMLINK_TESTS_DEVICE_SPICE_CLIENT_HPP
#define VRAMLINK_TESTS_DEVICE_SPICE_CLIENT_HPP

#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vramlink::test {

class SpiceClient {
  public:
    /// QEMU's argument for a spice server at a socket of its own, and where that is.
    static std::string server_argument(const std::string &socket)
    {
        return " -spice unix=on,disable-ticketing=on,addr=" + socket;
    }
    [[nodiscard]] static std::string new_socket();

    explicit SpiceClient(const std::string &socket);
    /// Both channels stand.
    [[nodiscard]] bool connected() const { return main_.valid() && display_.valid(); }

  private:
    UniqueFd main_, display_;
};

} // namespace vramlink::test

#endif
