// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

namespace vramlink::test {

/// A spice server's key of 1,024 bits (DER, SubjectPublicKeyInfo).
using SpiceKey = std::array<std::uint8_t, 162>;
using SpiceTicket = std::array<std::uint8_t, 128>;

/// An empty password, encrypted with the key (RSAES-OAEP with SHA-1, RFC 8017, 7.1.1), for a server that
/// wants to decrypt one though it does not ask for any. It is always the same one: this keeps no secret.
[[nodiscard]] SpiceTicket empty_spice_ticket(const SpiceKey &key);

} // namespace vramlink::test
