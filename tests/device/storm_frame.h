/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A frame that tells whether it is whole: a mark, its number, a checksum, and pixels that follow from the
 * number. 24 bits of each pixel count, so that a screenshot can be checked, too (watch-screen has the same
 * in Python). And what the guest and those who look at its frames tell each other, in shared memory.
 */
#ifndef VRAMLINK_TESTS_DEVICE_STORM_FRAME_H
#define VRAMLINK_TESTS_DEVICE_STORM_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STORM_WIDTH = 64,
    STORM_HEIGHT = 32,
    STORM_PIXELS = STORM_WIDTH * STORM_HEIGHT,
    STORM_MARK = 0x56524d,
    STORM_FOREIGN = 0xdead01, /* every pixel of memory that belongs to somebody else now */
    STORM_HEADER = 3,         /* mark, number, checksum */
    STORM_MASK = 0xffffff,
};

static inline uint32_t storm_pixel(uint32_t number, uint32_t index)
{
    uint32_t mixed = (number * 0x9e3779b1u) ^ (index * 0x85ebca6bu);

    mixed ^= mixed >> 15;
    return (mixed * 0xc2b2ae35u) >> 8;
}

static inline uint32_t storm_checksum(const uint32_t *pixels)
{
    uint32_t sum = 0;

    for (uint32_t i = STORM_HEADER; i < STORM_PIXELS; i++)
        sum = sum * 31 + (pixels[i] & STORM_MASK);
    return sum & STORM_MASK;
}

static inline void storm_paint(uint32_t *pixels, uint32_t number)
{
    for (uint32_t i = STORM_HEADER; i < STORM_PIXELS; i++)
        pixels[i] = storm_pixel(number, i);
    pixels[0] = STORM_MARK;
    pixels[1] = number & STORM_MASK;
    pixels[2] = storm_checksum(pixels);
}

/* Whether all of it is one frame; which one, goes to @number. */
static inline bool storm_whole(const uint32_t *pixels, uint32_t *number)
{
    if ((pixels[0] & STORM_MASK) != STORM_MARK || (pixels[2] & STORM_MASK) != storm_checksum(pixels))
        return false;
    *number = pixels[1] & STORM_MASK;
    for (uint32_t i = STORM_HEADER; i < STORM_PIXELS; i++) {
        if ((pixels[i] & STORM_MASK) != storm_pixel(*number, i))
            return false;
    }
    return true;
}

/* Each field has one writer, or is counted up atomically. */
struct storm_board {
    /* The guest's: no frame before this number may be seen any more. */
    uint32_t floor;
    /* The guest's: since when it has been waiting for the device, CLOCK_MONOTONIC microseconds; 0: it is not.
     * And how often that was so long that consumers have lost their right to the frame. */
    int64_t waiting_since;
    uint32_t late;
    /* The readers': frames that were whole and new enough; dma-bufs that held nothing any more; frames that
     * were read after their time, whatever they held; and wrong ones, with the first. */
    uint32_t good, gone, expired, wrong;
    uint32_t wrong_number, wrong_floor, wrong_first_pixel;
    int32_t error; /* an errno: a dma-buf could not be read at all */
};

/* After this much waiting a flush is answered and a loss goes through, whoever still looks (500 ms; less what
 * a reader needs). */
enum { STORM_LATE_US = 400000 };

#ifdef __cplusplus
}
#endif

#endif
