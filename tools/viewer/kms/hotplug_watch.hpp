// SPDX-License-Identifier: GPL-2.0-or-later
//
// HotplugWatch: the kernel's word that something was plugged into a DRM device or unplugged from it (a uevent
// of the subsystem "drm" with HOTPLUG=1; drivers/gpu/drm/drm_sysfs.c), through libudev.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_HOTPLUG_WATCH_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_HOTPLUG_WATCH_HPP

#include "vramlink/error.hpp"

#include <glib.h>
#include <sys/types.h>

#include <functional>
#include <memory>

struct udev;
struct udev_monitor;

namespace vramlink {

class HotplugWatch {
  public:
    /// Watches the device behind @p drm_fd, which is borrowed for this call only. Errors: libudev's errno.
    static Result<std::unique_ptr<HotplugWatch>> open(int drm_fd, std::function<void()> plugged);
    HotplugWatch(const HotplugWatch &) = delete;
    HotplugWatch &operator=(const HotplugWatch &) = delete;
    ~HotplugWatch();

  private:
    HotplugWatch(dev_t device, std::function<void()> plugged) : device_(device), plugged_(std::move(plugged))
    {
    }
    static gboolean on_event(gint fd, GIOCondition condition, gpointer self);

    dev_t device_;
    std::function<void()> plugged_;
    udev *udev_ = nullptr;
    udev_monitor *monitor_ = nullptr;
    guint source_ = 0;
};

} // namespace vramlink

#endif
