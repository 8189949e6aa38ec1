/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Consoles and their displays: they read what they are told to show, and hold the code under test to its
 * word.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/dbus-displays.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/main-loop.h"
#include "hw/qemu/surface.h"

#include "tests/fuzz/fake_device.h"

#include <fcntl.h>

#include "qemu/main-loop.h"

static FakeConsole *of(QemuConsole *con)
{
    return (FakeConsole *)con;
}

static void drop_surface(FakeConsole *c)
{
    if (c->surface)
        qemu_free_displaysurface(c->surface);
    c->surface = NULL;
}

VramTaker vram_console_taker(const QemuConsole *con)
{
    if (!fake->displays->gl)
        return VRAM_TAKER_NONE;
    return fake->displays->imports ? VRAM_TAKER_IMPORTS : VRAM_TAKER_PASSES_ON;
}

bool vram_gl_is_software(void)
{
    return fake->displays->software;
}

unsigned vram_console_outstanding(const QemuConsole *con)
{
    return (unsigned)VIRTIO_GPU_BASE(&fake->vg)->renderer_blocked;
}

bool vram_readers_prompt(QemuConsole *con)
{
    return true;
}

/* No fake display reads later, or waits for a GPU. */
void vram_readers_damage(VramGPU *vg, const QemuConsole *con) {}

void vram_readers_forget(VramGPU *vg) {}

void vram_readers_hold(VramGPU *vg)
{
    abort();
}

/* Displays in other processes read what they are sent. */
bool vram_dbus_behind(VramGPU *vg, uint32_t scanout_id)
{
    return false;
}

unsigned vram_console_clients(const QemuConsole *con)
{
    return 1;
}

bool vram_console_callable(const QemuConsole *con, bool dmabuf)
{
    return true;
}

void vram_defer_dmabuf(VramGPU *vg, QemuConsole *con, QemuDmaBuf *dmabuf)
{
    abort();
}

bool vram_gl_lets_go(void)
{
    return fake->displays->lets_go;
}

void vram_console_blank(QemuConsole *con, bool dmabuf)
{
    if (dmabuf)
        dpy_gl_scanout_disable(con);
    else
        dpy_gfx_replace_surface(con, NULL);
}

void vram_blank(VramGPU *vg, uint32_t scanout_id, bool dmabuf)
{
    vram_console_blank(vg->parent_obj.parent_obj.scanout[scanout_id].con, dmabuf);
}

void vram_reading_begin(void)
{
    vrl_reading_begin();
}

void vram_reading_end(void)
{
    vrl_reading_end();
}

void vram_reading_check(void)
{
    vrl_reading_lost();
}

int32_t qemu_dmabuf_get_fence_fd(QemuDmaBuf *dmabuf)
{
    return -1;
}

void qemu_dmabuf_set_fence_fd(QemuDmaBuf *dmabuf, int32_t fence_fd) {}

bool qemu_dmabuf_get_draw_submitted(QemuDmaBuf *dmabuf)
{
    return false;
}

void qemu_dmabuf_set_draw_submitted(QemuDmaBuf *dmabuf, bool submitted) {}

void qemu_set_fd_handler(int fd, IOHandler *read, IOHandler *write, void *opaque) {}

void vram_bh_once(QEMUBHFunc *function, void *opaque)
{
    abort();
}

void graphic_hw_gl_block(QemuConsole *con, bool block)
{
    abort();
}

bool vram_console_takes(QemuConsole *con, pixman_format_code_t format)
{
    return format == PIXMAN_x8r8g8b8 || format == PIXMAN_a8r8g8b8;
}

bool vram_checks_imports(const VramGPU *vg)
{
    return true;
}

QemuDmaBuf *qemu_dmabuf_new(uint32_t width, uint32_t height, uint32_t stride, uint32_t x, uint32_t y,
                            uint32_t backing_width, uint32_t backing_height, uint32_t fourcc,
                            uint64_t modifier, int32_t dmabuf_fd, bool allow_fences, bool y0_top)
{
    QemuDmaBuf *dmabuf = g_new0(QemuDmaBuf, 1);

    *dmabuf = (QemuDmaBuf){.fd = dmabuf_fd, .width = width, .height = height, .stride = stride};
    fake->dmabufs++;
    return dmabuf;
}

void qemu_dmabuf_free(QemuDmaBuf *dmabuf)
{
    for (unsigned i = 0; i < FAKE_OUTPUTS; i++)
        must(fake->console[i].dmabuf != dmabuf); /* still shown */
    must(!dmabuf->texture);
    fake->dmabufs--;
    g_free(dmabuf);
}

