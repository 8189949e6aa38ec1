/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The heart's C interface, what glue takes of the host: charges, and stills. blob_table.h includes this and
 * says what holds for all of it.
 */
#ifndef VRAMLINK_BLOB_CHARGES_H
#define VRAMLINK_BLOB_CHARGES_H

#include "vramlink/blob_table.h"
#include "vramlink/still_name.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- charges: what glue itself takes of the host for a guest */
enum vrl_resource {
    VRL_RESOURCE_DESCRIPTORS,   /* open files */
    VRL_RESOURCE_HOST_MEMORY,   /* bytes */
    VRL_RESOURCE_ADDRESS_SPACE, /* bytes that are mapped and may never be touched */
};
struct vrl_charge;
/* @amount of @what, paid by @table, until vrl_charge_free(). NULL, with one logged sentence that begins with
 * @for_what ("a surface of 1920x1080"), when it is over a limit or there is no memory for the charge. */
struct vrl_charge *vrl_table_charge(struct vrl_table *table, enum vrl_resource what, uint64_t amount,
                                    const char *for_what);
/* NULL is fine. At any time, also after the table is freed. */
void vrl_charge_free(struct vrl_charge *charge);

/* --- stills: a frame in memory of our own, kept while a blob on the screen has no memory
 *
 * A still is a memfd, mapped here and shared as a dma-buf (udmabuf) that bears the name VRL_STILL_NAME, by
 * which a consumer knows it. The caller writes the pixels. Charged to the table. It
 * outlives blobs, and dies before its table. */
struct vrl_still;
/* @height rows of @stride bytes. NULL with one logged sentence when over the limit, out of memory, or when
 * the host has no udmabuf. */
struct vrl_still *vrl_still_new(struct vrl_table *table, uint32_t stride, uint32_t height);
void vrl_still_free(struct vrl_still *still); /* NULL is fine */
void *vrl_still_pixels(struct vrl_still *still);
/* The dma-buf; borrowed. */
int vrl_still_dmabuf(const struct vrl_still *still);

#ifdef __cplusplus
}
#endif

#endif
