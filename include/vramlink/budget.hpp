// SPDX-License-Identifier: GPL-2.0-or-later
//
// Budget: how much of one thing a guest may make the host spend, and Charge: a part of it that is spent.
//
// A Budget may have a parent: what is taken from it is taken from the parent, too, so that a table has an
// account of its own within what the process may spend. A Charge gives its amount back exactly once, when it
// dies. A Budget that is owned by a shared_ptr lives as long as its charges; any other, and every parent,
// outlives them. One thread.

#ifndef VRAMLINK_BUDGET_HPP
#define VRAMLINK_BUDGET_HPP

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace vramlink {

class Budget;

class Charge {
  public:
    Charge() noexcept = default;
    Charge(Charge &&other) noexcept
        : keeps_(std::move(other.keeps_)), budget_(std::exchange(other.budget_, nullptr)),
          amount_(std::exchange(other.amount_, 0))
    {
    }
    Charge &operator=(Charge &&other) noexcept
    {
        if (this != &other) {
            give_back();
            keeps_ = std::move(other.keeps_);
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
    Charge(std::shared_ptr<Budget> keeps, Budget &budget, uint64_t amount) noexcept
        : keeps_(std::move(keeps)), budget_(&budget), amount_(amount)
    {
    }
    inline void give_back() noexcept;

    std::shared_ptr<Budget> keeps_; ///< null: the budget outlives the charge anyhow
    Budget *budget_ = nullptr;
    uint64_t amount_ = 0;
};

class Budget : public std::enable_shared_from_this<Budget> {
  public:
    static constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

    /// @p from says in words where the limit comes from.
    explicit Budget(uint64_t limit, std::string from = {}, Budget *parent = nullptr)
        : limit_(limit), from_(std::move(from)), parent_(parent)
    {
    }
    Budget(const Budget &) = delete;
    Budget &operator=(const Budget &) = delete;

    /// None when less than @p amount is left, here or in a parent; nothing is spent then.
    [[nodiscard]] std::optional<Charge> take(uint64_t amount) noexcept
    {
        if (amount > left())
            return std::nullopt;
        for (Budget *budget = this; budget != nullptr; budget = budget->parent_)
            budget->used_ += amount;
        return Charge(weak_from_this().lock(), *this, amount);
    }
    [[nodiscard]] uint64_t limit() const noexcept { return limit_; }
    /// What is spent already stays spent, also over the new limit.
    void set_limit(uint64_t limit) noexcept { limit_ = limit; }
    [[nodiscard]] uint64_t used() const noexcept { return used_; }
    [[nodiscard]] uint64_t left() const noexcept
    {
        const Budget &budget = tightest();
        return budget.own_left();
    }
    /// Why more than left() is refused, for a sentence: "over the 4 that are left of 8 (half of ...)".
    [[nodiscard]] std::string over() const
    {
        const Budget &budget = tightest();
        std::string text = "over the " + std::to_string(budget.own_left()) + " that are left of " +
                           std::to_string(budget.limit_);
        return budget.from_.empty() ? text : text + " (" + budget.from_ + ")";
    }

  private:
    friend class Charge;
    [[nodiscard]] uint64_t own_left() const noexcept { return limit_ - std::min(limit_, used_); }
    [[nodiscard]] const Budget &tightest() const noexcept
    {
        const Budget *found = this;
        for (const Budget *budget = parent_; budget != nullptr; budget = budget->parent_)
            found = budget->own_left() < found->own_left() ? budget : found;
        return *found;
    }

    uint64_t limit_;
    uint64_t used_ = 0;
    std::string from_;
    Budget *parent_;
};

void Charge::give_back() noexcept
{
    for (Budget *budget = budget_; budget != nullptr; budget = budget->parent_)
        budget->used_ -= amount_;
    budget_ = nullptr;
    amount_ = 0;
    keeps_.reset();
}

} // namespace vramlink

#endif
