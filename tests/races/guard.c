/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: blocks of chosen sizes lie at the end of pages of their own, and nobody can touch them
 * once they have been freed, nor what is behind them. Whoever does so ends QEMU, with a report on stderr: who
 * touched the block, and who had freed it.
 *
 *   VRAMLINK_GUARD=256,4096,96-128   sizes in bytes, and ranges of them
 *
 * A place is never used twice. The arena is address space only; when it is used up, blocks come from the C
 * library again, and a line says so. The C library's own MALLOC_PERTURB_ does for the other sizes what can be
 * had for free.
 */
#include <execinfo.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define ARENA (16ull << 30)
#define PLACES (ARENA / (2 * PAGE)) /* a page for the block, and one that nobody may touch */
#define LARGEST PAGE
#define ALIGNMENT 16u
#define FRAMES 12
#define RANGES 8

/* The C library's, under its own names: these are what it calls itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

struct place {
    uint32_t size;
    int32_t frames; /* of @freed_by; 0: in use */
    pid_t thread;   /* that has freed it */
    void *freed_by[FRAMES];
};

static uint8_t *arena;
static struct place *places;
static uint64_t taken; /* of @places; atomic */
static struct {
    size_t least, most;
} ranges[RANGES];

static bool wanted(size_t size)
{
    for (int i = 0; arena && i < RANGES && ranges[i].most; i++) {
        if (size >= ranges[i].least && size <= ranges[i].most)
            return true;
    }
    return false;
}

static bool is_ours(const void *block)
{
    return arena && (const uint8_t *)block >= arena && (const uint8_t *)block < arena + ARENA;
}

static uint64_t number_of(const void *block)
{
    return (uint64_t)((const uint8_t *)block - arena) / (2 * PAGE);
}

static uint8_t *page_of(uint64_t number)
{
    return arena + number * 2 * PAGE;
}

/* All zero. NULL when there is no place left. */
static void *take(size_t size)
{
    static const char full[] = "guard: all places are used up; blocks are no longer guarded\n";
    const uint64_t number = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);

    if (number >= PLACES || mprotect(page_of(number), PAGE, PROT_READ | PROT_WRITE)) {
        if (number == PLACES)
            (void)!write(STDERR_FILENO, full, sizeof(full) - 1);
        return NULL;
    }
    places[number].size = (uint32_t)size;
    return page_of(number) + PAGE - (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void give_back(void *block)
{
    const uint64_t number = number_of(block);

    places[number].thread = gettid();
    places[number].frames = backtrace(places[number].freed_by, FRAMES);
    mprotect(page_of(number), PAGE, PROT_NONE);
    madvise(page_of(number), PAGE, MADV_DONTNEED);
}

void *malloc(size_t size)
{
    void *block = wanted(size) ? take(size) : NULL;

    return block ? block : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    size_t all;
    void *block = !__builtin_mul_overflow(count, size, &all) && wanted(all) ? take(all) : NULL;

    return block ? block : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    if (!is_ours(block))
        return __libc_realloc(block, size);
    void *other = malloc(size);
    const size_t had = places[number_of(block)].size;

    if (!other)
        return NULL;
    memcpy(other, block, had < size ? had : size);
    give_back(block);
    return other;
}

void free(void *block)
{
    if (is_ours(block))
        give_back(block);
    else
        __libc_free(block);
}

/* --- the report */

static void tell(const void *address)
{
    const struct place *place = is_ours(address) ? &places[number_of(address)] : NULL;
    void *frames[FRAMES * 3] = {NULL};
    char line[160];
    int length;

    if (!place)
        length = snprintf(line, sizeof(line), "guard: a fault at %p, in no guarded block; by:\n", address);
    else if (place->frames)
        length = snprintf(
            line, sizeof(line),
            "guard: USE AFTER FREE of a block of %u bytes, by thread %d, which thread %d has freed; by:\n",
            place->size, gettid(), place->thread);
    else
        length =
            snprintf(line, sizeof(line), "guard: PAST THE END of a block of %u bytes; by:\n", place->size);
    (void)!write(STDERR_FILENO, line, (size_t)length);
    length = backtrace(frames, FRAMES * 3);
    backtrace_symbols_fd(frames, length, STDERR_FILENO);
    if (!place || !place->frames)
        return;
    (void)!write(STDERR_FILENO, "guard: freed by:\n", 17);
    backtrace_symbols_fd(place->freed_by, place->frames, STDERR_FILENO);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    tell(info->si_addr);
    signal(number, SIG_DFL); /* the access is tried again, and ends QEMU */
}

static void parse(const char *sizes)
{
    for (int i = 0; i < RANGES && *sizes; i++) {
        char *end;

        ranges[i].least = ranges[i].most = strtoul(sizes, &end, 10);
        if (*end == '-')
            ranges[i].most = strtoul(end + 1, &end, 10);
        if (ranges[i].most > LARGEST || !ranges[i].least || (*end && *end != ',')) {
            fprintf(stderr, "guard: VRAMLINK_GUARD: '%s' is no list of sizes from 1 to %u\n", sizes, LARGEST);
            _exit(2);
        }
        sizes = *end ? end + 1 : end;
    }
}

static void *reserve(size_t size, int access)
{
    void *map = mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map != MAP_FAILED)
        return map;
    fprintf(stderr, "guard: %zu MiB of address space cannot be had\n", size >> 20);
    _exit(2);
}

__attribute__((constructor)) static void begin(void)
{
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const char *sizes = getenv("VRAMLINK_GUARD");
    void *frame;

    if (!sizes)
        return;
    backtrace(&frame, 1); /* loads what it needs */
    parse(sizes);
    places = reserve(PLACES * sizeof(*places), PROT_READ | PROT_WRITE);
    arena = reserve(ARENA, PROT_NONE);
    sigaction(SIGSEGV, &action, NULL);
}
