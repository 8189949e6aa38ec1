/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How long a command must be at least, without the entries that may follow. The parent reads some without
 * looking at how much there is.
 */
#include "hw/qemu/vram-gpu.h"

size_t vram_command_size(uint32_t type)
{
    switch (type) {
    case VIRTIO_GPU_CMD_GET_EDID:
        return sizeof(struct virtio_gpu_cmd_get_edid);
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
        return sizeof(struct virtio_gpu_resource_create_2d);
    case VIRTIO_GPU_CMD_RESOURCE_UNREF:
        return sizeof(struct virtio_gpu_resource_unref);
    case VIRTIO_GPU_CMD_SET_SCANOUT:
        return sizeof(struct virtio_gpu_set_scanout);
    case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
        return sizeof(struct virtio_gpu_resource_flush);
    case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
        return sizeof(struct virtio_gpu_transfer_to_host_2d);
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
        return sizeof(struct virtio_gpu_resource_attach_backing);
    case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
        return sizeof(struct virtio_gpu_resource_detach_backing);
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
        return sizeof(struct virtio_gpu_resource_create_blob);
    case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
        return sizeof(struct virtio_gpu_set_scanout_blob);
    default:
        return sizeof(struct virtio_gpu_ctrl_hdr);
    }
}
