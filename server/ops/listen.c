#include "ops/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define VARIABLE "MOOLAH_LISTEN_FDS"
#define BACKLOG 4096

static socklen_t socket_address(const struct inet *address, struct sockaddr_storage *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memset(out, 0, sizeof *out);
    if (memcmp(address->bytes, mapped, sizeof mapped) == 0) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(address->port);
        memcpy(&ipv4->sin_addr, address->bytes + 12, 4);
        return sizeof *ipv4;
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(address->port);
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return sizeof *ipv6;
}

static int open_socket(const struct inet *address, bool shared)
{
    struct sockaddr_storage where;
    socklen_t length = socket_address(address, &where);
    int on = 1;
    int off = 0;
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (where.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* a listening socket is what finds out whether the port is taken */
    if (bind(fd, (struct sockaddr *)&where, length) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static bool explain(struct listen_set *set, const struct inet *address)
{
    char text[INET_TEXT_MAX];
    const char *help = "";
    inet_text(address, text);
    if (errno == EADDRINUSE)
        help = ": another program has this port; choose another in listen (ci/up: --port)";
    else if (errno == EACCES)
        help = ": ports below 1024 need CAP_NET_BIND_SERVICE";
    snprintf(set->error, sizeof set->error, "cannot listen on %s port %d: %s%s", text,
             address->port, strerror(errno), help);
    return false;
}

bool listen_open(struct listen_set *set, const struct inet *addresses, int listeners, int slots)
{
    set->slots = set->listeners = 0;
    if (listeners * slots > LISTEN_MAX) {
        snprintf(set->error, sizeof set->error, "too many workers: %d", slots);
        return false;
    }
    for (int i = 0; i < listeners; i++) {
        int fd = open_socket(&addresses[i], false);
        if (fd < 0)
            return explain(set, &addresses[i]);
        close(fd);
    }
    set->listeners = listeners;
    for (int slot = 0; slot < slots; slot++) {
        for (int i = 0; i < listeners; i++)
            set->fds[slot * listeners + i] = open_socket(&addresses[i], true);
        set->slots = slot + 1;
        for (int i = 0; i < listeners; i++)
            if (listen_fd(set, slot, i) < 0)
                return explain(set, &addresses[i]);
    }
    return true;
}

bool listen_inherit(struct listen_set *set, int listeners, int slots)
{
    const char *text = getenv(VARIABLE);
    int count = 0;
    if (text == NULL || listeners * slots > LISTEN_MAX)
        return false;
    while (*text != '\0' && count < listeners * slots) {
        char *end;
        set->fds[count] = (int)strtol(text, &end, 10);
        fcntl(set->fds[count++], F_SETFD, FD_CLOEXEC);
        text = *end == ',' ? end + 1 : end;
    }
    unsetenv(VARIABLE);
    set->listeners = listeners;
    set->slots = slots;
    return count == listeners * slots;
}

bool listen_export(const struct listen_set *set, char *text, size_t size)
{
    int length = snprintf(text, size, "%s=", VARIABLE);
    for (int i = 0; i < set->slots * set->listeners; i++) {
        fcntl(set->fds[i], F_SETFD, 0);
        length +=
            snprintf(text + length, size - (size_t)length, "%s%d", i == 0 ? "" : ",", set->fds[i]);
        if ((size_t)length >= size)
            return false;
    }
    return true;
}

int listen_fd(const struct listen_set *set, int slot, int listener)
{
    return set->fds[slot * set->listeners + listener];
}

void listen_close(struct listen_set *set)
{
    for (int i = 0; i < set->slots * set->listeners; i++)
        if (set->fds[i] >= 0)
            close(set->fds[i]);
    set->slots = 0;
}
