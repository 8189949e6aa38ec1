/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What QEMU's consoles keep to themselves and we need (ui/console-priv.h; the load guard has made sure that
 * the headers are this QEMU's).
 *
 * screendump beside a dma-buf: a console that shows one has no pixels that QEMU could write to a file, so a
 * screendump would fail ("no surface"). While one waits, the console is lent a surface with the frame in it,
 * copied through the CPU's view; nothing is read or copied otherwise.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/main-loop.h"
#include "hw/qemu/surface.h"

#include <dlfcn.h>

#include "ui/console-priv.h"
#include "ui/qemu-pixman.h"
#include "ui/surface.h"

/* The frame on the scanout in memory of its own; NULL when the CPU cannot see it, or there is no memory. */
static DisplaySurface *frame_of(VramGPU *vg, const VramScanout *s, struct vrl_charge **charge)
{
    const VramKnownBuffer *shown = s->current;
    const struct vrl_framebuffer *fb = shown ? &shown->fb : &s->fb;
    VramDamage all = {0, 0, fb->width, fb->height};
    pixman_image_t *still = s->still_image;
    DisplaySurface *surface;

    if (still) {
        all.width = (uint32_t)pixman_image_get_width(still);
        all.height = (uint32_t)pixman_image_get_height(still);
    }
    surface = vram_surface_new(vg, all.width, all.height, "a screendump's surface", charge);
    if (!surface)
        return NULL;
    if (still) {
        pixman_image_composite(PIXMAN_OP_SRC, still, NULL, surface->image, 0, 0, 0, 0, 0, 0,
                               (uint16_t)all.width, (uint16_t)all.height);
        return surface;
    }
    if (vram_frame_copy(vg, shown->id, fb, shown->format, surface->image, &all, INT64_MAX))
        return surface;
    qemu_free_displaysurface(surface);
    return NULL;
}

/* Lends the console the frame for as long as the waiting screendumps need to take a reference on it. */
static void serve(VramGPU *vg, QemuConsole *con, const VramScanout *s)
{
    struct vrl_charge *charge = NULL;
    DisplaySurface *frame = frame_of(vg, s, &charge), *own = con->surface;

    if (!frame) {
        vrl_charge_free(charge);
        return;
    }
    con->surface = frame;
    con->scanout.kind = SCANOUT_SURFACE;
    graphic_hw_update_done(con);
    con->scanout.kind = SCANOUT_DMABUF;
    con->surface = own;
    qemu_free_displaysurface(frame);
    vrl_charge_free(charge);
}

static void gfx_update(void *opaque)
{
    VramGPU *vg = VRAM_GPU(opaque);

    vram_deferred_run(vg);
    vram_reading_turn(); /* whoever asks reads next */
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        QemuConsole *con = vg->parent_obj.parent_obj.scanout[i].con;

        if (con && (vg->scanout[i].current || vg->scanout[i].still_image) &&
            con->scanout.kind == SCANOUT_DMABUF && !qemu_co_queue_empty(&con->dump_queue))
            serve(vg, con, &vg->scanout[i]);
    }
}

/* Displays are modules; the one that brought the console's GL context is known by the file that its methods
 * lie in. (Built without modules they all lie in the program, and are taken to pass the dma-buf on.) */
VramTaker vram_console_taker(const QemuConsole *con)
{
    static const struct {
        const char *module;
        VramTaker taker;
    } known[] = {
        {"ui-gtk", VRAM_TAKER_IMPORTS},
        {"ui-egl-headless", VRAM_TAKER_IMPORTS},
        {"ui-sdl", VRAM_TAKER_NONE}, /* shows textures of its own, dma-bufs it ignores */
    };
    Dl_info info;
    const char *name;

    if (!con->gl)
        return VRAM_TAKER_NONE;
    if (!dladdr(*(void *const *)&con->gl->ops->dpy_gl_ctx_is_compatible_dcl, &info) || !info.dli_fname)
        return VRAM_TAKER_PASSES_ON;
    name = strrchr(info.dli_fname, '/');
    name = name ? name + 1 : info.dli_fname;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (g_str_has_prefix(name, known[i].module))
            return known[i].taker;
    }
    return VRAM_TAKER_PASSES_ON;
}

bool vram_console_takes(QemuConsole *con, pixman_format_code_t format)
{
    if (PIXMAN_FORMAT_R(format) != 8) /* 10 bits, which VNC and clients of D-Bus do not know */
        return false;
    if (!con->gl)
        return dpy_gfx_check_format(con, format);
    /* QEMU makes textures of these and asserts that there are no others (ui/console-gl.c). */
    return format == PIXMAN_BE_b8g8r8x8 || format == PIXMAN_BE_b8g8r8a8 || format == PIXMAN_BE_x8r8g8b8 ||
           format == PIXMAN_BE_a8r8g8b8;
}

