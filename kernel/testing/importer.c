// SPDX-License-Identifier: GPL-2.0-only
/*
 * vram-importer: a dma-buf importer for tests. Not for production: it maps what it is told to.
 *
 * Each open of /dev/vram-importer is one attachment; closing it ends the attachment. Commands are
 *written, one for each write; the write fails with the errno of what was tried:
 *
 *	attach FD BDF [eager|lazy|no-p2p|static]	FD of the writing process; BDF names the
 *importing device map, unmap, pin, detach
 *	fence, signal					work of the importing device begins, ends
 *
 * Reading the file gives the number N of its directory in debugfs, vram-importer/N: "status"
 *(attached, mapped, notified: how many move notifications came), "scatterlist" (a line "ADDRESS
 *LENGTH" for each entry) and "content" (the buffer's bytes, read with the CPU; empty when it is not
 *mapped).
 */
#include <linux/debugfs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "importer.h"

#define COMMAND_MAX 80

struct handle {
	struct mutex lock;
	struct importer imp;
	struct dentry *dir;
	unsigned int number;
};

static struct dentry *importer_root;
static atomic_t importer_count = ATOMIC_INIT(0);

static int status_show(struct seq_file *file, void *unused)
{
	struct handle *handle = file->private;

	mutex_lock(&handle->lock);
	importer_show_status(&handle->imp, file);
	mutex_unlock(&handle->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(status);

static int scatterlist_show(struct seq_file *file, void *unused)
{
	struct handle *handle = file->private;

	mutex_lock(&handle->lock);
	importer_show_scatterlist(&handle->imp, file);
	mutex_unlock(&handle->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(scatterlist);

static int content_show(struct seq_file *file, void *unused)
{
	struct handle *handle = file->private;
	int ret;

	mutex_lock(&handle->lock);
	ret = importer_show_content(&handle->imp, file);
	mutex_unlock(&handle->lock);
	return ret;
}

static int content_open(struct inode *inode, struct file *file)
{
	struct handle *handle = inode->i_private;
	size_t size;

	mutex_lock(&handle->lock);
	size = handle->imp.dmabuf ? handle->imp.dmabuf->size : 0;
	mutex_unlock(&handle->lock);
	return single_open_size(file, content_show, handle, size + 1);
}

static const struct file_operations content_fops = {
	.owner = THIS_MODULE,
	.open = content_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int handle_open(struct inode *inode, struct file *file)
{
	struct handle *handle = kzalloc(sizeof(*handle), GFP_KERNEL);
	char name[12];

	if (!handle)
		return -ENOMEM;
	mutex_init(&handle->lock);
	handle->number = atomic_inc_return(&importer_count);
	snprintf(name, sizeof(name), "%u", handle->number);
	handle->dir = debugfs_create_dir(name, importer_root);
	debugfs_create_file("status", 0400, handle->dir, handle, &status_fops);
	debugfs_create_file("scatterlist", 0400, handle->dir, handle, &scatterlist_fops);
	debugfs_create_file("content", 0400, handle->dir, handle, &content_fops);
	file->private_data = handle;
	return 0;
}

static int handle_release(struct inode *inode, struct file *file)
{
	struct handle *handle = file->private_data;

	debugfs_remove(handle->dir);
	importer_detach(&handle->imp);
	mutex_destroy(&handle->lock);
	kfree(handle);
	return 0;
}

static ssize_t handle_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct handle *handle = file->private_data;
	char text[16];
	int len = scnprintf(text, sizeof(text), "%u\n", handle->number);

	return simple_read_from_buffer(buf, count, pos, text, len);
}

static int handle_attach(struct handle *handle, const char *arguments)
{
	static const char *const modes[] = { "eager", "lazy", "no-p2p", "static" };
	unsigned int domain, bus, slot, function;
	char mode[8] = "eager";
	struct pci_dev *pdev;
	int fd, index;

	if (handle->imp.attach)
		return -EBUSY;
	if (sscanf(arguments, "%d %x:%x:%x.%x %7s", &fd, &domain, &bus, &slot, &function, mode) < 5)
		return -EINVAL;
	index = match_string(modes, ARRAY_SIZE(modes), mode);
	if (index < 0)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENXIO;
	return importer_attach(&handle->imp, fd, pdev, index);
}

static const struct {
	const char *name;
	int (*run)(struct importer *imp);
} commands[] = {
	{ "map", importer_map },     { "unmap", importer_unmap },   { "pin", importer_pin },
	{ "fence", importer_fence }, { "signal", importer_signal },
};

static int handle_command(struct handle *handle, const char *line)
{
	size_t i;

	if (str_has_prefix(line, "attach "))
		return handle_attach(handle, line + strlen("attach "));
	if (!handle->imp.attach)
		return -ENOTCONN;
	if (!strcmp(line, "detach")) {
		importer_detach(&handle->imp);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(line, commands[i].name))
			return commands[i].run(&handle->imp);
	return -EINVAL;
}

static ssize_t handle_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct handle *handle = file->private_data;
	char line[COMMAND_MAX];
	int ret;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	mutex_lock(&handle->lock);
	ret = handle_command(handle, strim(line));
	mutex_unlock(&handle->lock);
	return ret ? ret : count;
}

static const struct file_operations handle_fops = {
	.owner = THIS_MODULE,
	.open = handle_open,
	.release = handle_release,
	.read = handle_read,
	.write = handle_write,
};

static struct miscdevice importer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vram-importer",
	.mode = 0600,
	.fops = &handle_fops,
};

static int __init importer_init(void)
{
	int ret;

	importer_root = debugfs_create_dir("vram-importer", NULL);
	ret = misc_register(&importer_device);
	if (ret)
		debugfs_remove(importer_root);
	return ret;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	misc_deregister(&importer_device);
	debugfs_remove(importer_root);
}
module_exit(importer_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vramlink");
MODULE_DESCRIPTION("dma-buf importer for tests");
