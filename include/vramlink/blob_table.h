/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The heart's C interface: a table of virtio-gpu blob resources, one per device.
 *
 * A VMM's glue (hw/qemu) decodes virtio-gpu commands and calls in here; the heart checks every number that
 * the guest chose, decides how a blob reaches its consumers, owns the dma-bufs and the CPU views, and calls
 * back through struct vrl_ops to translate addresses and to make consumers let go.
 *
 * Thread: all calls and all callbacks on the VMM's main loop with its big lock held. Callbacks must not call
 * back into the table, except where it is said and vrl_table_has(). No C++ exception crosses this header;
 * running out of memory answers VRL_ERR_OUT_OF_MEMORY.
 *
 * Units: bytes unless a name says otherwise. All integers are in host byte order.
 */
#ifndef VRAMLINK_BLOB_TABLE_H
#define VRAMLINK_BLOB_TABLE_H

#include "vramlink/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Answers. The values are virtio-gpu's own response codes (virtio 1.3, 5.7.6.7; linux/virtio_gpu.h
 * enum virtio_gpu_ctrl_type), so that glue can send them as they are. */
enum vrl_status {
    VRL_OK = 0x1100,
    VRL_ERR_UNSPEC = 0x1200,
    VRL_ERR_OUT_OF_MEMORY = 0x1201,
    VRL_ERR_INVALID_SCANOUT_ID = 0x1202,
    VRL_ERR_INVALID_RESOURCE_ID = 0x1203,
    VRL_ERR_INVALID_CONTEXT_ID = 0x1204,
    VRL_ERR_INVALID_PARAMETER = 0x1205,
};

/* One entry of a blob's backing as the guest says it (struct virtio_gpu_mem_entry, host byte order). */
struct vrl_entry {
    uint64_t gpa;
    uint32_t length;
    uint32_t padding;
};

enum vrl_region_kind {
    VRL_REGION_VFIO_BAR,    /* a region of a VFIO device: fd is the device fd, index the VFIO region index */
    VRL_REGION_SHARED_RAM,  /* memory that can be mapped again: fd is a memfd or a file mapped MAP_SHARED */
    VRL_REGION_PRIVATE_RAM, /* memory that only the VMM's own mapping reaches: host is valid, fd is -1 */
};

/* A region of memory that guest addresses translate to. Everything is borrowed by the heart: fd and host stay
 * valid until glue has called vrl_table_revoke_region() with its id. For a VFIO BAR, one region is the WHOLE
 * BAR, however many pieces the VMM maps it in. */
struct vrl_region {
    uint64_t id; /* identity; not 0, and never given to another region while the process lives */
    enum vrl_region_kind kind;
    int fd;              /* VFIO device fd, memfd, or -1 */
    uint32_t index;      /* VFIO region index (0..5 are BARs); 0 for other kinds */
    uint64_t size;       /* length of the region */
    uint64_t map_offset; /* where the region's first byte lies in fd, for mmap */
    void *host;          /* the VMM's mapping of the region's first byte; NULL for VFIO_BAR */
    const char *name;    /* for messages, e.g. "0000:01:00.0 BAR 2" */
};

/* A translated stretch: length bytes at offset of the region, and what lies around them in one piece in both.
 * The heart asks again only for what lies outside; it forgets the stretch before it returns to the glue. */
struct vrl_piece {
    const struct vrl_region *region; /* valid until the callback's caller returns */
    uint64_t offset;                 /* of the address that was asked for */
    uint64_t length; /* > 0; more than was asked for as far as the stretch goes on, less where it breaks */
    uint64_t before; /* bytes before the address that belong to the stretch, too; at most offset; may be 0 */
    bool iommu;      /* an IOMMU answered: vrl_table_revoke_addresses() will say when it does not any more */
};

enum vrl_translate_result {
    VRL_TRANSLATE_OK,
    VRL_TRANSLATE_UNMAPPED, /* nothing answers at this guest address (or the IOMMU refuses it) */
    VRL_TRANSLATE_NOT_RAM,  /* a device answers, but it is not memory */
};

enum vrl_log_level {
    VRL_LOG_GUEST, /* the guest's mistake */
    VRL_LOG_HOST,  /* the host's: a kernel without a feature, no memory, ... */
    VRL_LOG_INFO,
};

