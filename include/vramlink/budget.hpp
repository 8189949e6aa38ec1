// SPDX-License-Identifier: GPL-2.0-or-later
//
// Budget: how much of one thing a guest may make the host spend, and Charge: a part of it that is spent.
//
// A Charge gives its amount back exactly once, when it dies. The Budget outlives its charges. One thread.

#ifndef VRAMLINK_BUDGET_HPP
#define VRAMLINK_BUDGET_HPP

#include <cstdint>
#include <optional>
#include <utility>

namespace vramlink {

class Budget;

class Charge {
  public:
    Charge() noexcept = default;
    Charge(Charge &&other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), amount_(std::exchange(other.amount_, 0))
    {
    }
    Charge &operator=(Charge &&other) noexcept
    {
        if (this != &other) {
            give_back();
            budget_ = std::exchange(other.budget_, nullptr);
            amount_ = std::exchange(other.amount_, 0);
        }
        return *this;
    }
    Charge(const Charge &) = delete;
    Charge &operator=(const Charge &) = delete;
    ~Charge() { give_back(); }

    [[nodiscard]] uint64_t amount() const noexcept { return amount_; }

  private:
    friend class Budget;
    Charge(Budget &budget, uint64_t amount) noexcept : budget_(&budget), amount_(amount) {}
    inline void give_back() noexcept;

    Budget *budget_ = nullptr;
    uint64_t amount_ = 0;
};

class Budget {
  public:
    explicit Budget(uint64_t limit) noexcept : limit_(limit) {}
    Budget(const Budget &) = delete;
    Budget &operator=(const Budget &) = delete;

    /// None when less than @p amount is left; nothing is spent then.
    [[nodiscard]] std::optional<Charge> take(uint64_t amount) noexcept
    {
        if (amount > left())
            return std::nullopt;
        used_ += amount;
        return Charge(*this, amount);
    }
    [[nodiscard]] uint64_t limit() const noexcept { return limit_; }
    [[nodiscard]] uint64_t used() const noexcept { return used_; }
    [[nodiscard]] uint64_t left() const noexcept { return limit_ - used_; }

  private:
    friend class Charge;
    uint64_t limit_;
    uint64_t used_ = 0;
};

void Charge::give_back() noexcept
{
    if (budget_ != nullptr)
        budget_->used_ -= amount_;
    budget_ = nullptr;
    amount_ = 0;
}

} // namespace vramlink

#endif
