/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm_parts.h"

#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"

#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ids.h"
#include "standard-headers/linux/virtio_ring.h"

#define RAM_START (16u << 20)
#define PAGE 4096u
#define RESET_CONTROL 0xcf9
#define ANSWER_SIZE 24u /* struct virtio_gpu_ctrl_hdr, whose first field is the type */

struct vm *vm_start(const char *arguments, uint64_t ram_size)
{
    struct vm *vm = g_new0(struct vm, 1);

    vm->qts = qtest_init(arguments);
    alloc_init(&vm->alloc, ALLOC_NO_FLAGS, RAM_START, ram_size, PAGE);
    vm->bus = qpci_new_pc(vm->qts, &vm->alloc);
    vm->opened = g_ptr_array_new_with_free_func(g_free);
    return vm;
}

void vm_stop(struct vm *vm)
{
    if (!vm->killed) /* libqtest takes such an end for a failure */
        qtest_quit(vm->qts);
    g_ptr_array_unref(vm->opened);
    qpci_free_pc(vm->bus);
    alloc_destroy(&vm->alloc);
    g_free(vm);
}

pid_t vm_pid(struct vm *vm)
{
    return qtest_pid(vm->qts);
}

void vm_kill(struct vm *vm)
{
    const pid_t pid = qtest_pid(vm->qts);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    vm->killed = true;
}

void vm_qmp_send(struct vm *vm, const char *json)
{
    qtest_qmp_send_raw(vm->qts, "%s", json);
}

char *vm_qmp_receive(struct vm *vm)
{
    QDict *answer = qtest_qmp_receive(vm->qts);
    GString *json = qobject_to_json(QOBJECT(answer));
    char *copy = strdup(json->str);

    g_string_free(json, TRUE);
    qobject_unref(answer);
    return copy;
}

char *vm_qmp(struct vm *vm, const char *json)
{
    vm_qmp_send(vm, json);
    return vm_qmp_receive(vm);
}

char *vm_qmp_fd(struct vm *vm, const char *json, int fd)
{
    QDict *command = qobject_to(QDict, qobject_from_json(json, &error_abort));
    QDict *answer = qtest_qmp_fds(vm->qts, &fd, 1, "%p", (void *)command);
    GString *text = qobject_to_json(QOBJECT(answer));
    char *copy = strdup(text->str);

    g_string_free(text, TRUE);
    qobject_unref(answer);
    return copy;
}

void vm_wait_event(struct vm *vm, const char *name)
{
    qtest_qmp_eventwait(vm->qts, name);
}

void vm_reset(struct vm *vm)
{
    qtest_system_reset(vm->qts);
}

void vm_reboot(struct vm *vm)
{
    const uint8_t system_reset = 0x2, reset_cpu = 0x4;

    qtest_outb(vm->qts, RESET_CONTROL, system_reset);
    qtest_outb(vm->qts, RESET_CONTROL, system_reset | reset_cpu);
    qtest_qmp_eventwait(vm->qts, "RESET");
}

void vm_read(struct vm *vm, uint64_t gpa, void *data, size_t size)
{
    qtest_bufread(vm->qts, gpa, data, size);
}

void vm_write(struct vm *vm, uint64_t gpa, const void *data, size_t size)
{
    qtest_bufwrite(vm->qts, gpa, data, size);
}

uint64_t vm_alloc(struct vm *vm, size_t size)
{
    return guest_alloc(&vm->alloc, size);
}

void vm_free(struct vm *vm, uint64_t gpa)
{
    guest_free(&vm->alloc, gpa);
}

static void negotiate(struct vm_gpu *gpu)
{
    QVirtioDevice *d = &gpu->dev.vdev;

    qvirtio_set_acknowledge(d);
    qvirtio_set_driver(d);
    const uint64_t without =
        QVIRTIO_F_BAD_FEATURE | (1ull << VIRTIO_RING_F_INDIRECT_DESC) | (1ull << VIRTIO_RING_F_EVENT_IDX);
    qvirtio_set_features(d, qvirtio_get_features(d) & ~without);
    vm_ring_open(&gpu->control, gpu->vm, d, 0);
    if (d->device_type == VIRTIO_ID_GPU)
        vm_ring_open(&gpu->cursor, gpu->vm, d, 1);
    qvirtio_set_driver_ok(d);
}

struct vm_gpu *vm_gpu_open(struct vm *vm, unsigned int slot)
{
    struct vm_gpu *gpu = g_new0(struct vm_gpu, 1);
    QPCIAddress address = {.devfn = QPCI_DEVFN(slot, 0)};

    gpu->vm = vm;
    virtio_pci_init(&gpu->dev, vm->bus, &address);
    g_ptr_array_add(vm->opened, gpu->dev.pdev);
    g_ptr_array_add(vm->opened, gpu);
    qvirtio_pci_device_enable(&gpu->dev);
    qvirtio_reset(&gpu->dev.vdev);
    negotiate(gpu);
    return gpu;
}

