/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Late readers: displays that note the damage of a surface and read its pixels later, when their timer says
 * so. For QEMU's own devices, whose surfaces only the main loop changes, that is soon enough. A blob's
 * surface is the guest's memory: it paints there as soon as its RESOURCE_FLUSH is answered, and the reader
 * would show half of each frame. So a late reader reads before the answer: at once, or, when it has read less
 * than READ_INTERVAL_MS ago, after the rest of that time, which keeps a guest that flushes in a loop from
 * making it read all day.
 *
 * VNC is such a reader. It reads in its refresh (QEMU: ui/vnc.c, vnc_refresh()) unless a thread is encoding
 * the frame before, and does nothing there while nobody is connected. Spice without GL is another (QEMU:
 * ui/spice-display.c, qemu_spice_display_refresh()). The others copy or upload while they are told of the
 * damage, but for gtk without GL, which reads when GTK draws: nobody can wait for that.
 *
 * Thread: main loop.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/deferred.h"

/* 60 frames a second are read as they come. */
#define READ_INTERVAL_MS 16
/* The reader is at work on an older frame. */
#define RETRY_MS 4
/* Displays of one console that are looked at; more would read when they like. */
#define MAX_READERS 32

/* VNC tells by its refresh interval what it did: the shortest for "busy", the longest for "nobody is
 * connected", else half of what it was, or a step more (QEMU: ui/vnc.c, vnc_refresh()). */
#define VNC_BUSY_INTERVAL GUI_REFRESH_INTERVAL_DEFAULT
#define VNC_PROBE_INTERVAL (8ull * GUI_REFRESH_INTERVAL_DEFAULT)
#define VNC_STEP 50

typedef enum VramRead { VRAM_READ_NOBODY, VRAM_READ_DONE, VRAM_READ_BUSY } VramRead;

static bool is_named(const DisplayChangeListener *dcl, const char *name)
{
    return !strcmp(dcl->ops->dpy_name, name);
}

/* It asks for an update before it reads. */
static bool is_late(const DisplayChangeListener *dcl)
{
    return is_named(dcl, "vnc") || is_named(dcl, "spice");
}

/* One refresh. Its interval changes as if it had been refreshed by its timer. */
static VramRead refresh_vnc(DisplayChangeListener *dcl)
{
    uint64_t before = dcl->update_interval, after;

    dcl->update_interval = VNC_PROBE_INTERVAL;
    dcl->ops->dpy_refresh(dcl);
    after = dcl->update_interval;
    if (after == VNC_BUSY_INTERVAL)
        return VRAM_READ_BUSY;
    if (after >= GUI_REFRESH_INTERVAL_IDLE)
        return VRAM_READ_NOBODY;
    if (after < VNC_PROBE_INTERVAL)
        dcl->update_interval = MAX(before / 2, VNC_BUSY_INTERVAL);
    else
        dcl->update_interval = MIN(before + VNC_STEP, GUI_REFRESH_INTERVAL_IDLE);
    return VRAM_READ_DONE;
}

static VramRead read_by(DisplayChangeListener *dcl)
{
    VramRead done = VRAM_READ_DONE;

    vram_reading_begin();
    if (is_named(dcl, "vnc"))
        done = refresh_vnc(dcl);
    else
        dcl->ops->dpy_refresh(dcl);
    vram_reading_end();
    return done;
}

bool vram_readers_prompt(QemuConsole *con)
{
    DisplayChangeListener *found[MAX_READERS];
    unsigned listeners = vram_console_listeners(con, found, MAX_READERS);

    for (unsigned i = 0; i < listeners; i++) {
        /* One reads in its refresh alone, the other only tells of the size. */
        if (!is_named(found[i], "vnc") && !is_named(found[i], "dbus-console"))
            return true;
    }
    return console_has_gl(con); /* whose texture is made of the surface */
}

bool vram_readers_unasked(const VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        DisplayChangeListener *found[MAX_READERS];
        const VramScanout *s = &vg->scanout[i];
        unsigned listeners = 0;

        if (s->showing == VRAM_SHOWING_SURFACE && !s->converted)
            listeners = vram_console_listeners(vg->parent_obj.parent_obj.scanout[i].con, found, MAX_READERS);
        for (unsigned j = 0; j < listeners; j++) {
            if (!is_late(found[j]))
                return true;
        }
    }
    return false;
}

/* The late readers of a console. */
static unsigned find_readers(const QemuConsole *con, DisplayChangeListener *found[MAX_READERS])
{
    unsigned listeners = vram_console_listeners(con, found, MAX_READERS), count = 0;

    for (unsigned i = 0; i < listeners; i++) {
        if (is_late(found[i]))
            found[count++] = found[i];
    }
    return count;
}

/* The least that one of them has done. */
static VramRead read_console(const QemuConsole *con)
{
    DisplayChangeListener *readers[MAX_READERS];
    unsigned count = find_readers(con, readers);
    VramRead all = VRAM_READ_NOBODY;

    for (unsigned i = 0; i < count; i++)
        all = MAX(all, read_by(readers[i]));
    return all;
}

static void read_later(VramGPU *vg, int64_t when)
{
    vg->read_due = true;
    if (!timer_pending(vg->read_timer))
        timer_mod(vg->read_timer, when);
}

void vram_readers_damage(VramGPU *vg, const QemuConsole *con)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME), next = vg->last_read + READ_INTERVAL_MS;

    if (vg->read_due)
        return;
    if (now < next) {
        read_later(vg, next);
        return;
    }
    switch (read_console(con)) {
    case VRAM_READ_NOBODY:
        break;
    case VRAM_READ_DONE:
        vg->last_read = now;
        break;
    case VRAM_READ_BUSY:
        read_later(vg, now + RETRY_MS);
        break;
    }
}

static void read_all(void *opaque)
{
    VramGPU *vg = opaque;
    VramRead all = VRAM_READ_NOBODY;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    vram_deferred_run(vg);
    if (!vram_send_unsent(vg))
        all = VRAM_READ_BUSY;
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].showing == VRAM_SHOWING_SURFACE)
            all = MAX(all, read_console(vg->parent_obj.parent_obj.scanout[i].con));
    }
    if (all == VRAM_READ_BUSY) {
        timer_mod(vg->read_timer, now + RETRY_MS);
        return;
    }
    if (all == VRAM_READ_DONE)
        vg->last_read = now;
    vg->read_due = false;
    vram_queue_go_on(vg);
}

void vram_readers_hold(VramGPU *vg)
{
    read_later(vg, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + RETRY_MS);
}

static bool any_unsent(const VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].unsent.width)
            return true;
    }
    return false;
}

void vram_readers_new(VramGPU *vg)
{
    vg->read_timer = timer_new_ms(QEMU_CLOCK_REALTIME, read_all, vg);
}

void vram_readers_forget(VramGPU *vg)
{
    if (!any_unsent(vg))
        timer_del(vg->read_timer);
    vg->read_due = false;
}

void vram_readers_free(VramGPU *vg)
{
    g_clear_pointer(&vg->read_timer, timer_free);
}
