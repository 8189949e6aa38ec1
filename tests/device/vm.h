/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One QEMU under test: a thin C face over QEMU's own libqtest and libqos, so that C++ tests need no QEMU
 * header.
 *
 * The machine is i440fx, its vCPU never runs (-S): the test is the guest. Guest memory, port I/O and PCI
 * configuration go through the qtest protocol, everything else through QMP.
 *
 * Thread: one. Errors: what libqtest cannot survive (QEMU died, a socket closed, 50 s without an answer)
 * aborts the test process; the runner reports it as a failure of the test that ran.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VM_H
#define VRAMLINK_TESTS_DEVICE_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vm;
struct vm_pci;
struct vm_gpu;

/* Starts $QTEST_QEMU_BINARY with @arguments (a shell's words). RAM is taken from [16 MiB, @ram_size). */
struct vm *vm_start(const char *arguments, uint64_t ram_size);
/* Ends QEMU, and checks that it ended by itself with exit code 0. Frees everything that was opened on @vm. */
void vm_stop(struct vm *vm);
pid_t vm_pid(struct vm *vm);

/* Ends QEMU at once (SIGKILL). Only vm_stop() may follow. */
void vm_kill(struct vm *vm);

/* Runs one QMP command, given as JSON; the answer ({"return":…} or {"error":…}) is JSON, for free(). */
char *vm_qmp(struct vm *vm, const char *json);
/* The same in two steps: the command goes out, its answer is taken later. Answers come in order. */
void vm_qmp_send(struct vm *vm, const char *json);
char *vm_qmp_receive(struct vm *vm);
/* The same with a file descriptor attached (getfd, add_client); @fd is borrowed. */
char *vm_qmp_fd(struct vm *vm, const char *json, int fd);
/* Waits for the named QMP event. */
void vm_wait_event(struct vm *vm, const char *name);
/* Presses the machine's reset button and waits until it has been reset. */
void vm_reset(struct vm *vm);
/* The same by the guest, as Linux reboots: through the chipset's reset control register (port 0xcf9). */
void vm_reboot(struct vm *vm);

void vm_read(struct vm *vm, uint64_t gpa, void *data, size_t size);
void vm_write(struct vm *vm, uint64_t gpa, const void *data, size_t size);
/* Page-aligned guest RAM. */
uint64_t vm_alloc(struct vm *vm, size_t size);
void vm_free(struct vm *vm, uint64_t gpa);

/* The PCI function slot.0 of bus 0; NULL when there is none. 32 slots further are those of the next bus.
 * Freed with the vm. */
struct vm_pci *vm_pci_open(struct vm *vm, unsigned int slot);
bool vm_pci_present(struct vm *vm, unsigned int slot);
/* Gives the BAR an address and returns it. */
uint64_t vm_pci_map_bar(struct vm_pci *pci, int bar, uint64_t *size);
/* Moves a BAR of 4 GiB or less to an address that the caller chose. */
void vm_pci_move_bar(struct vm_pci *pci, int bar, uint64_t address);
uint16_t vm_pci_command(struct vm_pci *pci);
void vm_pci_set_command(struct vm_pci *pci, uint16_t command);
uint8_t vm_pci_find_capability(struct vm_pci *pci, uint8_t id);
uint16_t vm_pci_config_readw(struct vm_pci *pci, uint8_t offset);
uint32_t vm_pci_config_readl(struct vm_pci *pci, uint8_t offset);
void vm_pci_config_writew(struct vm_pci *pci, uint8_t offset, uint16_t value);
void vm_pci_config_writel(struct vm_pci *pci, uint8_t offset, uint32_t value);
/* Opens the windows of the root port @port to bus 1 for all that vm_pci_map_bar() gives out. */
void vm_pci_open_bridge(struct vm_pci *port);
/* The secondary bus reset: bridge control, on and off again. */
void vm_pci_reset_bus(struct vm_pci *port);
/* Whether ACPI has asked the guest for @slot since this was last called. */
bool vm_pci_eject_asked(struct vm *vm, unsigned int slot);
/* The bus that vm_pci_eject() is about from now on: 0 the root's (at first), 1 that of the first bridge. */
void vm_pci_select_bus(struct vm *vm, unsigned int bus);
/* Answers the ACPI hot-unplug request for @slot, as a guest's ACPI driver would. */
void vm_pci_eject(struct vm *vm, unsigned int slot);

