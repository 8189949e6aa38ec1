/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The properties that tell what is done for each blob, and why, as JSON.
 *
 * A guest may have 16,384 blobs; one property for all of them would hold the main loop for some 200 ms. So
 * the statistics have the first VRL_BLOBS_PER_PAGE of them, and each further page is a property of its own.
 */
#include "hw/qemu/gl.h"

#include "qapi/error.h"
#include "qapi/visitor.h"

#define MAX_PAGES (VRL_DEFAULT_MAX_BLOBS / VRL_BLOBS_PER_PAGE)

VramGPU *vram_gpu_of(Object *obj)
{
    if (object_class_dynamic_cast(object_get_class(obj), TYPE_VRAM_ANY_GPU))
        return VRAM_GPU(obj);
    return VRAM_GPU(object_resolve_path_component(obj, "virtio-backend"));
}

/* Takes @json, which malloc() made. */
static char *owned(char *json, Error **errp)
{
    char *text = g_strdup(json);

    if (!json)
        error_setg(errp, "no memory for the statistics");
    free(json);
    return text;
}

static char *with_virgl(VramGPU *vg, char *json)
{
    g_autofree char *all = json, *gl = vram_gl_stats_json(vg);

    return g_strdup_printf("%.*s,\"virgl\":%s}", (int)(strrchr(all, '}') - all), all, gl);
}

static char *get_stats(Object *obj, Error **errp)
{
    VramGPU *vg = vram_gpu_of(obj);
    char *json;

    if (!vg->table)
        return g_strdup("{}");
    json = owned(vrl_table_stats_json(vg->table), errp);
    return json && vg->gl ? with_virgl(vg, json) : json;
}

static void get_page(Object *obj, Visitor *v, const char *name, void *page, Error **errp)
{
    VramGPU *vg = vram_gpu_of(obj);
    g_autofree char *json =
        vg->table ? owned(vrl_table_blobs_json(vg->table, GPOINTER_TO_UINT(page)), errp) : g_strdup("{}");

    if (json)
        visit_type_str(v, name, &json, errp);
}

void vram_add_stats_properties(ObjectClass *klass)
{
    object_class_property_add_str(klass, VRAM_STATS_PROPERTY, get_stats, NULL);
    object_class_property_set_description(klass, VRAM_STATS_PROPERTY,
                                          "what vramlink does for each blob, and why, as JSON");
    for (unsigned page = 1; page < MAX_PAGES; page++) {
        g_autofree char *name = g_strdup_printf(VRAM_BLOBS_PROPERTY "[%u]", page);

        object_class_property_add(klass, name, "str", get_page, NULL, NULL, GUINT_TO_POINTER(page));
        object_class_property_set_description(klass, name, "the next blobs, where there are more of them");
    }
}
