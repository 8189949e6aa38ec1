// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For the host in a box, not for users: mends a deadlock of Linux 7.3's DRM core on two CPUs.
 *
 * drm_crtc_vblank_start_timer() runs with the device's vblank lock held and interrupts off, and
 * waits until the timer's function has ended if it is just running. drm_vblank_timer_function(), on
 * the other CPU, waits for that lock. virtio-gpu takes its vblanks from this timer; a mode set soon
 * after another one hits the window, the sooner the longer the host of a virtual machine lets one
 * of its CPUs wait.
 *
 * A timer may be started while its function runs (hrtimer_start_range_ns()), so nobody needs to
 * wait: start_without_waiting() takes the place of the function that does.
 */
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#include <drm/drm_crtc.h>
#include <drm/drm_vblank.h>

static atomic_t mended = ATOMIC_INIT(0);

static int start_without_waiting(struct drm_crtc *crtc)
{
	struct drm_vblank_crtc *vblank = drm_crtc_vblank_crtc(crtc);
	struct drm_vblank_crtc_timer *timer = &vblank->vblank_timer;
	unsigned long flags;

	drm_calc_timestamping_constants(crtc, &crtc->mode);
	spin_lock_irqsave(&timer->interval_lock, flags);
	timer->interval = ns_to_ktime(vblank->framedur_ns);
	spin_unlock_irqrestore(&timer->interval_lock, flags);
	hrtimer_start(&timer->timer, timer->interval, HRTIMER_MODE_REL);
	return 0;
}

static int before_start(struct kprobe *probe, struct pt_regs *regs)
{
	struct drm_crtc *crtc = (struct drm_crtc *)regs_get_kernel_argument(regs, 0);
	struct drm_vblank_crtc_timer *timer = &drm_crtc_vblank_crtc(crtc)->vblank_timer;

	if (!timer->crtc)
		return 0; /* the first time, when it sets the timer up */
	if (hrtimer_active(&timer->timer) && !hrtimer_is_queued(&timer->timer))
		pr_notice("waits that did not happen: %d\n", atomic_inc_return(&mended));
	instruction_pointer_set(regs, (unsigned long)start_without_waiting);
	return 1;
}

static struct kprobe probe = {
	.symbol_name = "drm_crtc_vblank_start_timer",
	.pre_handler = before_start,
};

static int __init vblank_mend_init(void)
{
	return register_kprobe(&probe);
}

static void __exit vblank_mend_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(vblank_mend_init);
module_exit(vblank_mend_exit);
MODULE_DESCRIPTION("Mends a deadlock of DRM's vblank timer, for the tests of vramlink");
MODULE_LICENSE("GPL");