/* How a blob reaches its consumers (design: "The heart"). */
enum vrl_plan { VRL_PLAN_NONE, VRL_PLAN_SHARED, VRL_PLAN_MAPPED, VRL_PLAN_COPIED, VRL_PLAN_REJECTED };
/* Its word in the stats, such as "shared"; static. */
const char *vrl_plan_name(enum vrl_plan plan);

/* What the table did with a blob, for traces. Only the members that the kind names are set. */
enum vrl_note_kind {
    VRL_NOTE_PLAN,   /* a plan was made or has changed: size, ranges, plan; text: the reason */
    VRL_NOTE_EXPORT, /* an export was asked for: start, microseconds; text: "ok", or why there is none */
    VRL_NOTE_REVOKE, /* the memory went away, consumers let go next; text: why */
};
struct vrl_note {
    enum vrl_note_kind kind;
    uint32_t id;
    uint64_t size;   /* bytes of the blob */
    uint64_t ranges; /* after merging */
    enum vrl_plan plan;
    uint64_t start;        /* byte of the blob where the dma-buf starts */
    uint64_t microseconds; /* that the export took */
    const char *text;      /* never NULL; valid during the call */
};

/* Dma-bufs that somebody may hold. */
struct vrl_holders {
    const uint64_t *inodes; /* of the dma-bufs; the first VRL_MAX_HELD of them */
    size_t nr_inodes;
    /* True: after vrl_limits.let_go_ms somebody else still has a reference, and limit_ms is 0. False: that
     * cannot be told, because this process has imported the blob, too (vrl_table_imported_here()), or because
     * references cannot be counted here; nobody has been waited for yet. */
    bool certain;
    uint32_t limit_ms; /* that consumers have left to show that they live */
};

struct vrl_ops {
    /* Translates @gpa through the device's DMA address space, IOMMU included. @length > 0; gpa + length does
     * not wrap (the heart has checked). */
    enum vrl_translate_result (*translate)(void *opaque, uint64_t gpa, uint64_t length,
                                           struct vrl_piece *piece);
    /* Every consumer of the blob must let go now. Called only for a blob that has backing: once each time it
     * loses it, and from vrl_table_unshare(). The id is still known then. What glue binds to an id without
     * backing (a scanout that waits for ATTACH_BACKING) it drops itself on UNREF and reset.
     * @revoked: the memory went away (otherwise the guest detached, unreferenced or reset).
     * True: all have let go; dma-bufs are closed and views unmapped when this has returned. False: a display
     * of this process lets go later, on the main loop, and glue calls vrl_table_reap() then. Dma-bufs are
     * closed all the same, and the views are retired: what lies behind them is not the guest's memory any
     * more (zeros for a mapped view, its own memory for a copy), but stays readable until
     * vrl_table_reap(). For a view that is the VMM's own mapping glue keeps that mapping until it reaps. */
    bool (*release_consumers)(void *opaque, uint32_t id, bool revoked);
    /* Dma-bufs whose memory goes away may still be held by consumers that were told to let go: connections of
     * those that hang are ended. @holders is valid during the call. Returns how many were cut off. It may
     * call vrl_table_log(). NULL: nobody is cut off. */
    uint32_t (*cut_off)(void *opaque, const struct vrl_holders *holders);
    /* The scanouts that the blob is bound to, one bit each; for the stats. NULL: the stats do not tell. */
    uint32_t (*scanouts)(void *opaque, uint32_t id);
    /* Tells what was done; not for hot paths, and it must not call the table. NULL: nobody listens. */
    void (*note)(void *opaque, const struct vrl_note *note);
    /* One sentence, no newline. Already rate limited. */
    void (*log)(void *opaque, enum vrl_log_level level, const char *sentence);
};

/* Of how many dma-bufs it is asked who holds them. */
#define VRL_MAX_HELD 32u

/* What a guest may make the host spend. Zero members mean the default.
 *
 * Beside these there are limits of the process, which all tables share; each table pays for what it takes:
 *   descriptors     half of RLIMIT_NOFILE: dma-bufs, also those that linger, and glue's charges
 *   mappings        half of vm.max_map_count: views and stills
 *   address space   16 TiB, or a quarter of what RLIMIT_AS leaves if that is less: views and stills
 *   host memory     512 MiB, an eighth of the machine's memory or of the smallest memory.max among the
 *                   process's control groups, whichever is least: copied views, stills, glue's charges
 * They are read when the first table is made. A refusal names what was asked, what is left, the limit and
 * where it comes from. */
