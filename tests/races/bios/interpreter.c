/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What every vCPU of the hostile guest runs: the programs that the test writes into page.h's page.
 */
#include "page.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

#define APIC 0xfee00000u
#define APIC_SPURIOUS 0xf0
#define APIC_COMMAND 0x300
#define APIC_ENABLED 0x100
#define ALL_OTHERS 0x000c0000 /* and level assert, below */
#define SEND_INIT (ALL_OTHERS | 0x4500)
#define SEND_START (ALL_OTHERS | 0x4600 | 0xf0) /* at 0xf0000 */

#define ALTERNATIONS 64
#define LONG_STILL 100000

void race_main(uint32_t id);

static struct race_page *const page = (struct race_page *)RACE_PAGE;

static volatile uint8_t *at8(uint32_t address)
{
    return (volatile uint8_t *)address;
}

static volatile uint16_t *at16(uint32_t address)
{
    return (volatile uint16_t *)address;
}

static volatile uint32_t *at32(uint32_t address)
{
    return (volatile uint32_t *)address;
}

static void out8(uint32_t port, uint32_t value)
{
    __asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"(port));
}

static void out16(uint32_t port, uint32_t value)
{
    __asm__ volatile("outw %w0, %w1" : : "a"(value), "Nd"(port));
}

static void out32(uint32_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port));
}

