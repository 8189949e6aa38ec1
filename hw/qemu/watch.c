/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Watches the VFIO devices that blobs lie in: what is about to take their memory away is seen here before the
 * kernel is told.
 *
 * vfio-pci carries config writes, resets and the last close out in the kernel, which revokes the dma-bufs and
 * waits for every importer, holding QEMU's thread and with it the big lock (Linux:
 * drivers/vfio/pci/vfio_pci_dmabuf.c). An importer that does not unmap when told, but when its handles are
 * closed, would keep it there for ever. So consumers let go first: blobs are revoked while the device still
 * works, and then QEMU's own handling goes on, undisturbed.
 *
 *   config write   PCIDevice.config_write, a pointer of each device's own
 *   device reset   DeviceClass.legacy_reset (bus resets too), wrapped for the device's class
 *   unplug         DeviceClass.unrealize, likewise
 *   machine reset  the enter phase, which ends for all before the first device is reset
 *   the host       what QEMU has no part in: host-loss.c, where the driver tells
 */
#include "hw/qemu/watch.h"

#include "hw/pci/pci.h"
#include "hw/qemu/lose.h"
#include "hw/vfio/pci.h"
#include "system/reset.h"

/* The state in PCI_PM_CTRL_STATE_MASK in which the device's memory is off. */
#define PM_D3HOT 3

typedef struct Watch {
    VFIOPCIDevice *vdev; /* not referenced: gone from here when it has been unrealized */
    PCIConfigWriteFunc *config_write;
    VramHostLoss *host_loss; /* NULL: the driver does not tell */
    QLIST_ENTRY(Watch) next;
} Watch;

static QLIST_HEAD(Watches, Watch) watches = QLIST_HEAD_INITIALIZER(watches);

/* QEMU's own methods of a class that is wrapped. */
typedef struct Methods {
    DeviceReset reset;
    DeviceUnrealize unrealize;
} Methods;

static GHashTable *wrapped; /* DeviceClass * -> Methods * */

static Watch *watch_of(const void *device)
{
    Watch *watch;

    QLIST_FOREACH(watch, &watches, next)
    {
        if ((const void *)watch->vdev == device)
            return watch;
    }
    return NULL;
}

/* --- config writes */

typedef struct Write {
    const PCIDevice *pdev;
    uint32_t address, value;
    int length;
} Write;

static bool covers(const Write *w, uint32_t address)
{
    return address >= w->address && address - w->address < (uint32_t)w->length;
}

/* The byte of config space at @address, as the write leaves it. */
static uint8_t byte_after(const Write *w, uint32_t address)
{
    return covers(w, address) ? (uint8_t)(w->value >> 8 * (address - w->address)) : w->pdev->config[address];
}

static bool turns_memory_off(const Write *w)
{
    return covers(w, PCI_COMMAND) && (w->pdev->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) &&
           !(byte_after(w, PCI_COMMAND) & PCI_COMMAND_MEMORY);
}

static bool moves_a_bar(const Write *w)
{
    if (!(w->pdev->config[PCI_COMMAND] & PCI_COMMAND_MEMORY))
        return false;
    for (uint32_t at = PCI_BASE_ADDRESS_0; at < PCI_BASE_ADDRESS_0 + 6 * 4; at++) {
        if (byte_after(w, at) != w->pdev->config[at])
            return true;
    }
    return false;
}

