// SPDX-License-Identifier: GPL-2.0-or-later
//
// RfbWatcher: a VNC viewer that asks for the next frame as soon as it has one, on a thread of its own.

#ifndef VRAMLINK_TESTS_DEVICE_RFB_WATCHER_HPP
#define VRAMLINK_TESTS_DEVICE_RFB_WATCHER_HPP

#include "tests/device/rfb.hpp"

#include <functional>
#include <string>
#include <thread>
#include <utility>

namespace vramlink::test {

class RfbWatcher {
  public:
    /// @p on_frame is called on that thread, and not after the destructor has returned.
    RfbWatcher(const std::string &socket, std::function<void(const Picture &)> on_frame)
        : client_(socket), on_frame_(std::move(on_frame))
    {
        client_.request(false);
        thread_ = std::thread([this] { watch(); });
    }
    ~RfbWatcher()
    {
        client_.hang_up();
        thread_.join();
    }
    RfbWatcher(const RfbWatcher &) = delete;
    RfbWatcher &operator=(const RfbWatcher &) = delete;

  private:
    void watch()
    {
        while (client_.connected() && client_.update()) {
            on_frame_(client_.picture());
            client_.request(true);
        }
    }

    Rfb client_;
    std::function<void(const Picture &)> on_frame_;
    std::thread thread_;
};

} // namespace vramlink::test

#endif