uint64_t vm_gpu_features(struct vm_gpu *gpu)
{
    return gpu->dev.vdev.features;
}

static void keep_late(struct vm_gpu *gpu, uint64_t gpa)
{
    g_assert(gpu->late_count < G_N_ELEMENTS(gpu->late));
    gpu->late[gpu->late_count++] = gpa;
}

static void free_late(struct vm_gpu *gpu)
{
    while (gpu->late_count)
        vm_free(gpu->vm, gpu->late[--gpu->late_count]);
}

void vm_gpu_halt(struct vm_gpu *gpu)
{
    qvirtio_reset(&gpu->dev.vdev);
}

void vm_gpu_reset(struct vm_gpu *gpu)
{
    qvirtio_reset(&gpu->dev.vdev);
    vm_ring_close(&gpu->control, gpu->vm);
    vm_ring_close(&gpu->cursor, gpu->vm);
    gpu->unanswered = 0;
    free_late(gpu);
    negotiate(gpu);
}

/* struct virtio_gpu_config: events_read at byte 0, events_clear at byte 4. */
uint32_t vm_gpu_take_events(struct vm_gpu *gpu)
{
    QVirtioDevice *d = &gpu->dev.vdev;
    const uint32_t events = qvirtio_config_readl(d, 0);
    const uint64_t clear = 4;

    if (events)
        qpci_io_writel(gpu->dev.pdev, gpu->dev.bar, (uint64_t)gpu->dev.device_cfg_offset + clear, events);
    return events;
}

void vm_gpu_restart(struct vm_gpu *gpu)
{
    qvirtio_pci_device_enable(&gpu->dev);
    vm_gpu_reset(gpu);
}

void vm_gpu_offer(struct vm_gpu *gpu, const struct vm_descriptor *descriptors, size_t count)
{
    vm_ring_recycle(&gpu->control);
    qtest_bufwrite(gpu->vm->qts, gpu->control.queue->desc, descriptors, count * sizeof(*descriptors));
    vm_ring_offer(&gpu->control, gpu->vm, 0, (uint32_t)count, 1);
    vm_ring_notify(&gpu->control);
}

/* Adds the descriptors of one command; returns the head. */
static uint32_t add_command(struct vm_gpu *gpu, uint64_t request, size_t size, size_t piece, uint64_t answer,
                            size_t answer_size)
{
    g_autofree struct vm_descriptor *chain = g_new(struct vm_descriptor, size / piece + 2);
    size_t count = 0;

    for (size_t done = 0; done < size; done += piece)
        chain[count++] = (struct vm_descriptor){request + done, (uint32_t)MIN(piece, size - done), 0, 0};
    if (answer_size)
        chain[count++] = (struct vm_descriptor){answer, (uint32_t)answer_size, VRING_DESC_F_WRITE, 0};
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): g_autofree
    return vm_ring_add(&gpu->control, gpu->vm, chain, count, 1);
}

/* Descriptors of a synchronous queue can be used again once every command has been answered. */
static void recycle(struct vm_gpu *gpu)
{
    if (gpu->unanswered)
        return;
    free_late(gpu);
    vm_ring_recycle(&gpu->control);
}

static bool wait_used(struct vm_gpu *gpu, uint32_t head, uint32_t *length, int timeout_ms)
{
    const int64_t end = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;

    do {
        uint32_t index;
        if (!vm_ring_take(&gpu->control, gpu->vm, &index, length)) {
            g_usleep(200);
            continue;
        }
        if (index == head)
            return true;
        gpu->unanswered--; /* a late answer */
    } while (g_get_monotonic_time() < end);
    gpu->unanswered++;
    return false;
}

int vm_gpu_command(struct vm_gpu *gpu, const void *request, size_t request_size, size_t piece, void *answer,
                   size_t answer_size, int timeout_ms)
{
    const uint64_t in = request_size ? vm_alloc(gpu->vm, request_size) : 0;
    const uint64_t out = vm_alloc(gpu->vm, answer_size ? answer_size : 1);
    uint32_t length = 0;

    if (request_size)
        vm_write(gpu->vm, in, request, request_size);
    recycle(gpu);
    const uint32_t head =
        add_command(gpu, in, request_size, piece ? piece : MAX(request_size, 1), out, answer_size);
    vm_ring_offer(&gpu->control, gpu->vm, head, 1, 1);
    vm_ring_notify(&gpu->control);
    const bool answered = wait_used(gpu, head, &length, timeout_ms);
    if (answered && answer_size)
        vm_read(gpu->vm, out, answer, answer_size);
    if (!answered && request_size)
        keep_late(gpu, in);
    if (!answered)
        keep_late(gpu, out);
    if (answered && request_size)
        vm_free(gpu->vm, in);
    if (answered)
        vm_free(gpu->vm, out);
    return answered ? (int)length : -1;
}

