/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The few functions of QEMU's utility library that libqtest and libqos call. QEMU's own files for them need a
 * monitor, trace events and a module loader; a test program has none of these.
 *
 * The prototypes are QEMU's; they are repeated here so that this file needs no QEMU header.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int error_printf(const char *fmt, ...);
void error_report(const char *fmt, ...);
void warn_report(const char *fmt, ...);
void qemu_set_cloexec(int fd);
ssize_t qemu_send_full(int fd, const void *buffer, size_t count);
int socket_init(void);
int qemu_socketpair(int domain, int type, int protocol, int sv[2]);
void register_module_init(void (*fn)(void), int type);

int error_printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const int written = vfprintf(stderr, fmt, ap);
    va_end(ap);
    return written;
}

static void report(const char *prefix, const char *fmt, va_list ap)
{
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void error_report(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report("error: ", fmt, ap);
    va_end(ap);
}

void warn_report(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report("warning: ", fmt, ap);
    va_end(ap);
}

void qemu_set_cloexec(int fd)
{
    fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) | FD_CLOEXEC);
}

/* Sends everything; a short result means that the peer is gone (errno says why). */
ssize_t qemu_send_full(int fd, const void *buffer, size_t count)
{
    size_t sent = 0;

    while (sent < count) {
        const ssize_t n = send(fd, (const char *)buffer + sent, count - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    return (ssize_t)sent;
}

int socket_init(void)
{
    return 0;
}

int qemu_socketpair(int domain, int type, int protocol, int sv[2])
{
    return socketpair(domain, type | SOCK_CLOEXEC, protocol, sv);
}

/* libqos registers nodes of a graph of drivers at start-up; these tests name their devices themselves. */
void register_module_init(void (*fn)(void), int type) {}
