// SPDX-License-Identifier: GPL-2.0-or-later
//
// Shared: a QEMU that the tests of a suite have one after the other, where a start costs more than a test.
// Whoever takes it over puts it back into its first state. After a test that failed, the next one gets
// another; the runner ends the last one with the suite, and it must end by itself.

#ifndef VRAMLINK_TESTS_DEVICE_SHARED_HPP
#define VRAMLINK_TESTS_DEVICE_SHARED_HPP

#include "tests/device/machine.hpp"

#include <memory>
#include <optional>
#include <typeindex>
#include <utility>

namespace testing {
class TestInfo;
}

namespace vramlink::test {

class Shared {
  public:
    /// What the test before has left, if that is a T made for the same options; null otherwise, and whatever
    /// it has left is ended.
    template <class T> static T *take_over(const Machine::Options &options)
    {
        return static_cast<T *>(take_over(typeid(T), options));
    }
    /// Leaves @p thing, which has a member @c machine, to the tests that follow.
    template <class T> static T &leave(const Machine::Options &options, std::unique_ptr<T> thing)
    {
        Machine &machine = thing->machine;
        return *static_cast<T *>(leave(Thing{typeid(T), options, &machine, std::move(thing)}));
    }
    /// Ends what there is.
    static void end();

  private:
    struct Thing {
        std::type_index type;
        Machine::Options options;
        Machine *machine; ///< its own
        std::shared_ptr<void> holder;
        const testing::TestInfo *user = nullptr; ///< the test that had it last
    };
    static void *take_over(std::type_index type, const Machine::Options &options);
    static void *leave(Thing thing);

    static std::optional<Thing> kept_; ///< a process that is ended ends its QEMU, too
};

} // namespace vramlink::test

#endif
