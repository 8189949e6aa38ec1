// SPDX-License-Identifier: GPL-2.0-only
/*
 * One dma-buf of a device.
 *
 * Who keeps what: the dma-buf's file holds one reference on the vram_buffer; whoever walks a
 * device's list holds another while it looks. The list itself holds none, and no reference is ever
 * taken on the file: it may be gone while its dma-buf is not (an O_PATH descriptor keeps the
 * dentry). vram_buffer.alive keeps the dma-buf from being released under a revocation; only this
 * buffer's own release ever waits for it, and importers keep the buffer from being released, so
 * nobody who is waited for can be waiting there.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "vram.h"

VRAM_IMPORT_DMA_BUF();

static unsigned int warn_after = 5;
module_param(warn_after, uint, 0644);
MODULE_PARM_DESC(
	warn_after,
	"Seconds after which a revocation names the importer that it waits for; later messages come at twice the time each. Default: 5");

#define VRAM_LONGEST_PAUSE (600 * HZ)

/* Every device's list, vram_device.live, and what VRAM_FEATURE_STATE tells of a buffer. */
static DEFINE_SPINLOCK(vram_list_lock);

/* What the exporter knows about one importer: dma_buf_attachment.priv. */
struct vram_importer {
	unsigned int mapped; /* under the reservation lock */
};

struct vram_buffer *vram_buffer_alloc(struct pci_dev *pdev)
{
	struct vram_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);

	if (!buffer)
		return NULL;
	kref_init(&buffer->kref);
	INIT_LIST_HEAD(&buffer->node);
	mutex_init(&buffer->alive);
	init_waitqueue_head(&buffer->idle);
	buffer->pdev = pdev;
	return buffer;
}

static void vram_buffer_free(struct kref *kref)
{
	struct vram_buffer *buffer = container_of(kref, struct vram_buffer, kref);

	spin_lock(&vram_list_lock);
	list_del_init(&buffer->node);
	spin_unlock(&vram_list_lock);
	mutex_destroy(&buffer->alive);
	kvfree(buffer->vec);
	kfree(buffer);
}

void vram_buffer_put(struct vram_buffer *buffer)
{
	kref_put(&buffer->kref, vram_buffer_free);
}

/* The buffer after @prev (NULL: the first) with a reference; drops the one on @prev. */
struct vram_buffer *vram_buffer_next(struct vram_device *vram, struct vram_buffer *prev)
{
	struct vram_buffer *buffer, *found = NULL;

	lockdep_assert_held(&vram->lock);

	spin_lock(&vram_list_lock);
	buffer = list_prepare_entry(prev, &vram->buffers, node);
	list_for_each_entry_continue(buffer, &vram->buffers, node) {
		if (kref_get_unless_zero(&buffer->kref)) {
			found = buffer;
			break;
		}
	}
	spin_unlock(&vram_list_lock);
	if (prev)
		vram_buffer_put(prev);
	return found;
}

/* After the last revocation: nothing of the device is reached through its buffers any more. */
void vram_buffer_forget_all(struct vram_device *vram)
{
	struct vram_buffer *buffer, *next;

	lockdep_assert_held(&vram->lock);

	spin_lock(&vram_list_lock);
	list_for_each_entry_safe(buffer, next, &vram->buffers, node) {
		buffer->owner = NULL;
		list_del_init(&buffer->node);
	}
	spin_unlock(&vram_list_lock);
}

static int vram_dma_buf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct vram_buffer *buffer = dmabuf->priv;
	bool revoked;

	if (!attach->peer2peer)
		return -EOPNOTSUPP;
	dma_resv_lock(dmabuf->resv, NULL);
	revoked = buffer->revoked;
	dma_resv_unlock(dmabuf->resv);
	if (revoked)
		return -ENODEV;
	if (!vram_attach_revocable(attach))
		return -EOPNOTSUPP;

	attach->priv = kzalloc(sizeof(struct vram_importer), GFP_KERNEL);
	return attach->priv ? 0 : -ENOMEM;
}

static void vram_dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	kfree(attach->priv);
	attach->priv = NULL;
}

static struct sg_table *vram_dma_buf_map(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir)
{
	struct vram_buffer *buffer = attach->dmabuf->priv;
	struct vram_importer *importer = attach->priv;
	struct sg_table *sgt;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (buffer->revoked)
		return ERR_PTR(-ENODEV);
	sgt = vram_map(attach, buffer, dir);
	if (!IS_ERR(sgt)) {
		importer->mapped++;
		buffer->mapped++;
	}
	return sgt;
}

static void vram_dma_buf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			       enum dma_data_direction dir)
{
	struct vram_buffer *buffer = attach->dmabuf->priv;
	struct vram_importer *importer = attach->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	vram_unmap(attach, sgt, dir);
	importer->mapped--;
	WRITE_ONCE(buffer->mapped, buffer->mapped - 1);
	if (!buffer->mapped)
		wake_up_all(&buffer->idle);
}

static void vram_dma_buf_release(struct dma_buf *dmabuf)
{
	struct vram_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->alive);
	buffer->dmabuf = NULL;
	mutex_unlock(&buffer->alive);
	vram_buffer_put(buffer);
}

#ifdef VRAM_NEEDS_PIN_OPS
/*
 * Without CONFIG_DMABUF_MOVE_NOTIFY dma-buf itself pins at each map and unpins at unmap; importers
 * are told to let go nevertheless. With it, only an importer that wants the buffer to stay pins.
 */
