/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-gpu-vram-device: a virtio-gpu whose blob resources may lie in a passthrough GPU's VRAM.
 *
 * Inside of the room hw/qemu. Thread: everything runs with the big lock held, which nothing here drops.
 * Commands run on the main loop. What takes memory or the device away also runs on a vCPU's thread:
 * revocation, reset, unplug and what they call; they leave the displays of this process to the main loop
 * (deferred.h).
 */
#ifndef VRAMLINK_QEMU_VRAM_GPU_H
#define VRAMLINK_QEMU_VRAM_GPU_H

#include "hw/qemu/compat.h"
#include "hw/virtio/virtio-gpu.h"
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "system/runstate.h"
#include "vramlink/blob_table.h"

#define TYPE_VRAM_GPU "virtio-gpu-vram-device"
#define TYPE_VRAM_GPU_PCI "virtio-gpu-vram-pci"
#define TYPE_VRAM_VGA "virtio-vga-vram"
#define TYPE_VRAM_GPU_GL "virtio-gpu-gl-vram-device"
#define TYPE_VRAM_GPU_GL_PCI "virtio-gpu-gl-vram-pci"
#define TYPE_VRAM_VGA_GL "virtio-vga-gl-vram"
/* The interface that both devices implement: such an object is a VramGPU. */
#define TYPE_VRAM_ANY_GPU "vramlink-gpu"
/* Readable with qom-get on the device and on its PCI function: vrl_table_stats_json(). */
#define VRAM_STATS_PROPERTY "vramlink-stats"
/* "vramlink-blobs[1]" and so on: the blobs that the statistics have no room for, vrl_table_blobs_json(). */
#define VRAM_BLOBS_PROPERTY "vramlink-blobs"
#define VRAM_SHOW_MAPPED_PROPERTY "show-mapped" /* the viewer knows it by that name */

/* A consumer that hangs is sent frames for a while, in case that another one does not; what it does not take
 * piles up in this process. A live one at 60 Hz leaves none. */
#define VRAM_MAX_OUTSTANDING 64u
/* Flips carry descriptors, and nobody answers a flip: so many are sent until an update after them is
 * answered. */
#define VRAM_MAX_FLIPS 4u

/* Flips go round between a few buffers; a QemuDmaBuf is kept for each of these per scanout. */
#define VRAM_KNOWN_BUFFERS 8

/* A frame in a blob. */
typedef struct VramFrame {
    struct vrl_framebuffer fb;
    pixman_format_code_t format; /* 0: YUV, or nothing that pixman knows */
} VramFrame;

/* A part of a scanout, in its own pixels. */
typedef struct VramDamage {
    uint32_t x, y, width, height;
} VramDamage;

/* The copying of a scanout's pixels, see copying.h. */
typedef struct VramCopying {
    DisplaySurface
        *surface; /* a flip: filled, then shown; NULL: what the console has is brought up to date */
    struct vrl_charge *charge; /* for its memory */
    bool converted;            /* it has pixels of its own */
    VramDamage part;           /* that is being copied; no width: nothing is */
    uint32_t rows;             /* of it that are done */
    VramDamage next;           /* damaged since */
} VramCopying;

/* A buffer as QEMU's consoles want it, kept from flip to flip. */
typedef struct VramKnownBuffer {
    uint32_t id; /* 0: free slot */
    struct vrl_framebuffer fb;
    pixman_format_code_t format;
    QemuDmaBuf *dmabuf; /* its fd is the table's */
} VramKnownBuffer;

typedef enum VramShowing {
    VRAM_SHOWING_NOTHING,
    VRAM_SHOWING_DMABUF,
    VRAM_SHOWING_SURFACE,
    VRAM_SHOWING_STILL, /* the last frame of a blob whose memory the guest has detached */
} VramShowing;

