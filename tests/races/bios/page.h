/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the test and the vCPUs of its guest say to each other: one page table of programs in guest RAM, which
 * the test maps. The guest has no operating system: each vCPU runs the interpreter of interpreter.c.
 *
 * A round: the test clears @stop, writes a program for each vCPU that takes part, and increments @go of each.
 * A vCPU that has come to the end of its program, or has seen @stop, sets @done to @go. All fields belong to
 * the side that the comment names. Numbers are little-endian, addresses guest-physical and below 4 GiB.
 */
#ifndef VRAMLINK_TESTS_RACES_PAGE_H
#define VRAMLINK_TESTS_RACES_PAGE_H

#define RACE_PAGE 0x20000   /* where struct race_page lies; at most 64 KiB */
#define RACE_STACKS 0x10000 /* 4 KiB for each vCPU */
#define RACE_CPUS 4
#define RACE_OPS 96 /* of one program, END included */
#define RACE_BARRIERS 4

#ifndef __ASSEMBLER__
#include <stdint.h>

/* What a vCPU can do; a, b, c are the fields of struct race_op. */
enum race_code {
    RACE_END,
    RACE_WRITE8,    /* *a = b */
    RACE_WRITE16,   /* */
    RACE_WRITE32,   /* */
    RACE_OUT8,      /* port a = b */
    RACE_OUT32,     /* */
    RACE_CONFIG8,   /* config space a (RACE_CONFIG_AT) = b */
    RACE_CONFIG16,  /* */
    RACE_CONFIG32,  /* */
    RACE_CHECK,     /* c times: the 32 bits of config space at a are b; what is not is counted as lost */
    RACE_ALTERNATE, /* the 32 bits at a are b, then c, 64 times; d pauses after each */
    RACE_COPY,      /* c bytes from b to a */
    RACE_SPIN,      /* a pauses, and up to b more at random */
    RACE_ARRIVE,    /* waits until b vCPUs have arrived at barrier a */
    RACE_OFFER,     /* queue a: offers the chain at head b, and rings */
    RACE_USED,      /* queue a: waits until all that was offered has come back */
    RACE_REFILL,    /* queue a: for ever offers as many chains as it has places, b pauses between looks */
    RACE_TALLY,     /* the answer at a is noted, and cleared */
    RACE_LOOP,      /* back to op a, b times; 0: for ever */
};

struct race_op {
    uint32_t code, a, b, c, d;
};

/* A place in config space: that of the enhanced mechanism (ECAM). */
#define RACE_CONFIG_AT(bus, slot, reg) ((uint32_t)(bus) << 20 | (uint32_t)(slot) << 15 | (uint32_t)(reg))

/* A split virtqueue, by the test. */
struct race_queue {
    uint32_t desc, avail, used, size;
    uint32_t notify; /* the doorbell's address */
    uint32_t number; /* what is written there */
};

/* What was seen of answers: a bit for each of virtio-gpu's types. */
#define RACE_ANSWER_OK(type) (1u << ((type)&15))           /* 0x1100 and up */
#define RACE_ANSWER_ERROR(type) (1u << (16 + ((type)&15))) /* 0x1200 and up */
#define RACE_ANSWER_OTHER (1u << 31)                       /* anything else */

struct race_cpu {
    volatile uint32_t ready;   /* vCPU: it has started */
    volatile uint32_t go;      /* test: a round's number */
    volatile uint32_t done;    /* vCPU: the round that it has ended */
    volatile uint32_t at;      /* vCPU: the op that it runs */
    volatile uint32_t random;  /* test: a seed, not 0 */
    volatile uint32_t answers; /* vCPU, all below: what RACE_TALLY has seen */
    volatile uint32_t other;   /* the last RACE_ANSWER_OTHER */
    volatile uint32_t tallied; /* how many */
    volatile uint32_t lost;    /* how often RACE_CHECK saw something else */
    volatile uint32_t seen;    /* what it was, the last time */
    volatile uint32_t checked; /* how often it looked */
    struct race_op program[RACE_OPS];
};

struct race_page {
    volatile uint32_t cpus;        /* test: how many vCPUs there are */
    volatile uint32_t stop;        /* test: all programs end */
    volatile uint32_t ecam;        /* test: where the enhanced mechanism lies; 0: ports 0xcf8 and 0xcfc */
    volatile uint32_t config_lock; /* vCPUs */
    volatile uint32_t arrived[RACE_BARRIERS]; /* test: 0; vCPUs count up */
    struct race_queue queue[2];
    struct race_cpu cpu[RACE_CPUS];
};

#endif /* __ASSEMBLER__ */
#endif