static uint32_t in32(uint32_t port)
{
    uint32_t value;

    __asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void rest(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static void pauses(uint32_t count)
{
    while (count-- && !page->stop)
        __asm__ volatile("" : : : "memory");
}

/* --- config space */

static void lock(void)
{
    while (__atomic_exchange_n(&page->config_lock, 1, __ATOMIC_ACQUIRE) && !page->stop)
        rest();
}

static void unlock(void)
{
    __atomic_store_n(&page->config_lock, 0, __ATOMIC_RELEASE);
}

/* Returns the port of the byte at @place; the lock is held. */
static uint32_t select_config(uint32_t place)
{
    out32(CONFIG_ADDRESS,
          0x80000000 | (place >> 20 & 0xff) << 16 | (place >> 12 & 0xff) << 8 | (place & 0xfc));
    return CONFIG_DATA + (place & 3);
}

static void config_write(uint32_t place, uint32_t value, uint32_t code)
{
    uint32_t port, memory = page->ecam + place;

    if (page->ecam) {
        if (code == RACE_CONFIG8)
            *at8(memory) = (uint8_t)value;
        else if (code == RACE_CONFIG16)
            *at16(memory) = (uint16_t)value;
        else
            *at32(memory) = value;
        return;
    }
    lock();
    port = select_config(place);
    if (code == RACE_CONFIG8)
        out8(port, value);
    else if (code == RACE_CONFIG16)
        out16(port, value);
    else
        out32(port, value);
    unlock();
}

static uint32_t config_read(uint32_t place)
{
    uint32_t value;

    if (page->ecam)
        return *at32(page->ecam + place);
    lock();
    value = in32(select_config(place));
    unlock();
    return value;
}

static void check(struct race_cpu *cpu, const struct race_op *op)
{
    for (uint32_t i = 0; i < op->c && !page->stop; i++) {
        const uint32_t value = config_read(op->a);

        cpu->checked++;
        if (value == op->b)
            continue;
        cpu->seen = value;
        cpu->lost++;
    }
}

/* --- virtqueues: the indices lie behind a word of flags, the heads behind them */

static volatile uint16_t *index_of(uint32_t ring)
{
    return at16(ring + 2);
}

static void ring_bell(const struct race_queue *queue)
{
    *at16(queue->notify) = (uint16_t)queue->number;
}

static void offer(const struct race_queue *queue, uint32_t head)
{
    const uint16_t index = *index_of(queue->avail);

    *at16(queue->avail + 4 + 2 * (index & (queue->size - 1))) = (uint16_t)head;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *index_of(queue->avail) = (uint16_t)(index + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring_bell(queue);
}

static void wait_used(const struct race_queue *queue)
{
    while (*index_of(queue->used) != *index_of(queue->avail) && !page->stop)
        rest();
}

/* The device never sees an empty queue, or hardly ever; when it has stood still for long, the bell wakes it.
 * The bell itself waits for QEMU's big lock. */
static void refill(const struct race_queue *queue, uint32_t between)
{
    uint16_t last = *index_of(queue->used);
    uint32_t still = 0;

    *index_of(queue->avail) = (uint16_t)(last + queue->size);
    ring_bell(queue);
    while (!page->stop) {
        const uint16_t used = *index_of(queue->used);

        if (used != last) {
            *index_of(queue->avail) = (uint16_t)(used + queue->size);
            still = 0;
        } else if (++still == LONG_STILL) {
            ring_bell(queue);
            still = 0;
        }
        last = used;
        pauses(between);
    }
}

/* --- the rest */

static void tally(struct race_cpu *cpu, uint32_t address)
{
    const uint32_t type = *at32(address);

    cpu->tallied++;
    if ((type & ~15u) == 0x1100) {
        cpu->answers |= RACE_ANSWER_OK(type);
    } else if ((type & ~15u) == 0x1200) {
        cpu->answers |= RACE_ANSWER_ERROR(type);
    } else {
        cpu->answers |= RACE_ANSWER_OTHER;
        cpu->other = type;
    }
    *at32(address) = 0;
}

static void alternate(const struct race_op *op)
{
    volatile uint32_t *word = at32(op->a);

    for (unsigned int i = 0; i < ALTERNATIONS; i++) {
        *word = op->b;
        pauses(op->d);
        *word = op->c;
        pauses(op->d);
    }
}

static void copy(uint32_t to, uint32_t from, uint32_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void spin(struct race_cpu *cpu, uint32_t least, uint32_t span)
{
    uint32_t x = cpu->random; /* xorshift */

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    cpu->random = x;
    pauses(least + (span ? x % span : 0));
}

static void arrive(uint32_t barrier, uint32_t count)
{
    __atomic_fetch_add(&page->arrived[barrier], 1, __ATOMIC_SEQ_CST);
    while (page->arrived[barrier] < count && !page->stop)
        rest();
}

/* Counts in op->d, which the test has cleared. Returns the next op's number. */
static uint32_t loop(struct race_op *op, uint32_t here)
{
    if (!op->b || ++op->d <= op->b)
        return op->a;
    op->d = 0;
    return here + 1;
}

static void step(struct race_cpu *cpu, const struct race_op *op)
{
    switch (op->code) {
    case RACE_WRITE8:
        *at8(op->a) = (uint8_t)op->b;
        break;
    case RACE_WRITE16:
        *at16(op->a) = (uint16_t)op->b;
        break;
    case RACE_WRITE32:
        *at32(op->a) = op->b;
        break;
    case RACE_OUT8:
        out8(op->a, op->b);
        break;
    case RACE_OUT32:
        out32(op->a, op->b);
        break;
    case RACE_CONFIG8:
    case RACE_CONFIG16:
    case RACE_CONFIG32:
        config_write(op->a, op->b, op->code);
        break;
    case RACE_CHECK:
        check(cpu, op);
        break;
    case RACE_ALTERNATE:
        alternate(op);
        break;
    case RACE_COPY:
        copy(op->a, op->b, op->c);
        break;
    case RACE_SPIN:
        spin(cpu, op->a, op->b);
        break;
    case RACE_ARRIVE:
        arrive(op->a, op->b);
        break;
    case RACE_OFFER:
        offer(&page->queue[op->a], op->b);
        break;
    case RACE_USED:
        wait_used(&page->queue[op->a]);
        break;
    case RACE_REFILL:
        refill(&page->queue[op->a], op->b);
        break;
    case RACE_TALLY:
        tally(cpu, op->a);
        break;
    default:
        break;
    }
}

static void run(struct race_cpu *cpu)
{
    uint32_t here = 0;

    while (!page->stop && here < RACE_OPS && cpu->program[here].code != RACE_END) {
        struct race_op *op = &cpu->program[here];

        cpu->at = here;
        if (op->code == RACE_LOOP) {
            here = loop(op, here);
            continue;
        }
        step(cpu, op);
        here++;
    }
}

static int is_first_cpu(void)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0x1b)); /* IA32_APIC_BASE, bit 8: BSP */
    return low & 0x100;
}

static void delay(uint32_t count)
{
    while (count--)
        __asm__ volatile("" : : : "memory");
}

static int all_ready(void)
{
    for (uint32_t i = 0; i < page->cpus; i++) {
        if (!page->cpu[i].ready)
            return 0;
    }
    return 1;
}

static void start_others(void)
{
    *at32(APIC + APIC_SPURIOUS) |= APIC_ENABLED;
    *at32(APIC + APIC_COMMAND) = SEND_INIT;
    delay(2000000);
    while (!all_ready()) {
        *at32(APIC + APIC_COMMAND) = SEND_START;
        delay(1000000);
    }
}

void race_main(uint32_t id)
{
    struct race_cpu *cpu = &page->cpu[id];

    cpu->ready = 1;
    if (is_first_cpu())
        start_others();
    for (;;) {
        const uint32_t go = cpu->go;

        if (go != cpu->done) {
            run(cpu);
            cpu->done = go;
        }
        rest();
    }
}