/* What the guest bound to a scanout, kept while the blob has no backing, so that the picture comes back with
 * ATTACH_BACKING: Linux sends no SET_SCANOUT_BLOB for a framebuffer that it believes to be shown
 * (Linux: drivers/gpu/drm/virtio/virtgpu_plane.c). */
typedef struct VramScanout {
    uint32_t id; /* 0: no blob of ours */
    struct vrl_framebuffer fb;
    pixman_format_code_t format;
    uint32_t guest_format; /* enum virtio_gpu_formats or a fourcc, as the guest said it */
    uint32_t x, y;         /* the rectangle's place in the framebuffer, for damage */
    VramShowing showing;
    uint32_t shown;          /* the blob that consumers hold; not id while a flip is pending; 0: none */
    bool converted;          /* the surface is a copy in XRGB8888, brought up to date with each flush */
    VramFrame surface_frame; /* of what the surface shows; not that of id while a flip is being filled */
    bool flip_pending;       /* the guest flipped while a consumer still held the previous frame */
    bool flush_pending;      /* and flushed */
    VramCopying copying;
    struct vrl_charge *surface_charge; /* for the memory of the surface that is shown */
    VramDamage unsent;     /* damage that a display has not been told: it has not read what came before */
    unsigned flips;        /* sent since an update was answered */
    unsigned flip_clients; /* displays that each of them goes to */
    struct vrl_charge *flip_charge; /* for the descriptors of VRAM_MAX_FLIPS of them */
    VramKnownBuffer *current;       /* while showing a dma-buf */
    VramKnownBuffer known[VRAM_KNOWN_BUFFERS];
    unsigned next_victim;
    struct vrl_still *still; /* a still that is shown as a dma-buf, and what QEMU knows of it */
    QemuDmaBuf *still_dmabuf;
    pixman_image_t *still_image;
    uint32_t console_width, console_height; /* what the console was told; outlives bindings */
} VramScanout;

/* Why a command that was carried out has no answer yet. */
typedef enum VramWait {
    VRAM_WAITS_CONSUMER,  /* a consumer holds a frame */
    VRAM_WAITS_FENCE,     /* virglrenderer has not come so far; QEMU's module answers */
    VRAM_WAITS_SUSPENDED, /* it is to be run again, and nothing before it */
} VramWait;

typedef struct VramGLBlobs VramGLBlobs;
typedef struct VramRegions VramRegions;
typedef struct VramIommu VramIommu;
typedef struct VramDeferred VramDeferred;
typedef struct VramStalled VramStalled;
typedef struct VramTidy VramTidy;
typedef struct VramLater VramLater;

