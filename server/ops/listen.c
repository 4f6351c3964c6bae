#include "ops/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static int count_of(const struct listen_set *set, int listener)
{
    int count = 0;
    for (int i = 0; i < set->count; i++)
        count += set->sockets[i].listener == listener;
    return count;
}

static bool is_bound_to(int fd, const struct inet *address)
{
    struct sockaddr_storage wanted;
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    int listening = 0;
    socklen_t size = sizeof listening;
    memset(&bound, 0, sizeof bound);
    return socket_address(address, &wanted) > 0 &&
           getsockname(fd, (struct sockaddr *)&bound, &length) == 0 &&
           memcmp(&bound, &wanted, sizeof bound) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening == 1;
}

static void take_over(struct listen_set *set, const struct inet *addresses, int listeners, int fd)
{
    for (int i = 0; i < listeners && set->count < LISTEN_MAX; i++) {
        if (!is_bound_to(fd, &addresses[i]))
            continue;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        set->sockets[set->count++] = (struct listen_socket){fd, i};
        return;
    }
    close(fd);
}

static void inherit(struct listen_set *set, const struct inet *addresses, int listeners)
{
    const char *text = getenv(VARIABLE);
    while (text != NULL && *text >= '0' && *text <= '9') {
        char *end;
        long fd = strtol(text, &end, 10);
        if (fd > STDERR_FILENO && fd <= INT_MAX)
            take_over(set, addresses, listeners, (int)fd);
        text = *end == ',' ? end + 1 : end;
    }
    unsetenv(VARIABLE);
}

static bool is_free(struct listen_set *set, const struct inet *address)
{
    int fd = open_socket(address, false);
    if (fd < 0)
        return explain(set, address);
    close(fd);
    return true;
}

/* What is missing of one listener. */
static bool open_rest(struct listen_set *set, const struct inet *address, int listener, int slots)
{
    for (int have = count_of(set, listener); have < slots; have++) {
        int fd = open_socket(address, true);
        if (fd < 0)
            return explain(set, address);
        set->sockets[set->count++] = (struct listen_socket){fd, listener};
    }
    return true;
}

bool listen_open(struct listen_set *set, const struct inet *addresses, int listeners, int slots)
{
    bool good = true;
    set->count = 0;
    inherit(set, addresses, listeners);
    if (listeners * slots + set->count > LISTEN_MAX) {
        snprintf(set->error, sizeof set->error, "too many workers: %d", slots);
        good = false;
    }
    for (int i = 0; good && i < listeners; i++)
        good = count_of(set, i) > 0 || is_free(set, &addresses[i]);
    for (int i = 0; good && i < listeners; i++)
        good = open_rest(set, &addresses[i], i, slots);
    if (!good)
        listen_close(set);
    return good;
}

int listen_of_slot(const struct listen_set *set, int slot, int slots,
                   struct listen_socket out[LISTEN_MAX])
{
    int dealt[LISTEN_MAX] = {0};
    int count = 0;
    for (int i = 0; i < set->count; i++)
        if (dealt[set->sockets[i].listener]++ % slots == slot)
            out[count++] = set->sockets[i];
    return count;
}

bool listen_export(const struct listen_set *set, char *text, size_t size)
{
    int length = snprintf(text, size, "%s=", VARIABLE);
    for (int i = 0; i < set->count; i++) {
        int fd = set->sockets[i].fd;
        fcntl(fd, F_SETFD, 0);
        length += snprintf(text + length, size - (size_t)length, "%s%d", i == 0 ? "" : ",", fd);
        if ((size_t)length >= size)
            return false;
    }
    return true;
}

void listen_close(struct listen_set *set)
{
    for (int i = 0; i < set->count; i++)
        close(set->sockets[i].fd);
    set->count = 0;
}
