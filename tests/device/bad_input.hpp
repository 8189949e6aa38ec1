// SPDX-License-Identifier: GPL-2.0-or-later
//
// Bad input: every mistake a guest can make is answered with the error that the specification names, said
// once with the value and the limit, and costs the host nothing; the next valid command works.

#ifndef VRAMLINK_TESTS_DEVICE_BAD_INPUT_HPP
#define VRAMLINK_TESTS_DEVICE_BAD_INPUT_HPP

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <iosfwd>

namespace vramlink::test {

/// A row of the table in test_bad_input.cpp.
struct Mistake {
    const char *name;
    std::function<Bytes(const Ground &)> request;
    const char *answer;
    std::vector<const char *> words; ///< what the sentence must name: the value, the limit
};

void PrintTo(const Mistake &row, std::ostream *out);

/// The rows share a QEMU. A row that fails, as one does that leaves anything changed, is the last in it.
class BadInput : public testing::TestWithParam<Mistake> {
  protected:
    /// A device that says the next sentence: another one where this one has said as many as it says at once.
    static Ground &talking_ground();
    /// A device that may have said so much that it says nothing more.
    static Ground &tired_ground();

  private:
    static int said_; ///< sentences of the shared device, at most
};

/// The same mistakes on the 3D device: the same answers, and it lives on. The rows share a QEMU.
class BadInputOnGl : public testing::TestWithParam<Mistake> {};

} // namespace vramlink::test

#endif