struct vrl_limits {
    uint32_t max_entries;       /* per command; default VRL_DEFAULT_MAX_ENTRIES */
    uint32_t max_blobs;         /* per table; default VRL_DEFAULT_MAX_BLOBS */
    uint64_t max_extents_total; /* over all blobs; bounds the host memory for lists */
    uint64_t max_bytes_copied;  /* of the table: host memory of copied views, stills and glue's charges */
    uint32_t let_go_ms;         /* that consumers have when memory goes away; default VRL_DEFAULT_LET_GO_MS */
    /* Guest RAM that dma-bufs may pin at a time, over all tables of the process: what the last table said
     * that was made with one. The VMM gives the size of the guest's RAM. 0: no limit. */
    uint64_t max_bytes_pinned;
};

/* 8K (7680x4320, 4 bytes a pixel) in single 4 KiB pages is 32,400 entries. */
#define VRL_DEFAULT_MAX_ENTRIES 65536u
#define VRL_DEFAULT_MAX_BLOBS 16384u
#define VRL_DEFAULT_MAX_EXTENTS_TOTAL (1024ull * 1024)
#define VRL_DEFAULT_MAX_BYTES_COPIED (512ull * 1024 * 1024)
#define VRL_DEFAULT_LET_GO_MS 500u

/* Where one plane of the rectangle starts. */
struct vrl_plane {
    uint64_t start;  /* byte in the blob */
    uint32_t stride; /* bytes from row to row */
};

/* A rectangle of pixels in a blob: where it starts and how its rows lie. */
struct vrl_framebuffer {
    uint32_t width, height;                    /* pixels of the visible rectangle */
    uint32_t bytes_pp;                         /* of the first plane */
    uint32_t stride;                           /* bytes from row to row, of the first plane */
    uint64_t start;                            /* byte in the blob where the rectangle's first pixel lies:
                                                  plane offset + y * stride + x * bytes_pp, computed without
                                                  overflow by vrl_framebuffer_init() */
    struct vrl_layout layout;                  /* all zero is one packed linear plane, too */
    struct vrl_plane more[VRL_MAX_PLANES - 1]; /* planes behind the first */
};

/* What SET_SCANOUT_BLOB says: the whole framebuffer, and the rectangle in it. */
struct vrl_framebuffer_request {
    struct vrl_layout layout;
    uint32_t width, height;                 /* pixels */
    uint32_t x, y, rect_width, rect_height; /* pixels */
    uint32_t stride[VRL_MAX_PLANES];        /* bytes */
    uint32_t offset[VRL_MAX_PLANES];        /* bytes in the blob */
};

/* Checks the request and computes where things start. Refuses (VRL_ERR_INVALID_PARAMETER, one sentence
 * through
 * @table's log) empty rectangles, rectangles outside the framebuffer or between the samples of a plane,
 * strides shorter than a row, and planes that end past the blob. Of a layout that is not linear only the
 * consumer's driver knows what lies where: its rectangle starts at 0,0, and no more planes are taken than the
 * format has. @id must be known: VRL_ERR_INVALID_RESOURCE_ID otherwise, and for tombstones. */
struct vrl_table;
enum vrl_status vrl_framebuffer_init(struct vrl_table *table, uint32_t id,
                                     const struct vrl_framebuffer_request *request,
                                     struct vrl_framebuffer *out);

/* @ops and @limits are copied. NULL when out of memory. */
struct vrl_table *vrl_table_new(const struct vrl_ops *ops, void *opaque, const struct vrl_limits *limits);
/* Releases every blob as vrl_table_reset() does, waits for those who hold dma-bufs and cuts them off as a
 * revocation does, reaps, then frees the table. NULL is fine. */
void vrl_table_free(struct vrl_table *table);

/* The displays of this process that release_consumers() could not make let go have done so: retired views are
 * unmapped. */
void vrl_table_reap(struct vrl_table *table);

/* Entries that one command may name. */
uint32_t vrl_table_max_entries(const struct vrl_table *table);

