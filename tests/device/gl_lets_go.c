/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Asks hw/qemu/gl-driver.c about the GL of this process, for test_gl_driver.cpp. Exit code: 0 it lets go, 1
 * it does not, 77 there is no EGL on this machine.
 */
#include <dlfcn.h>
#include <stdbool.h>

bool vram_gl_lets_go(void);

int main(void)
{
    void *egl = dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL);
    bool lets_go;

    if (!egl)
        return 77;
    lets_go = vram_gl_lets_go();
    dlclose(egl);
    return lets_go ? 0 : 1;
}
