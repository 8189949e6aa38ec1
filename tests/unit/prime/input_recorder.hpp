// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TESTS_UNIT_PRIME_INPUT_RECORDER_HPP
#define VRAMLINK_TESTS_UNIT_PRIME_INPUT_RECORDER_HPP

#include "tools/viewer/input_sink.hpp"

#include <fmt/format.h>
#include <linux/input-event-codes.h>

#include <string>

namespace vramlink::test {

/// What a guest was told, in a line.
class InputRecorder final : public InputSink {
  public:
    void key(uint32_t evdev, bool pressed) override
    {
        said += fmt::format("{}{} ", pressed ? '+' : '-', evdev);
    }
    void button(uint32_t evdev, bool pressed) override
    {
        said += fmt::format("{}b{} ", pressed ? '+' : '-', evdev - BTN_LEFT);
    }
    void wheel(int right, int down) override { said += fmt::format("w{},{} ", right, down); }
    void move_to(uint32_t x, uint32_t y) override { said += fmt::format("@{},{} ", x, y); }
    void move_by(int dx, int dy) override { said += fmt::format("~{},{} ", dx, dy); }
    void touch(TouchKind kind, uint32_t slot, double x, double y) override
    {
        said += fmt::format("t{}.{}@{},{} ", slot, static_cast<unsigned>(kind), x, y);
    }
    [[nodiscard]] bool absolute() const override { return takes_positions; }

    std::string said;
    bool takes_positions = true;
};

} // namespace vramlink::test

#endif
