// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/spice_ticket.hpp"

#include <glib.h>

#include <algorithm>
#include <span>

namespace vramlink::test {

namespace {

constexpr std::size_t hash_size = 20, modulus_at = 29;

using Bytes = std::span<std::uint8_t>;
using Hash = std::array<std::uint8_t, hash_size>;
using Number = std::array<std::uint8_t, std::tuple_size_v<SpiceTicket>>; ///< big-endian

Hash sha1(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA1);
    Hash hash{};
    gsize size = hash.size();
    g_checksum_update(sum, first.data(), static_cast<gssize>(first.size()));
    g_checksum_update(sum, second.data(), static_cast<gssize>(second.size()));
    g_checksum_get_digest(sum, hash.data(), &size);
    g_checksum_free(sum);
    return hash;
}

/// MGF1 (RFC 8017, B.2.1), applied to @p data.
void mask(Bytes data, std::span<const std::uint8_t> seed)
{
    std::array<std::uint8_t, 4> counter{};
    for (std::size_t done = 0; done < data.size(); done += hash_size, counter[3]++) {
        const Hash hash = sha1(seed, counter);
        for (std::size_t i = 0; i < hash_size && done + i < data.size(); i++)
            data[done + i] ^= hash[i];
    }
}

/// 0, masked seed, masked (hash of no label, zeros, 1, the message).
Number padded()
{
    Number number{};
    const Bytes seed = Bytes(number).subspan(1, hash_size), data = Bytes(number).subspan(1 + hash_size);
    std::ranges::copy(sha1({}, {}), data.begin());
    data[data.size() - 2] = 1; // and an empty string with its end
    mask(data, seed);
    mask(seed, data);
    return number;
}

/// a = a + b mod @p modulus; both are smaller than that.
void add(Number &a, const Number &b, const Number &modulus)
{
    unsigned carry = 0;
    for (std::size_t i = a.size(); i-- > 0;) {
        carry += static_cast<unsigned>(a[i]) + b[i];
        a[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    if (carry == 0 && a < modulus)
        return;
    int borrow = 0;
    for (std::size_t i = a.size(); i-- > 0;) {
        const int digit = a[i] - modulus[i] - borrow;
        a[i] = static_cast<std::uint8_t>(digit);
        borrow = digit < 0 ? 1 : 0;
    }
}

Number product(const Number &a, const Number &b, const Number &modulus)
{
    Number result{};
    for (const std::uint8_t byte : b) {
        for (int bit = 7; bit >= 0; bit--) {
            add(result, Number(result), modulus);
            if ((byte >> bit & 1) != 0)
                add(result, a, modulus);
        }
    }
    return result;
}

} // namespace

SpiceTicket empty_spice_ticket(const SpiceKey &key)
{
    constexpr int squares = 16; // the exponent is 2^16 + 1
    Number modulus{};
    std::copy_n(key.begin() + modulus_at, modulus.size(), modulus.begin());
    const Number message = padded();
    Number power = message;
    for (int i = 0; i < squares; i++)
        power = product(power, power, modulus);
    return product(power, message, modulus);
}

} // namespace vramlink::test