/* QEMU keeps the list of listeners to itself, but who joins stands at its head and sees the others behind
 * (QEMU: ui/console.c, register_displaychangelistener()). Without a console a listener is shown nothing. */
unsigned vram_console_listeners(const QemuConsole *con, DisplayChangeListener **found, unsigned room)
{
    static const DisplayChangeListenerOps ops = {.dpy_name = "vramlink"};
    DisplayChangeListener self = {.ops = &ops}, *dcl;
    unsigned count = 0;

    register_displaychangelistener(&self);
    for (dcl = QLIST_NEXT(&self, next); dcl && count < room; dcl = QLIST_NEXT(dcl, next)) {
        if (dcl->con == con)
            found[count++] = dcl;
    }
    unregister_displaychangelistener(&self);
    return count;
}

unsigned vram_console_outstanding(const QemuConsole *con)
{
    return (unsigned)con->gl_block;
}

void vram_console_hook(VramGPU *vg)
{
    static GraphicHwOps ops;
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);

    ops = *base->hw_ops;
    ops.gfx_update = gfx_update;
    base->hw_ops = &ops; /* the VGA function asks here */
    for (uint32_t i = 0; i < base->conf.max_outputs; i++) {
        graphic_console_set_hwops(base->scanout[i].con, &ops, base);
        /* A console that an unplugged device left may still wait for a display to let go; we shall be told.
         */
        base->renderer_blocked += base->scanout[i].con->gl_block > 0;
    }
    /* For the first listener without a console QEMU makes a surface that it keeps: not while a guest looks
     * for room. */
    (void)vram_console_clients(base->scanout[0].con);
}

/* --- displays of this process, and threads */

/* Displays that only note what they are told, or hand it to another process. */
static bool any_thread(const DisplayChangeListener *dcl)
{
    static const char *const names[] = {"dbus", "dbus-console", "vnc", "spice"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(dcl->ops->dpy_name, names[i]))
            return true;
    }
    return false;
}

/* Displays that are looked at; of a console with more, only the main loop calls them. */
#define MAX_LOOKED_AT 256

bool vram_console_callable(const QemuConsole *con, bool dmabuf)
{
    DisplayChangeListener *found[MAX_LOOKED_AT];
    unsigned count;

    if (vram_on_main_loop())
        return true;
    if (con->gl) /* textures of surfaces are GL's, and GL is the main loop's */
        return dmabuf && vram_console_taker(con) == VRAM_TAKER_PASSES_ON;
    count = vram_console_listeners(con, found, MAX_LOOKED_AT);
    for (unsigned i = 0; i < count; i++) {
        if (!any_thread(found[i]))
            return false;
    }
    return count < MAX_LOOKED_AT;
}

unsigned vram_console_clients(const QemuConsole *con)
{
    DisplayChangeListener *found[MAX_LOOKED_AT];
    unsigned count = vram_console_listeners(con, found, MAX_LOOKED_AT), clients = 0;

    for (unsigned i = 0; i < count; i++)
        clients +=
            !strcmp(found[i]->ops->dpy_name, "dbus-gl") || !strcmp(found[i]->ops->dpy_name, "spice-egl");
    return clients;
}

void vram_console_forget_dmabuf(QemuConsole *con)
{
    if (con->scanout.kind == SCANOUT_DMABUF)
        con->scanout.kind = SCANOUT_NONE;
}

/* A placeholder that is larger takes memory when it is read, which the guest would not be charged for. */
#define MAX_PLACEHOLDER_BYTES (64u << 20)

static void show_placeholder(QemuConsole *con)
{
    DisplaySurface *shown = con->surface, *small = NULL;

    if (shown && (uint64_t)surface_stride(shown) * (uint64_t)surface_height(shown) > MAX_PLACEHOLDER_BYTES)
        small = qemu_create_placeholder_surface(640, 480, "Display output is not active.");
    dpy_gfx_replace_surface(con, small);
}

void vram_console_blank(QemuConsole *con, bool dmabuf)
{
    if (dmabuf)
        dpy_gl_scanout_disable(con);
    else
        show_placeholder(con);
}

/* Until the console is closed: nobody is called. */
static const GraphicHwOps no_device;

void vram_console_close(VramGPU *vg)
{
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);

    for (uint32_t i = 0; i < base->conf.max_outputs; i++) {
        QemuConsole *con = base->scanout[i].con;

        if (!vram_on_main_loop()) {
            graphic_console_set_hwops(con, &no_device, NULL);
            continue;
        }
        dpy_mouse_set(con, 0, 0, false);
        graphic_console_close(con);
        base->scanout[i].con = NULL;
    }
}
