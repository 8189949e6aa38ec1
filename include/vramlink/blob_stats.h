/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The heart's C interface, what is counted and told. blob_table.h includes this and says what holds for all
 * of it.
 */
#ifndef VRAMLINK_BLOB_STATS_H
#define VRAMLINK_BLOB_STATS_H

#include "vramlink/blob_table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts an event that only glue sees, for the stats. */
enum vrl_event {
    VRL_EVENT_FLIP,
    VRL_EVENT_FLUSH,
    VRL_EVENT_SUPERSEDED, /* a flip that was never shown: the guest flipped again before its turn came */
    VRL_EVENT_IMPORT,     /* a display in this process imported a dma-buf */
    VRL_EVENT_IMPORT_FAILED,
    VRL_EVENT_CUT_OFF,    /* the connection of a display was ended that did not read */
    VRL_EVENT_STILL,      /* a frame was kept while its blob had no memory */
    VRL_EVENT_STILL_LOST, /* one could not be kept, or not in time: the screen went dark instead */
};
void vrl_table_count(struct vrl_table *table, enum vrl_event event);
/* Counts a command of the control queue, ours or not; @type is one of virtio-gpu's (linux/virtio_gpu.h). Hot
 * path: no allocation. */
void vrl_table_count_command(struct vrl_table *table, uint32_t type);
/* What such a type is called in the specification; "other" when it is none of the 2D types. Static. */
const char *vrl_command_name(uint32_t type);
/* For the stats: how displays get other pixels than the blob's own ("" takes it back). */
void vrl_table_tell_shown(struct vrl_table *table, uint32_t id, const char *how);
/* Counts bytes that glue has copied for a display. */
void vrl_table_count_copied(struct vrl_table *table, uint64_t bytes);
/* Counts a command that was refused with @status. */
void vrl_table_count_error(struct vrl_table *table, enum vrl_status status);

/* Logs through the table's rate limit, for glue's own refusals. */
void vrl_table_log(struct vrl_table *table, enum vrl_log_level level, const char *sentence);

/* Logs @sentence (VRL_LOG_HOST) the first time that it is said to @table, and shows it in the stats; the
 * first 16 sentences. For what the user should know about the host. */
void vrl_table_warn(struct vrl_table *table, const char *sentence);

/* What was measured, as a JSON object; malloc()ed, the caller frees. NULL when out of memory.
 *
 * "totals":  "commands", "commands_by_type" {name: count}, "flips", "superseded", "flushes", "exports",
 *            "exports_failed", "imports", "imports_failed" (of displays in this process, and those tried on
 *            the GPU of vrl_table_probe_with()), "views", "bytes_copied", "stills", "stills_lost",
 *            "revocations", "held_over", "cut_off" (consumers), "command_errors", "errors" {kind: count},
 *            "live", "tombstones", "dmabuf_fds" (of blobs, open now), "lingering" (dma-bufs that blobs have
 *            given back and somebody holds, now), "lingered" (ever), "extents" (kept now), "charged"
 *            {"descriptors", "mappings", "address_space", "host_memory", "pinned"}: what this table has now
 * of what the process may spend; the last three in bytes "warnings": the sentences of vrl_table_warn()
 * "blob_pages": how many pages of blobs there are, of VRL_BLOBS_PER_PAGE each; at least 1
 * "blobs":   the first page: an array of objects in the order of their ids: "id", "state" ("unbacked",
 *            "backed", "revoked"), "size", "entries", "ranges", "plan", "reason", "plan_ns" (translating,
 *            merging and choosing), "export_us", "dmabufs" [inode], "region", "view" ("none", "direct",
 *            "mapped", "copied": of the last one made), "scanouts" [number].
 *            "ranges" to "view" are of the last backing where there is none now. Tombstones have "revoked":
 *            why. Blobs whose pixels are converted for a display have "shown": how.
 * "history": the last 64 blobs that are gone, in the same form, oldest first; their state may also be "gone",
 *            or "rejected" (create or attach named memory that is not readable). */
char *vrl_table_stats_json(const struct vrl_table *table);
/* The @page-th (from 0) page of blobs, likewise: {"page", "blob_pages", "blobs"}; behind the last one there
 * are no blobs. */
#define VRL_BLOBS_PER_PAGE 256u
char *vrl_table_blobs_json(const struct vrl_table *table, uint32_t page);

#ifdef __cplusplus
}
#endif

#endif
