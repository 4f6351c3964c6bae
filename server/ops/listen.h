/* Listening sockets: with SO_REUSEPORT one per worker slot and listener, kept by the master so that
 * a dead worker's queue survives, and handed to a new master at an upgrade. Closing one would reset
 * what is queued on it, so none is closed while its address is listened on. */
#ifndef OPS_LISTEN_H
#define OPS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/inet.h"

#define LISTEN_MAX 512

struct listen_socket {
    int fd;
    int listener; /* index of its address */
};

struct listen_set {
    struct listen_socket sockets[LISTEN_MAX];
    int count;
    char error[256]; /* why listen_open said no: one line, with the next step in it */
};

/* At least one socket per slot for each address: first those that $MOOLAH_LISTEN_FDS hands over
 * (one of an address that isn't ours any more is closed), then new ones. A port that somebody has,
 * ourselves included, is an error: SO_REUSEPORT would share it in silence. */
bool listen_open(struct listen_set *set, const struct inet *addresses, int listeners, int slots);

/* The sockets of one of `slots` slots, into `out`; returns how many. When more were handed over
 * than there are slots, some slots have several of a listener. */
int listen_of_slot(const struct listen_set *set, int slot, int slots,
                   struct listen_socket out[LISTEN_MAX]);

/* For exec: let them be inherited, and say which in `text` (MOOLAH_LISTEN_FDS=...). */
bool listen_export(const struct listen_set *set, char *text, size_t size);

void listen_close(struct listen_set *set);

#endif