/* A virtio-gpu (or another virtio device with requests in its first queue) at slot.0: features negotiated,
 * queues ready. Freed with the vm. */
struct vm_gpu *vm_gpu_open(struct vm *vm, unsigned int slot);
uint64_t vm_gpu_features(struct vm_gpu *gpu);
/* Device reset, and nothing more: vm_gpu_reset() is still to come. */
void vm_gpu_halt(struct vm_gpu *gpu);
/* Writes 0 to the device's status, and looks at nothing: it may be gone. */
void vm_gpu_begin_reset(struct vm_gpu *gpu);
/* Device reset and a new negotiation, which is hundreds of accesses. */
void vm_gpu_reset(struct vm_gpu *gpu);
/* The same after the whole machine was reset, which took the device's BARs away. */
void vm_gpu_restart(struct vm_gpu *gpu);

/* Pending events of the configuration space; they are cleared. */
uint32_t vm_gpu_take_events(struct vm_gpu *gpu);

/* Sends one control command. The request is cut into descriptors of at most @piece bytes (0: one descriptor);
 * @answer_size may be 0. Returns how many bytes the device wrote, or -1 when it did not answer in
 * @timeout_ms. */
int vm_gpu_command(struct vm_gpu *gpu, const void *request, size_t request_size, size_t piece, void *answer,
                   size_t answer_size, int timeout_ms);

struct vm_request {
    const void *bytes;
    size_t size;
    uint32_t answer; /* its type, from vm_gpu_batch() */
};
/* Called when all is in guest memory and before the doorbell, and when all has been answered. */
struct vm_watch {
    void (*rings)(void *opaque);
    void (*answered)(void *opaque);
    void *opaque;
};
/* Offers @count control commands, rings once, and waits until all are answered. False when one is missing
 * after @timeout_ms: only a reset helps then. At most half the queue's descriptors; @watch may be NULL. */
bool vm_gpu_batch(struct vm_gpu *gpu, struct vm_request *requests, size_t count, const struct vm_watch *watch,
                  int timeout_ms);

/* A descriptor as the guest wrote it, right or wrong. */
struct vm_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next; /* VRING_DESC_F_*; next: any number, also of a descriptor that does not exist */
};
/* Writes these to the control queue's table from its start, offers the first one, and rings. The device may
 * declare itself broken: nothing is waited for, and a reset must follow. */
void vm_gpu_offer(struct vm_gpu *gpu, const struct vm_descriptor *descriptors, size_t count);

/* Sends one command on the cursor queue, which has no answers; true when the device has taken it. */
bool vm_gpu_cursor(struct vm_gpu *gpu, const void *request, size_t size, int timeout_ms);

/* A queue of the device as a driver of its own sees it: 0 the control queue, 1 the cursor queue. */
struct vm_queue_place {
    uint64_t desc, avail, used; /* guest-physical */
    uint32_t size;              /* descriptors */
    uint64_t notify;            /* the doorbell; the queue's number is written there */
};
void vm_gpu_queue_place(struct vm_gpu *gpu, int queue, struct vm_queue_place *place);
void vm_gpu_ring_bell(struct vm_gpu *gpu, int queue);
/* Where struct virtio_pci_common_cfg lies. */
uint64_t vm_gpu_common_config(struct vm_gpu *gpu);

/* How many commands were given up on and have not been answered since, as far as has been seen. */
unsigned int vm_gpu_unanswered(struct vm_gpu *gpu);
/* Looks for late answers; returns how many commands still lack one. */
unsigned int vm_gpu_collect(struct vm_gpu *gpu);

/* A ring for somebody who writes it through a mapping of the guest's RAM, while nothing is under way in it.
 */
struct vm_ring_place {
    uint64_t descriptors, available, used; /* guest addresses of its parts (virtio 1.3, 2.7) */
    unsigned int size;
};
struct vm_ring_place vm_gpu_ring_place(struct vm_gpu *gpu, bool cursor);
/* Rings the queue's doorbell. */
void vm_gpu_ring_doorbell(struct vm_gpu *gpu, bool cursor);
/* Takes the ring back: all that was offered has been answered. */
void vm_gpu_ring_return(struct vm_gpu *gpu, bool cursor);

#ifdef __cplusplus
}
#endif

#endif