typedef struct VramGPU {
    union {
        VirtIOGPU parent_obj;
        VirtIOGPUGL gl_obj; /* begins with a VirtIOGPU; only the 3D device has the rest */
    };

    VramGLBlobs *gl; /* NULL: the plain device */

    char *prime_node;   /* property prime-node: "auto", "off", or a DRM device's path */
    char *layouts_text; /* property layouts: what guest and host agreed on (vramlink/layout.h) */
    struct vrl_layouts *layouts;
    bool show_mapped;      /* property show-mapped: displays get no dma-buf */
    uint32_t let_go_ms;    /* property let-go-ms: for the loss of memory */
    uint32_t flip_away_ms; /* property flip-away-ms: for the guest's own release of a shown blob */
    uint32_t still_ms;     /* property still-ms: how long copying a still may take; 0: no stills */

    struct vrl_table *table;
    VramRegions *regions;
    VramIommu *iommu;
    VramDeferred *deferred;
    VramStalled *stalled;
    VramTidy *tidy;
    MemoryRegion copy;  /* of the command that is being carried out, see command-copy.h */
    int64_t slice_end;  /* of the work in this turn of the main loop, see slice.h */
    QEMUBH *copying_bh; /* goes on with it in the next one */
    VramLater *ctrl_later, *cursor_later, *copying_later;
    uint32_t copying_first; /* scanout whose turn it is */
    bool long_list;     /* a list of addresses was translated in this slice that may take longer than it */
    bool slow_displays; /* one has taken long to take a surface's memory: it is offered none any more */
    bool pins_ram;      /* QEMU has been told that guest RAM must not be discarded */
    VramScanout scanout[VIRTIO_GPU_MAX_SCANOUTS];
    QEMUTimer *flush_timer; /* bounds how long a consumer may hold a flush's answer */
    /* carried out; answered when a consumer has let go */
    QTAILQ_HEAD(held_commands, virtio_gpu_ctrl_command) held;
    uint32_t held_count;
    uint32_t held_for_flip; /* the last so many of these wait for the pending flip */
    VramWait wait;          /* of the command that process_cmd has left unanswered */
    bool stopped;           /* the VM has run and stands still: nothing is held */
    bool unpaced;  /* a consumer kept a frame for too long: nobody waits for it until it keeps up again */
    bool read_due; /* a display that reads later has not read what was flushed */
    struct virtio_gpu_ctrl_command *suspended; /* to be run again, and none before it; NULL: none */
    GBytes *suspended_copy;                    /* its words */
    VMChangeStateEntry *run_handler;
    int64_t held_since;    /* ms, QEMU_CLOCK_REALTIME: when a consumer took the frame that it holds */
    QEMUTimer *read_timer; /* of displays that read later */
    int64_t last_read;     /* ms, QEMU_CLOCK_REALTIME */
    Error *migration_blocker;
    GPtrArray *arrivals;            /* blobs of an incoming migration that are not in the table yet */
    VramScanout *arriving_scanouts; /* and what was bound to the scanouts */
    VMChangeStateEntry *arrival_handler;
} VramGPU;

DECLARE_INSTANCE_CHECKER(VramGPU, VRAM_GPU, TYPE_VRAM_ANY_GPU)