uint32_t qemu_dmabuf_get_texture(QemuDmaBuf *dmabuf)
{
    return dmabuf->texture;
}

void qemu_console_resize(QemuConsole *con, int width, int height)
{
    must(width > 0 && height > 0);
    drop_surface(of(con));
    of(con)->dmabuf = NULL;
}

void dpy_gl_scanout_dmabuf(QemuConsole *con, QemuDmaBuf *dmabuf)
{
    must(fcntl(dmabuf->fd, F_GETFD) >= 0);
    must(!(fake->displays->imports && fake->displays->software));
    drop_surface(of(con));
    of(con)->dmabuf = dmabuf;
    if (fake->displays->imports && fake->displays->import_works)
        dmabuf->texture = 1;
}

void dpy_gl_release_dmabuf(QemuConsole *con, QemuDmaBuf *dmabuf)
{
    must(dmabuf->texture);
    must(fcntl(dmabuf->fd, F_GETFD) >= 0);
    dmabuf->texture = 0;
}

void dpy_gl_scanout_disable(QemuConsole *con)
{
    of(con)->dmabuf = NULL;
}

void dpy_gl_update(QemuConsole *con, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    const QemuDmaBuf *dmabuf = of(con)->dmabuf;

    must(dmabuf && fcntl(dmabuf->fd, F_GETFD) >= 0);
    must((uint64_t)x + w <= dmabuf->width && (uint64_t)y + h <= dmabuf->height && w && h);
    if (fake->displays->holds)
        VIRTIO_GPU_BASE(&fake->vg)->renderer_blocked = 1;
}

/* ui/surface.h leaves the structure open. */
DisplaySurface *vram_surface_new(VramGPU *vg, uint32_t width, uint32_t height, const char *for_what,
                                 struct vrl_charge **charge)
{
    DisplaySurface *surface;

    must(width && height);
    *charge = vrl_table_charge(vg->table, VRL_RESOURCE_HOST_MEMORY, (uint64_t)width * height * 4, for_what);
    if (!*charge)
        return NULL;
    surface = g_new0(DisplaySurface, 1);
    surface->image = pixman_image_create_bits(PIXMAN_x8r8g8b8, (int)width, (int)height, NULL, (int)width * 4);
    must(surface->image);
    return surface;
}

void qemu_free_displaysurface(DisplaySurface *surface)
{
    pixman_image_unref(surface->image);
    g_free(surface);
}

DisplaySurface *qemu_console_surface(QemuConsole *con)
{
    return of(con)->surface;
}

DisplaySurface *qemu_create_displaysurface_from(int width, int height, pixman_format_code_t format,
                                                int stride, uint8_t *data)
{
    DisplaySurface *surface = g_new0(DisplaySurface, 1);

    must(width > 0 && height > 0 && stride >= width * 4 && data);
    surface->image = pixman_image_create_bits(format, width, height, (uint32_t *)data, stride);
    must(surface->image);
    return surface;
}

void dpy_gfx_replace_surface(QemuConsole *con, DisplaySurface *surface)
{
    drop_surface(of(con));
    of(con)->dmabuf = NULL;
    of(con)->surface = surface;
}

static uint32_t sum;

/* Displays read what they are told is damaged. */
void dpy_gfx_update(QemuConsole *con, int x, int y, int w, int h)
{
    pixman_image_t *image = of(con)->surface ? of(con)->surface->image : NULL;

    must(image && x >= 0 && y >= 0 && w > 0 && h > 0);
    must(x + w <= pixman_image_get_width(image) && y + h <= pixman_image_get_height(image));
    for (int row = y; row < y + h; row++) {
        const uint8_t *line = (const uint8_t *)pixman_image_get_data(image) +
                              (size_t)row * (size_t)pixman_image_get_stride(image);

        sum += line[x * 4] + line[(x + w) * 4 - 1];
    }
}

void vram_surface_update(VramGPU *vg, QemuConsole *con, const VramDamage *part)
{
    dpy_gfx_update(con, (int)part->x, (int)part->y, (int)part->width, (int)part->height);
}

/* Only a migration calls these. */
QEMUCursor *cursor_alloc(uint16_t width, uint16_t height)
{
    abort();
}

void dpy_cursor_define(QemuConsole *con, QEMUCursor *cursor)
{
    abort();
}

void dpy_mouse_set(QemuConsole *con, int x, int y, bool on)
{
    abort();
}
