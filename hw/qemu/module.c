/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * qemu-vramlink-device.so's one entry: called by the guard from qemu_plugin_install(), before QEMU looks at
 * -device. Registers the device types, or says why not.
 */
#include "hw/qemu/parent.h"
#include "hw/qemu/trace.h"
#include "hw/qemu/watch.h"

#include "qemu/error-report.h"

int __attribute__((visibility("default"))) vramlink_register_types(int argc, char **argv);

/* The plugin's options: trace=PATTERN, as often as wanted. QEMU has read its own -trace before it loads
 * plugins, so that cannot name our events. */
static bool take_options(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!g_str_has_prefix(argv[i], "trace=")) {
            error_report(
                "vramlink: unknown plugin option \"%s\" (known: trace=PATTERN; all else is a property "
                "of the devices)",
                argv[i]);
            return false;
        }
        vram_trace_enable(argv[i] + strlen("trace="));
    }
    return true;
}

int vramlink_register_types(int argc, char **argv)
{
    if (!vram_parent_lookup() || !vram_layout_check())
        return -1;
    vram_watch_register();
    vram_trace_register();
    if (!take_options(argc, argv))
        return -1;
    vram_gpu_register();
    vram_pci_register();
    vram_vga_register();
    return vram_gl_register() ? 0 : -1;
}