static int vram_dma_buf_pin(struct dma_buf_attachment *attach)
{
	return IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) ? -EOPNOTSUPP : 0;
}

static void vram_dma_buf_unpin(struct dma_buf_attachment *attach)
{
}
#endif

static const struct dma_buf_ops vram_dma_buf_ops = {
	.attach = vram_dma_buf_attach,
	.detach = vram_dma_buf_detach,
	.map_dma_buf = vram_dma_buf_map,
	.unmap_dma_buf = vram_dma_buf_unmap,
	.release = vram_dma_buf_release,
#ifdef VRAM_NEEDS_PIN_OPS
	.pin = vram_dma_buf_pin,
	.unpin = vram_dma_buf_unpin,
#endif
};

/* Takes the caller's reference on @buffer, also when it fails. A file descriptor, or an error. */
int vram_buffer_export(struct vram_device *vram, struct vram_buffer *buffer, u32 open_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &vram_dma_buf_ops;
	info.size = buffer->size;
	info.flags = open_flags;
	info.priv = buffer;
	buffer->revoked = true;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		vram_buffer_put(buffer);
		return PTR_ERR(dmabuf);
	}
	buffer->dmabuf = dmabuf;

	/*
	 * From here on revocations find it; programs do once the descriptor stands. A revocation
	 * that waits for importers does not hold this up.
	 */
	spin_lock(&vram_list_lock);
	buffer->owner = vram;
	buffer->revoked = !vram->live;
	list_add_tail(&buffer->node, &vram->buffers);
	spin_unlock(&vram_list_lock);

	fd = dma_buf_fd(dmabuf, open_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/*
 * Names the importers that @what is missing from: who has it mapped, or anybody whose work may not
 * have ended.
 */
static void vram_name_importers(struct vram_buffer *buffer, const char *what, bool mapped_only,
				unsigned long since)
{
	unsigned int seconds = (jiffies - since) / HZ;
	struct device *dev = &buffer->pdev->dev;
	struct dma_buf_attachment *attach;

	if (!dma_resv_trylock(buffer->dmabuf->resv)) {
		dev_warn_ratelimited(
			dev, "revocation waits %u s for %s; the buffer is locked by an importer\n",
			seconds, what);
		return;
	}
	list_for_each_entry(attach, &buffer->dmabuf->attachments, node) {
		struct vram_importer *importer = attach->priv;

		if (importer->mapped || !mapped_only)
			dev_warn_ratelimited(dev, "revocation waits %u s for %s: %s %s\n", seconds,
					     what, dev_driver_string(attach->dev),
					     dev_name(attach->dev));
	}
	dma_resv_unlock(buffer->dmabuf->resv);
}

/*
 * Importers were told. First what their devices are doing now must end (fences), then they must
 * unmap. There is no way to end either from here, so there is no time limit; but the log says who
 * it is.
 */
static void vram_wait_for_importers(struct vram_buffer *buffer)
{
	unsigned long pause = clamp_t(unsigned long, READ_ONCE(warn_after), 1, 600) * HZ,
		      since = jiffies;

	while (!dma_resv_wait_timeout(buffer->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
				      pause)) {
		vram_name_importers(buffer, "fences", false, since);
		pause = min_t(unsigned long, pause * 2, VRAM_LONGEST_PAUSE);
	}
	while (!wait_event_timeout(buffer->idle, !READ_ONCE(buffer->mapped), pause)) {
		vram_name_importers(buffer, "unmap", true, since);
		pause = min_t(unsigned long, pause * 2, VRAM_LONGEST_PAUSE);
	}
}

/* Buffers that are made from now on are born with it. */
void vram_buffer_set_live(struct vram_device *vram, bool live)
{
	spin_lock(&vram_list_lock);
	WRITE_ONCE(vram->live, live);
	spin_unlock(&vram_list_lock);
}

/* False when that is what it was. Importers are told, either way: to let go, or to map again. */
bool vram_buffer_set_revoked(struct vram_buffer *buffer, bool revoked)
{
	bool changed = false;

	mutex_lock(&buffer->alive);
	if (buffer->dmabuf && buffer->revoked != revoked) {
		dma_resv_lock(buffer->dmabuf->resv, NULL);
		spin_lock(&vram_list_lock);
		buffer->revoked = revoked;
		buffer->generation++;
		spin_unlock(&vram_list_lock);
		vram_invalidate_mappings(buffer->dmabuf);
		dma_resv_unlock(buffer->dmabuf->resv);
		changed = true;
	}
	mutex_unlock(&buffer->alive);
	return changed;
}

/* Returns when no importer reaches the memory of a revoked buffer any more. */
void vram_buffer_wait(struct vram_buffer *buffer)
{
	mutex_lock(&buffer->alive);
	if (buffer->dmabuf)
		vram_wait_for_importers(buffer);
	mutex_unlock(&buffer->alive);
}

/* False: no dma-buf of this device, or the device was closed since. Waits for no revocation. */
bool vram_buffer_state(struct vram_device *vram, struct dma_buf *dmabuf,
		       struct vram_feature_state *state)
{
	struct vram_buffer *buffer;
	bool ours;

	if (dmabuf->ops != &vram_dma_buf_ops)
		return false;
	buffer = dmabuf->priv;
	spin_lock(&vram_list_lock);
	ours = buffer->owner == vram;
	state->state = buffer->revoked ? VRAM_STATE_REVOKED : VRAM_STATE_LIVE;
	state->generation = buffer->generation;
	spin_unlock(&vram_list_lock);
	return ours;
}
