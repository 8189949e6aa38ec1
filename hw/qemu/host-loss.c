/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Losses of memory that QEMU has no part in: the host resets the device, an error, power management. Where
 * the device's VFIO driver tells (vfio-pci-vram), the blobs are revoked then; where it does not, nobody
 * notices before the memory is read (reading.c).
 *
 * The driver tells before it waits for importers. On the main loop nobody has to let go for that to arrive,
 * but a thread that holds the big lock and stands in the kernel (a read of the device's config space while
 * the host resets it) keeps it waiting.
 */
#include "hw/qemu/lose.h"

#include "qemu/error-report.h"
#include "qemu/event_notifier.h"

struct VramHostLoss {
    EventNotifier event; /* first: what the handler is given */
    int device_fd;
};

static void told(EventNotifier *event)
{
    const VramHostLoss *loss = (const VramHostLoss *)event;

    if (event_notifier_test_and_clear(event))
        vram_lose_reported(loss->device_fd,
                           "the kernel took the device's memory away (a reset by the host, or an error)");
}

VramHostLoss *vram_host_loss_new(const char *name, int device_fd)
{
    VramHostLoss *loss = g_new0(VramHostLoss, 1);
    int ret = event_notifier_init(&loss->event, 0);

    loss->device_fd = device_fd;
    if (ret == 0) {
        ret = vrl_device_listen(device_fd, event_notifier_get_fd(&loss->event));
        if (ret == 0) {
            event_notifier_set_handler(&loss->event, told);
            return loss;
        }
        event_notifier_cleanup(&loss->event);
    }
    if (ret != -ENOTTY)
        warn_report("vramlink: no word of the host's own resets of %s: %s", name, strerror(-ret));
    g_free(loss);
    return NULL;
}

void vram_host_loss_free(VramHostLoss *loss)
{
    if (!loss)
        return;
    event_notifier_set_handler(&loss->event, NULL);
    event_notifier_cleanup(&loss->event);
    g_free(loss);
}