/* One look at the used ring's index at a time: a watcher counts what QEMU does meanwhile. */
static bool wait_all_used(struct vm_gpu *gpu, uint16_t index, int timeout_ms)
{
    const int64_t end = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;

    while (qtest_readw(gpu->vm->qts, gpu->control.queue->used + 2) != index) {
        if (g_get_monotonic_time() > end)
            return false;
        g_usleep(500);
    }
    return true;
}

/* Writes all requests to guest memory at @in, one after another, and their descriptors; returns the first
 * head. */
static uint32_t add_batch(struct vm_gpu *gpu, uint64_t in, uint64_t out, const struct vm_request *requests,
                          size_t count)
{
    g_autofree struct vm_descriptor *chains = g_new(struct vm_descriptor, 2 * count);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (size_t i = 0; i < count; i++) {
        chains[2 * i] = (struct vm_descriptor){in + bytes->len, (uint32_t)requests[i].size, 0, 0};
        chains[2 * i + 1] = (struct vm_descriptor){out + i * ANSWER_SIZE, ANSWER_SIZE, VRING_DESC_F_WRITE, 0};
        g_byte_array_append(bytes, requests[i].bytes, (guint)requests[i].size);
    }
    vm_write(gpu->vm, in, bytes->data, bytes->len);
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): g_autofree
    return vm_ring_add(&gpu->control, gpu->vm, chains, 2, count);
}

static void read_answers(struct vm_gpu *gpu, uint64_t out, struct vm_request *requests, size_t count)
{
    g_autofree uint8_t *answers = g_malloc(count * ANSWER_SIZE);

    vm_read(gpu->vm, out, answers, count * ANSWER_SIZE);
    for (size_t i = 0; i < count; i++)
        memcpy(&requests[i].answer, answers + i * ANSWER_SIZE, sizeof(requests[i].answer));
}

bool vm_gpu_batch(struct vm_gpu *gpu, struct vm_request *requests, size_t count, const struct vm_watch *watch,
                  int timeout_ms)
{
    const uint16_t before = gpu->control.queue->last_used_idx;
    const uint64_t out = vm_alloc(gpu->vm, ANSWER_SIZE * count);
    uint64_t size = 0;

    g_assert(!gpu->unanswered);
    for (size_t i = 0; i < count; i++)
        size += requests[i].size;
    const uint64_t in = vm_alloc(gpu->vm, size);
    recycle(gpu);
    vm_ring_offer(&gpu->control, gpu->vm, add_batch(gpu, in, out, requests, count), 2, count);
    if (watch)
        watch->rings(watch->opaque);
    vm_ring_notify(&gpu->control);
    const bool answered = wait_all_used(gpu, (uint16_t)(before + count), timeout_ms);
    if (watch)
        watch->answered(watch->opaque);
    if (!answered)
        return false; /* the device still has its memory */
    gpu->control.queue->last_used_idx = (uint16_t)(before + count);
    read_answers(gpu, out, requests, count);
    vm_free(gpu->vm, in);
    vm_free(gpu->vm, out);
    return true;
}

bool vm_gpu_cursor(struct vm_gpu *gpu, const void *request, size_t size, int timeout_ms)
{
    const int64_t end = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;
    const uint64_t in = vm_alloc(gpu->vm, size);
    const struct vm_descriptor command = {in, (uint32_t)size, 0, 0};
    uint32_t head, length;
    bool done;

    vm_write(gpu->vm, in, request, size);
    vm_ring_recycle(&gpu->cursor);
    vm_ring_offer(&gpu->cursor, gpu->vm, vm_ring_add(&gpu->cursor, gpu->vm, &command, 1, 1), 1, 1);
    vm_ring_notify(&gpu->cursor);
    while (!(done = vm_ring_take(&gpu->cursor, gpu->vm, &head, &length)) && g_get_monotonic_time() < end)
        g_usleep(200);
    vm_free(gpu->vm, in);
    return done;
}

unsigned int vm_gpu_unanswered(struct vm_gpu *gpu)
{
    return gpu->unanswered;
}

unsigned int vm_gpu_collect(struct vm_gpu *gpu)
{
    uint32_t head, length;

    while (gpu->unanswered && vm_ring_take(&gpu->control, gpu->vm, &head, &length))
        gpu->unanswered--;
    return gpu->unanswered;
}

void vm_gpu_queue_place(struct vm_gpu *gpu, int queue, struct vm_queue_place *place)
{
    const QVirtQueue *ring = queue ? gpu->cursor.queue : gpu->control.queue;

    *place = (struct vm_queue_place){
        .desc = ring->desc,
        .avail = ring->avail,
        .used = ring->used,
        .size = ring->size,
        .notify = gpu->dev.bar.addr + container_of(ring, QVirtQueuePCI, vq)->notify_offset,
    };
}

void vm_gpu_ring_bell(struct vm_gpu *gpu, int queue)
{
    vm_ring_notify(queue ? &gpu->cursor : &gpu->control);
}

uint64_t vm_gpu_common_config(struct vm_gpu *gpu)
{
    return gpu->dev.bar.addr + gpu->dev.common_cfg_offset;
}
