/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: takes VRAMLINK_VMA_HOG mappings before anything else runs, so that the process comes
 * to the kernel's own limit on them (vm.max_map_count) with few buffers. Every other page of one reservation
 * is readable, and the kernel cannot merge neighbours that differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096ul

__attribute__((constructor)) static void take_mappings(void)
{
    const char *wish = getenv("VRAMLINK_VMA_HOG");
    const unsigned long count = wish ? strtoul(wish, NULL, 10) : 0;
    char *start =
        mmap(NULL, (count + 1) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (start == MAP_FAILED) {
        perror("vma_hog: mmap");
        exit(EXIT_FAILURE);
    }
    for (unsigned long i = 0; i < count; i += 2) {
        if (mprotect(start + i * PAGE, PAGE, PROT_READ) != 0) {
            perror("vma_hog: mprotect");
            exit(EXIT_FAILURE);
        }
    }
}
