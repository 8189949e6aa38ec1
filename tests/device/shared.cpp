// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/shared.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace vramlink::test {

std::optional<Shared::Thing> Shared::kept_;

namespace {

const testing::TestInfo *this_test()
{
    return testing::UnitTest::GetInstance()->current_test_info();
}

} // namespace

void *Shared::take_over(std::type_index type, const Machine::Options &options)
{
    const bool failed = kept_ && kept_->user != this_test() && kept_->user->result()->Failed();
    if (failed || !kept_ || kept_->type != type || kept_->options != options) {
        end();
        return nullptr;
    }
    kept_->user = this_test();
    return kept_->holder.get();
}

void *Shared::leave(Thing thing)
{
    end();
    thing.user = this_test();
    kept_ = std::move(thing);
    return kept_->holder.get();
}

/// What a test that failed leaves behind is unknown, also whether it ends by itself.
void Shared::end()
{
    if (kept_ && kept_->user != this_test() && kept_->user->result()->Failed())
        vm_kill(kept_->machine->raw());
    kept_.reset();
}

} // namespace vramlink::test
