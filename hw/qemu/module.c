/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * qemu-vramlink-device.so's one entry: called by the guard from qemu_plugin_install(), before QEMU looks at
 * -device. Registers the device types, or says why not.
 */
#include "hw/qemu/vram-gpu.h"

int __attribute__((visibility("default"))) vramlink_register_types(void);

int vramlink_register_types(void)
{
    if (!vram_parent_lookup() || !vram_layout_check())
        return -1;
    vram_watch_register();
    vram_gpu_register();
    vram_pci_register();
    vram_vga_register();
    return 0;
}
