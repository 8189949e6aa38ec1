// SPDX-License-Identifier: GPL-2.0-or-later
//
// Model: what the device's own answers say that there is, held against what its statistics say.

#ifndef VRAMLINK_TESTS_DEVICE_FUZZ_MODEL_HPP
#define VRAMLINK_TESTS_DEVICE_FUZZ_MODEL_HPP

#include "tests/device/gpu.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace vramlink::test {

class Model {
  public:
    /// The device answered @p command with @p type.
    void answered(const Bytes &command, std::uint32_t type);
    /// A reset forgets everything.
    void forget() { blobs_.clear(); }
    /// "" when @p stats agree with the answers and with themselves; else what does not. @p near_there:
    /// whether the memory of the device "near" answers in the guest's address space.
    [[nodiscard]] std::string disagreement(const Json &stats, bool near_there) const;

    /// Types of answers that the specification knows.
    [[nodiscard]] static bool legal(std::uint32_t type);

  private:
    std::set<std::uint32_t> blobs_;
};

} // namespace vramlink::test

#endif