/* Whether the kernel tells who holds a dma-buf: /proc/self/fdinfo can be read. Where it does not, revocation
 * is never certain of anybody (struct vrl_holders). */
bool vrl_can_count_references(void);

/* RESOURCE_CREATE_BLOB with blob_mem GUEST. nr_entries as the command says; @entries holds that many. Checks
 * (each with one logged sentence naming value and limit): id 0 or in use -> INVALID_RESOURCE_ID; size 0,
 * nr_entries 0 or over the limit, an entry of length 0 or wrapping around, entries covering less than size
 * -> INVALID_PARAMETER; unmapped or not RAM -> INVALID_PARAMETER; more pages than the regions that it lies in
 * have together -> INVALID_PARAMETER; over a limit of vrl_limits -> OUT_OF_MEMORY, and so are backings that
 * translate into more than 2^20 pieces (an IOMMU answers page by page). Backing longer than the blob is cut
 * to size rounded up to a page: what lies behind is checked for length 0 and wrap-around, but never
 * translated. A refusal leaves the table as it was. */
enum vrl_status vrl_table_create(struct vrl_table *table, uint32_t id, uint64_t size,
                                 const struct vrl_entry *entries, uint32_t nr_entries);
/* RESOURCE_ATTACH_BACKING: new backing for an Unbacked or Revoked blob; ERR_UNSPEC when it has one already
 * (as QEMU answers). The same checks as create. */
enum vrl_status vrl_table_attach(struct vrl_table *table, uint32_t id, const struct vrl_entry *entries,
                                 uint32_t nr_entries);
/* RESOURCE_DETACH_BACKING: lets go at once. OK for tombstones too. ERR_UNSPEC when there is no backing. */
enum vrl_status vrl_table_detach(struct vrl_table *table, uint32_t id);
/* Consumers of the blob have been told to let go: waits until no other process and no importer holds a
 * reference to its dma-bufs, @limit_ms at most. False when the time was over first, and at once when counting
 * references proves nothing (vrl_holders.certain). */
bool vrl_table_await(struct vrl_table *table, uint32_t id, uint32_t limit_ms);
/* RESOURCE_UNREF. */
enum vrl_status vrl_table_unref(struct vrl_table *table, uint32_t id);
/* Device reset: every blob is released and forgotten. Counters stay. */
void vrl_table_reset(struct vrl_table *table);

/* An importer in this process has been given one of the blob's dma-bufs (a display's GL, virglrenderer):
 * until the blob gets new backing, references to its dma-bufs prove nothing about other processes. */
void vrl_table_imported_here(struct vrl_table *table, uint32_t id);

/* The region left the guest's address space, or its contents are no longer valid: every blob that touches it
 * is released and becomes a tombstone. After the return nothing in the table refers to the region's fd or
 * host pointer. @why: one phrase for logs and stats. Returns how many blobs were revoked.
 *
 * This and the other revocations tell the consumers of all blobs concerned first (release_consumers), then
 * wait, vrl_limits.let_go_ms at most in all, until no other process and no importer holds a reference to
 * their dma-bufs, cut off who does not let go, and only then close them: the kernel's own revocation, which
 * may follow, waits for importers without bound.
 *
 * A dma-buf of a VFIO device that its blob has given back (detach, unref, reset, unshare) while somebody else
 * had a reference lingers in the table until nobody has one. A loss of its memory (all of these but
 * vrl_table_revoke_addresses(), vrl_table_revoke_range() and vrl_table_revoke_lost()) waits for it and cuts
 * off likewise. */
uint32_t vrl_table_revoke_region(struct vrl_table *table, uint64_t region_id, const char *why);

/* The VFIO device is about to lose its memory (memory decoding off, D3, a reset): every blob that has a byte
 * in one of its BARs is revoked as above. To be called before the kernel is told. @device_fd: vrl_region.fd.
 */
uint32_t vrl_table_revoke_device(struct vrl_table *table, int device_fd, const char *why);
/* The same for blobs whose view was read and did not answer (vrl_reading_end()). */
uint32_t vrl_table_revoke_lost(struct vrl_table *table, const char *why);
/* The eventfd @event is signalled whenever the kernel revokes dma-bufs of the VFIO device or brings them
 * back, also for reasons that the VMM has no part in (a reset by the host, an error); then call
 * vrl_table_revoke_reported(). 0, or -errno; -ENOTTY: the device's driver tells nothing (mainline's vfio-pci;
 * vfio-pci-vram does). Ends when the device is closed. @event stays the caller's. */
