// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/counted_new.hpp"

#include <cstdlib>
#include <new>

namespace vramlink::test {

uint64_t allocations = 0;
int64_t until_failure = -1;

} // namespace vramlink::test

void *operator new(std::size_t size)
{
    using namespace vramlink::test;
    ++allocations;
    if (until_failure >= 0 && until_failure-- == 0)
        throw std::bad_alloc();
    if (void *memory = std::malloc(size != 0 ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void *operator new[](std::size_t size)
{
    return ::operator new(size);
}
void operator delete(void *memory) noexcept
{
    std::free(memory);
}
void operator delete[](void *memory) noexcept
{
    std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept
{
    std::free(memory);
}
void operator delete[](void *memory, std::size_t) noexcept
{
    std::free(memory);
}
