// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/hotplug_watch.hpp"

#include <glib-unix.h>
#include <libudev.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace vramlink {
namespace {

bool is_hotplug(udev_device *event)
{
    const char *value = udev_device_get_property_value(event, "HOTPLUG");
    return value != nullptr && std::strcmp(value, "1") == 0;
}

} // namespace

Result<std::unique_ptr<HotplugWatch>> HotplugWatch::open(int drm_fd, std::function<void()> plugged)
{
    struct stat status {};
    if (fstat(drm_fd, &status) < 0)
        return fail(errno, std::strerror(errno));
    std::unique_ptr<HotplugWatch> watch(new HotplugWatch(status.st_rdev, std::move(plugged)));
    watch->udev_ = udev_new();
    // From the kernel itself: a host without udevd has monitors, too.
    if (watch->udev_)
        watch->monitor_ = udev_monitor_new_from_netlink(watch->udev_, "kernel");
    if (!watch->monitor_)
        return fail(errno ? errno : ENOMEM, "libudev opens no monitor");
    int r = udev_monitor_filter_add_match_subsystem_devtype(watch->monitor_, "drm", nullptr);
    if (r >= 0)
        r = udev_monitor_enable_receiving(watch->monitor_);
    if (r < 0)
        return fail(-r, std::strerror(-r));
    watch->source_ =
        g_unix_fd_add(udev_monitor_get_fd(watch->monitor_), G_IO_IN, &HotplugWatch::on_event, watch.get());
    return watch;
}

HotplugWatch::~HotplugWatch()
{
    if (source_)
        g_source_remove(source_);
    udev_monitor_unref(monitor_);
    udev_unref(udev_);
}

gboolean HotplugWatch::on_event(gint, GIOCondition, gpointer self)
{
    auto *watch = static_cast<HotplugWatch *>(self);
    udev_device *event = udev_monitor_receive_device(watch->monitor_);
    if (!event)
        return G_SOURCE_CONTINUE;
    const bool ours = udev_device_get_devnum(event) == watch->device_ && is_hotplug(event);
    udev_device_unref(event);
    if (ours)
        watch->plugged_();
    return G_SOURCE_CONTINUE;
}

} // namespace vramlink