int vrl_device_listen(int device_fd, int event);
/* The event was signalled. Every blob in the device's BARs whose dma-bufs the kernel has revoked, be they
 * back by now or not, is revoked as above, and with them those that have no dma-buf to ask. Blobs that were
 * made since stay. Returns how many were revoked. */
uint32_t vrl_table_revoke_reported(struct vrl_table *table, int device_fd, const char *why);
/* The guest has given the bytes [@first, @last] of a region back to the host (virtio-mem): every blob that
 * has one of them is revoked as above. Returns how many. */
uint32_t vrl_table_revoke_range(struct vrl_table *table, uint64_t region_id, uint64_t first, uint64_t last,
                                const char *why);
/* Whether any blob has a byte there, or a dma-buf that lingers. */
bool vrl_table_in_device(const struct vrl_table *table, int device_fd);

/* The device's IOMMU no longer translates the guest addresses [@first, @last]: every blob with a byte there
 * that an IOMMU answered for is released and becomes a tombstone. Returns how many. */
uint32_t vrl_table_revoke_addresses(struct vrl_table *table, uint64_t first, uint64_t last, const char *why);

/* Whether the blob has backing, and a byte of it lies in a VFIO device's memory. */
bool vrl_table_in_vfio(const struct vrl_table *table, uint32_t id);
/* Bytes of guest RAM that the table's dma-bufs pin now. */
uint64_t vrl_table_bytes_pinned(const struct vrl_table *table);
/* Waits for those who hold dma-bufs that linger, vrl_limits.let_go_ms at most, cuts them off, and closes
 * these. For glue that cannot reach displays any more when it frees the table. */
void vrl_table_end_lingering(struct vrl_table *table);
/* Dma-bufs that linger. */
size_t vrl_table_lingering(const struct vrl_table *table);
/* Looks at some of them, those first that were not looked at for the longest time, and closes what nobody
 * holds any more: at most a millisecond. Commands look at some, too; this is for a guest that sends none. */
void vrl_table_tidy_lingering(struct vrl_table *table);

/* Blobs that have backing in a VFIO device's memory now. That memory stays behind when the guest migrates. */
uint32_t vrl_table_vfio_blobs(const struct vrl_table *table);

/* A blob as it travels to another host. */
struct vrl_saved_blob {
    uint32_t id;
    uint64_t size;
    bool revoked;                    /* a tombstone; its words are lost */
    const struct vrl_entry *entries; /* what the guest said, neighbours merged, cut to the blob's size in
                                        whole pages; borrowed */
    uint32_t nr_entries; /* 0: no backing, or backing in a VFIO device's memory, which cannot travel */
};
/* Calls @save for every blob, tombstones included, in no particular order. */
void vrl_table_save(const struct vrl_table *table,
                    void (*save)(void *opaque, const struct vrl_saved_blob *blob), void *opaque);
/* Makes a saved blob again: the checks, limits and answers of vrl_table_create(), but that a blob may have no
 * backing. */
enum vrl_status vrl_table_restore(struct vrl_table *table, const struct vrl_saved_blob *blob);

/* True for live blobs and tombstones. */
bool vrl_table_has(const struct vrl_table *table, uint32_t id);
/* True when the blob has backing (and is no tombstone). */
bool vrl_table_is_backed(const struct vrl_table *table, uint32_t id);
/* True for tombstones: the memory went away, and the guest has not attached new backing. */
bool vrl_table_is_revoked(const struct vrl_table *table, uint32_t id);
enum vrl_plan vrl_table_plan(const struct vrl_table *table, uint32_t id);

/* The dma-buf that starts with @fb's first pixel, for a consumer that imports. Exported on first use (create
 * exports the whole blob; a framebuffer that starts at another page gets a dma-buf of its own, kept with the
 * blob), so asking again for the same start is a look-up. *fd is borrowed until release_consumers().
 * Returns false, with the reason kept for the stats, when this framebuffer cannot be shared: plan is not
 * Shared, start is not page aligned, the export failed before (it is not tried again until new backing is
 * attached), or the blob has 16 dma-bufs for other starts already: all of them are borrowed, so none can be
 * closed. Use the view then. A table keeps at most as many dma-bufs open as half of RLIMIT_NOFILE at its
 * making. */
