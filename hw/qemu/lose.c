/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/lose.h"
#include "hw/qemu/revoke.h"

static GPtrArray *gpus; /* of VramGPU */

void vram_lose_add(VramGPU *vg)
{
    if (!gpus)
        gpus = g_ptr_array_new();
    g_ptr_array_add(gpus, vg);
}

void vram_lose_remove(VramGPU *vg)
{
    g_ptr_array_remove(gpus, vg);
}

void vram_lose(int device_fd, const char *why)
{
    for (guint i = 0; gpus && i < gpus->len; i++)
        vram_revoke_device(g_ptr_array_index(gpus, i), device_fd, why);
}

void vram_lose_unreadable(const char *why)
{
    for (guint i = 0; gpus && i < gpus->len; i++)
        vram_revoke_lost(g_ptr_array_index(gpus, i), why);
}

void vram_lose_reported(int device_fd, const char *why)
{
    for (guint i = 0; gpus && i < gpus->len; i++)
        vram_revoke_reported(g_ptr_array_index(gpus, i), device_fd, why);
}

bool vram_lose_any(bool (*is_so)(const VramGPU *vg))
{
    for (guint i = 0; gpus && i < gpus->len; i++) {
        if (is_so(g_ptr_array_index(gpus, i)))
            return true;
    }
    return false;
}
