/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/surface.h"

#include "qapi/error.h"
#include "ui/qemu-pixman.h"
#include "ui/surface.h"

/* Memory that QEMU's D-Bus display can share with its clients. */
static DisplaySurface *create(int width, int height, bool shared, Error **errp)
{
    qemu_pixman_shareable handle = SHAREABLE_NONE;
    pixman_image_t *image = NULL;
    DisplaySurface *surface;

    if (!qemu_pixman_image_new_shareable(&image, &handle, "vramlink-surface", PIXMAN_x8r8g8b8, width, height,
                                         width * 4, errp))
        return NULL;
    surface = qemu_create_displaysurface_pixman(image);
    pixman_image_unref(image); /* the surface has one of its own */
    surface->flags = QEMU_ALLOCATED_FLAG;
    if (shared)
        qemu_displaysurface_set_share_handle(surface, handle, 0);
    return surface;
}

#define SLOW_US 200000

void vram_surface_update(VramGPU *vg, QemuConsole *con, const VramDamage *part)
{
    const int64_t began = g_get_monotonic_time();

    dpy_gfx_update(con, (int)part->x, (int)part->y, (int)part->width, (int)part->height);
    vg->slow_displays |= g_get_monotonic_time() - began > SLOW_US;
}

DisplaySurface *vram_surface_new(VramGPU *vg, uint32_t width, uint32_t height, const char *for_what,
                                 struct vrl_charge **charge)
{
    DisplaySurface *surface;
    Error *err = NULL;

    *charge = vrl_table_charge(vg->table, VRL_RESOURCE_HOST_MEMORY, (uint64_t)width * height * 4, for_what);
    if (!*charge)
        return NULL;
    surface = create((int)width, (int)height, !vg->slow_displays, &err);
    if (!surface) {
        g_autofree char *sentence =
            g_strdup_printf("%s of %ux%u pixels: %s", for_what, width, height, error_get_pretty(err));

        vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
        error_free(err);
        g_clear_pointer(charge, vrl_charge_free);
    }
    return surface;
}