bool vrl_table_dmabuf(struct vrl_table *table, uint32_t id, const struct vrl_framebuffer *fb, int *fd);

/* A consumer could not import the blob's dma-buf, and nobody else is to try: consumers let go
 * (release_consumers), the dma-bufs are closed, and the plan becomes the one without, with @why as its
 * reason. New backing is a new start. */
void vrl_table_unshare(struct vrl_table *table, uint32_t id, const char *why);

/* From now on a blob is shared only if the GPU behind @node (a DRM device's path) can import it. Each
 * exporter's first buffer is imported there and let go again. False when @node cannot be opened, with a
 * sentence in *error (malloc()ed, the caller frees; NULL when out of memory). */
bool vrl_table_probe_with(struct vrl_table *table, const char *node, char **error);

/* The CPU's view: @fb's first pixel, and from there linear memory to the end of the rectangle, in every
 * plane. Made on first use, of the pages that @fb lies in: the VMM's own mapping where the blob is one
 * stretch of it; else mapped side by side in one reservation; else a shadow buffer. A shadow buffer is zeroed
 * when it is made: vrl_table_flush() fills it, so flush before you read (vrl_table_view_is_copy()). A
 * framebuffer inside of a view that there is gets that one; a blob has VRL_MAX_VIEWS, of which the last is of
 * the whole blob. Borrowed until release_consumers(). Read-only for the caller. A failure to map falls back
 * to the shadow buffer: for a blob that is not Shared its plan becomes Copied, the reason says why. NULL with
 * a logged sentence when no view can be made, and without one for blobs without backing and framebuffers that
 * end past the blob. */
#define VRL_MAX_VIEWS 8u
void *vrl_table_view(struct vrl_table *table, uint32_t id, const struct vrl_framebuffer *fb);
/* Whether @fb's view is a shadow buffer, which vrl_table_flush() must fill before it is read. False while
 * there is no view. */
bool vrl_table_view_is_copy(struct vrl_table *table, uint32_t id, const struct vrl_framebuffer *fb);

/* Between these two, views may be read though the host takes their memory away: what does not answer reads as
 * zeros from then on, instead of ending the process with SIGBUS. May be nested. The end tells whether
 * that has happened since it was last asked: blobs of any table, for vrl_table_revoke_lost(). The calls here
 * that read do it by themselves. Cheap: four system calls, none while there are no views. */
void vrl_reading_begin(void);
bool vrl_reading_end(void);
/* Whether there are views that they are good for. */
bool vrl_reading_needed(void);
/* What the end tells, where only calls of this header have read. */
bool vrl_reading_lost(void);

/* RESOURCE_FLUSH: brings @rect (x, y, width, height in pixels of @fb, already inside it) up to date in each
 * view of the blob that is a shadow buffer and has a part of it; else does nothing. Call it for every flush
 * that a CPU consumer sees, whatever the plan says. Hot path: no allocation; no system call unless VRAM could
 * be neither mapped nor copied otherwise. */
void vrl_table_flush(struct vrl_table *table, uint32_t id, const struct vrl_framebuffer *fb, uint32_t x,
                     uint32_t y, uint32_t width, uint32_t height);

/* Makes XRGB8888 of a part of a YUV framebuffer (@fb->layout is one that vrl_layouts_parse() took): @width x
 * @height pixels at (@x, @y), inside the framebuffer, to the same place of the pixels at @to. x and y are cut
 * to whole samples, so a pixel more may be written on either side. False when the CPU cannot see the blob or
 * the format is not YUV. Reads the view as it is: make it and flush it before, where it is a shadow buffer.
 * Allocates nothing once there is a view. */
bool vrl_table_convert(struct vrl_table *table, uint32_t id, const struct vrl_framebuffer *fb, void *to,
                       uint32_t to_stride, uint32_t x, uint32_t y, uint32_t width, uint32_t height);

#ifdef __cplusplus
}
#endif

#include "vramlink/blob_charges.h"
#include "vramlink/blob_stats.h"

#endif