/* --- gpu.c: what the user called the device. */
const char *vram_user_id(VramGPU *vg);
/* Whether a display that cannot import makes the blob unshared; prime-node=off says no. */
bool vram_checks_imports(const VramGPU *vg);
/* One sentence on the guest's mistake, through the table's rate limit. */
void vram_log_guest(VramGPU *vg, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Whether the device was unplugged, which may come of its own answer: an interrupt is a write to where the
 * guest said. Its memory is there until the bottom half or the timer returns. */
bool vram_is_gone(const VramGPU *vg);

/* --- command.c: decodes and carries out one command; sets cmd->error and leaves cmd unfinished, or answers.
 */
void vram_process_cmd(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd);

/* --- command-size.c: bytes that a command of this type has at least. */
size_t vram_command_size(uint32_t type);

/* --- queue.c: takes commands from the ring and never makes one wait for a consumer, but a flush's answer. */
void vram_handle_ctrl(VirtIODevice *vdev, VirtQueue *vq);
void vram_flush_timeout(void *opaque);
/* A consumer may have taken a frame: call it with what renderer_blocked was before. */
void vram_frame_taken(VramGPU *vg, int blocked_before);
void vram_gl_flushed(VirtIOGPUBase *base);
/* The suspended command can go on. */
void vram_queue_resume(VramGPU *vg);
/* Drops all commands, answered or not: the device is reset. */
void vram_queue_reset(VramGPU *vg);
/* The VM stands still from now on, or runs again: while it stands still nothing is held. */
void vram_queue_run_state(VramGPU *vg, bool running);
/* Whether a flush that has just been carried out is answered later. */
bool vram_flush_must_wait(const VramGPU *vg);
/* What flushes waited for may have ended: late readers have read, pixels are copied. Answers them if so. */
void vram_queue_go_on(VramGPU *vg);
/* From now on a consumer may hold flushes and flips for half a second. */
void vram_flush_timer_arm(VramGPU *vg);

/* --- readers.c: displays that read a surface later read it before the flush is answered. */
void vram_readers_new(VramGPU *vg);
void vram_readers_free(VramGPU *vg);
/* Whether a display of the console may read while it is told of a surface or of damage. */
bool vram_readers_prompt(QemuConsole *con);
/* Whether a display may read a surface over a blob when nobody asked it to. */
bool vram_readers_unasked(const VramGPU *vg);
/* The surface on the console has been damaged, and displays know. Sets read_due when one reads later. */
void vram_readers_damage(VramGPU *vg, const QemuConsole *con);
/* A display has not read what it was sent: what is unsent waits, and is tried again soon. Sets read_due. */
void vram_readers_hold(VramGPU *vg);
/* Nobody waits for a reader any more; what is unsent goes on being tried. */
void vram_readers_forget(VramGPU *vg);

/* --- scanout.c */
enum vrl_status vram_scanout_set(VramGPU *vg, uint32_t scanout_id,
                                 const struct virtio_gpu_set_scanout_blob *ss);
/* Forgets the binding; consumers let go. */
void vram_scanout_disable(VramGPU *vg, uint32_t scanout_id);
/* Consumers of the blob let go; bindings stay. The release_consumers callback of the table. */
void vram_scanout_release(void *opaque, uint32_t id, bool revoked);
/* Whether a display in another process has the blob on the screen. */
bool vram_scanout_shown_outside(VramGPU *vg, uint32_t id);
/* The guest is about to get the memory of such a blob back: displays have flipped away from it when this
 * returns, or had flip-away-ms for it. */
void vram_scanout_flip_away(VramGPU *vg, uint32_t id);
/* Shows the blob again on the scanouts that are bound to it. */
void vram_scanout_restore(VramGPU *vg, uint32_t id);
/* Forgets all bindings of the blob. */
void vram_scanout_forget(VramGPU *vg, uint32_t id);
void vram_scanout_flush(VramGPU *vg, uint32_t id, const struct virtio_gpu_rect *rect);
/* While a consumer holds a frame, a flip waits for it: the display protocols drop what overtakes, and with it
 * the reply that releases the frame. The last flip wins. */
bool vram_scanout_flip_pending(const VramGPU *vg);
/* Carries out pending flips and their flushes. */
void vram_scanout_flip(VramGPU *vg);
void vram_scanout_reset(VramGPU *vg);
/* The scanouts bound to the blob, one bit each. The scanouts callback of the table. */
uint32_t vram_scanout_mask(void *opaque, uint32_t id);
/* While the device's state is saved, the parent must not know what we show. */
void vram_scanout_hide(VramGPU *vg, bool hide);
/* Binds and shows what an incoming migration says was bound; @arrived is checked like the guest's words. */
void vram_scanout_arrive(VramGPU *vg, uint32_t scanout_id, const VramScanout *arrived);

/* --- show.c: displays of the scanout let go of whatever they show. */
void vram_let_go(VramGPU *vg, uint32_t scanout_id);
/* Hands the displays what is bound; the flip is pending when they hold the frame before. */
enum vrl_status vram_show(VramGPU *vg, uint32_t scanout_id);
/* Tells them what has changed of it. */
void vram_present(VramGPU *vg, uint32_t scanout_id, const VramDamage *damage);
/* The same for a dma-buf of any kind. */
void vram_console_update(VramGPU *vg, QemuConsole *con, const VramDamage *damage);
/* Tells displays of damage to the surface that is shown. */
void vram_surface_damaged(VramGPU *vg, uint32_t scanout_id, const VramDamage *damage);
/* Tries again what displays have not been told. False: one still has not read what came before. */
bool vram_send_unsent(VramGPU *vg);
/* Shows the surface that has been filled for a flip; takes it and the charge. */
void vram_show_filled(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface, struct vrl_charge *charge,
                      bool converted);
/* The console's displays have answered all updates: what was sent has been read. */
void vram_flips_read(VramGPU *vg);

/* --- buffers.c: a drawing that the display has not finished is waited for no longer. */
void vram_buffer_settle(QemuConsole *con, QemuDmaBuf *dmabuf);
/* Displays let go of the buffer's import; the slot is free. */
void vram_buffer_drop(VramGPU *vg, QemuConsole *con, VramKnownBuffer *known);
/* The same for a QemuDmaBuf of ours. Main loop. */
void vram_dmabuf_free(QemuConsole *con, QemuDmaBuf *dmabuf);
/* The buffer for what is bound to the scanout, made when it is new; NULL when it cannot be shared. */
VramKnownBuffer *vram_buffer_of(VramGPU *vg, uint32_t scanout_id);

/* --- frame.c: how the pixels of a SET_SCANOUT_BLOB with this format lie, and pixman's name for it. False
 * when the format is neither virtio-gpu's nor the user's. */
bool vram_frame_layout(VramGPU *vg, uint32_t guest_format, struct vrl_layout *layout,
                       pixman_format_code_t *format);
/* Copies, and converts where @to has another format, @part of the frame to the same place of @to, through the
 * CPU's view. False when there is none, or when it is not done at @deadline (g_get_monotonic_time()). */
bool vram_frame_copy(VramGPU *vg, uint32_t id, const struct vrl_framebuffer *fb, pixman_format_code_t format,
                     pixman_image_t *to, const VramDamage *part, int64_t deadline);

/* --- still.c: scanouts that show the blob keep its frame, and consumers let go of it. To be called before
 * the guest's DETACH_BACKING. */
void vram_still_take(VramGPU *vg, uint32_t id);
/* Something else is shown now. */
void vram_still_drop(VramScanout *s);

/* --- cursor.c: carries out the commands of the cursor queue, a slice of time at most. */
void vram_handle_cursor(VramGPU *vg);
void vram_update_cursor_data(VirtIOGPU *g, struct virtio_gpu_scanout *s, uint32_t resource_id);
/* After a migration: the cursor that the parent's state names, when it is a blob. */
void vram_cursor_restore(VramGPU *vg, uint32_t scanout_id);

/* --- reading.c: from begin to end displays may read blobs whose memory the host takes away. */
void vram_reading_begin(void);
void vram_reading_end(void);
/* The end alone, where only the heart has read, which guards itself. */
void vram_reading_check(void);
/* From now to the end of this turn of the main loop. */
void vram_reading_turn(void);

/* --- turn.c: from now on the main loop's turns are looked at. Once or more. */
void vram_turn_watch(void);

/* --- reset.c: the device's reset, on any thread. */
void vram_reset(VirtIODevice *vdev);
/* The device's part of it: commands, scanouts and blobs are dropped, 2D resources too. */
void vram_drop_all(VramGPU *vg);

/* --- stats.c: adds the properties that tell what is done for each blob to the device's or a wrapper's
 * class. */
void vram_add_stats_properties(ObjectClass *klass);
/* The device behind a property of the device or of its wrapper. */
VramGPU *vram_gpu_of(Object *obj);

/* --- pinned.c: while a dma-buf of ours has guest RAM pinned, QEMU gives no page of it back to the host (the
 * balloon). To be called when a blob has got or lost its memory. */
void vram_pinned_update(VramGPU *vg);

/* --- pci.c, vga.c */
void vram_pci_register(void);
void vram_vga_register(void);
void vram_gpu_register(void);
/* What the plain and the 3D device's classes have in common. */
void vram_gpu_class_init(ObjectClass *klass);
void vram_gpu_instance_init(Object *obj);

/* --- gl-types.c: the 3D devices; left out, with a note, where QEMU's module is not installed. False, with a
 * sentence, when it is and does not fit. */
bool vram_gl_register(void);

/* --- show-mapped.c: the property that gives displays a mapping instead of a dma-buf. */
void vram_add_show_mapped_property(ObjectClass *klass);

#endif
