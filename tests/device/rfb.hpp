// SPDX-License-Identifier: GPL-2.0-or-later
//
// Rfb: a VNC client with the raw encoding (RFC 6143), to see what a VNC viewer sees.

#ifndef VRAMLINK_TESTS_DEVICE_RFB_HPP
#define VRAMLINK_TESTS_DEVICE_RFB_HPP

#include "tests/device/picture.hpp"

#include "vramlink/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace vramlink::test {

class Rfb {
  public:
    /// QEMU's argument for a VNC server at a socket of its own, and where that is.
    static std::string server_argument(const std::string &socket) { return " -vnc unix:" + socket; }
    [[nodiscard]] static std::string new_socket();

    /// Connects and shakes hands; connected() tells whether that worked.
    explicit Rfb(const std::string &socket);

    /// The same over what leads to a server already.
    explicit Rfb(UniqueFd server);
    /// A message that no server knows: it ends the connection.
    void offend();

    [[nodiscard]] bool connected() const { return fd_.get() >= 0; }
    /// Ends update() on another thread.
    void hang_up();
    /// Asks for a desktop of this size, as a viewer does whose window was resized.
    void set_desktop_size(std::uint16_t width, std::uint16_t height);
    /// Asks for what has changed (all of it without @p incremental).
    void request(bool incremental);
    /// Takes one framebuffer update into the picture. False when none came within 10 s (times VRAMLINK_SLOW)
    /// or the server hung up.
    bool update();
    [[nodiscard]] const Picture &picture() const { return picture_; }

  private:
    bool shake_hands();
    bool read(void *to, std::size_t size);
    template <class T> bool read_number(T &number);
    void write(const void *from, std::size_t size);
    bool rectangle();
    void resize(std::uint32_t width, std::uint32_t height);

    UniqueFd fd_;
    Picture picture_;
};

} // namespace vramlink::test

#endif