static bool powers_down(const Write *w)
{
    uint8_t pm = pci_find_capability((PCIDevice *)w->pdev, PCI_CAP_ID_PM);

    return pm && covers(w, pm + PCI_PM_CTRL) &&
           (byte_after(w, pm + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK) == PM_D3HOT;
}

static bool resets_function(const Write *w)
{
    uint8_t express = pci_find_capability((PCIDevice *)w->pdev, PCI_CAP_ID_EXP);
    uint8_t advanced = pci_find_capability((PCIDevice *)w->pdev, PCI_CAP_ID_AF);
    const uint8_t *config = w->pdev->config;

    if (express && (pci_get_long(config + express + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) &&
        covers(w, express + PCI_EXP_DEVCTL + 1) &&
        (byte_after(w, express + PCI_EXP_DEVCTL + 1) & (PCI_EXP_DEVCTL_BCR_FLR >> 8)))
        return true;
    return advanced && (config[advanced + PCI_AF_CAP] & PCI_AF_CAP_FLR) &&
           covers(w, advanced + PCI_AF_CTRL) && (byte_after(w, advanced + PCI_AF_CTRL) & PCI_AF_CTRL_FLR);
}

/* What the write does to the device's memory, in words; NULL when it leaves it alone. */
static const char *loss(const Write *w)
{
    if (turns_memory_off(w))
        return "the guest turned the device's memory decoding off";
    if (moves_a_bar(w))
        return "the guest moved a BAR of the device";
    if (powers_down(w))
        return "the guest put the device into D3";
    if (resets_function(w))
        return "the guest reset the function (FLR)";
    return NULL;
}

static void config_write(PCIDevice *pdev, uint32_t address, uint32_t value, int length)
{
    const Write w = {.pdev = pdev, .address = address, .value = value, .length = length};
    PCIConfigWriteFunc *own = watch_of(pdev)->config_write;
    const char *why = loss(&w);

    if (why)
        vram_lose(((VFIOPCIDevice *)pdev)->vbasedev.fd, why);
    own(pdev, address, value, length);
}

/* --- resets and unplug */

static const Methods *methods_of(DeviceState *dev)
{
    return g_hash_table_lookup(wrapped, DEVICE_GET_CLASS(dev));
}

static void device_reset(DeviceState *dev)
{
    if (watch_of(dev))
        vram_lose(((VFIOPCIDevice *)dev)->vbasedev.fd, "the device was reset");
    if (methods_of(dev)->reset)
        methods_of(dev)->reset(dev);
}

static void device_unrealize(DeviceState *dev)
{
    Watch *watch = watch_of(dev);

    if (watch)
        vram_lose(watch->vdev->vbasedev.fd, "the device was unplugged");
    methods_of(dev)->unrealize(dev);
    watch = watch_of(dev);
    if (watch) {
        QLIST_REMOVE(watch, next);
        vram_host_loss_free(watch->host_loss);
        g_free(watch);
    }
}

static void wrap_class(DeviceClass *dc)
{
    Methods *methods;

    if (!wrapped)
        wrapped = g_hash_table_new(NULL, NULL);
    if (g_hash_table_contains(wrapped, dc))
        return;
    methods = g_new(Methods, 1);
    *methods = (Methods){.reset = dc->legacy_reset, .unrealize = dc->unrealize};
    g_hash_table_insert(wrapped, dc, methods);
    dc->legacy_reset = device_reset;
    dc->unrealize = device_unrealize;
}

void vram_watch_device(Object *device)
{
    VFIOPCIDevice *vdev = (VFIOPCIDevice *)device;
    Watch *watch;

    if (watch_of(vdev))
        return;
    watch = g_new0(Watch, 1);
    watch->vdev = vdev;
    watch->config_write = vdev->pdev.config_write;
    vdev->pdev.config_write = config_write;
    watch->host_loss = vram_host_loss_new(vdev->vbasedev.name, vdev->vbasedev.fd);
    QLIST_INSERT_HEAD(&watches, watch, next);
    wrap_class(DEVICE_GET_CLASS(device));
}

/* --- the machine's reset */

#define TYPE_RESET_WATCH "vramlink-reset-watch"

typedef struct ResetWatch {
    Object parent_obj;
    ResettableState state;
} ResetWatch;

static ResettableState *reset_state(Object *obj)
{
    return &((ResetWatch *)obj)->state;
}

static void machine_reset_enter(Object *obj, ResetType type)
{
    Watch *watch;

    QLIST_FOREACH(watch, &watches, next)
    vram_lose(watch->vdev->vbasedev.fd, "the machine was reset");
}

static void reset_watch_class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    rc->get_state = reset_state;
    rc->phases.enter = machine_reset_enter;
}

void vram_watch_register(void)
{
    static VRAMLINK_INTERFACE interfaces[] = {{TYPE_RESETTABLE_INTERFACE}, {}};
    static const TypeInfo info = {
        .name = TYPE_RESET_WATCH,
        .parent = TYPE_OBJECT,
        .instance_size = sizeof(ResetWatch),
        .class_init = reset_watch_class_init,
        .interfaces = interfaces,
    };

    type_register_static(&info);
}

void vram_watch_machine_resets(void)
{
    static bool registered;

    if (!registered)
        qemu_register_resettable(object_new(TYPE_RESET_WATCH));
    registered = true;
}
