/* Listening sockets: one per worker slot and listener with SO_REUSEPORT, kept by the master so that
 * a dead worker's queue survives, and handed to a new master at an upgrade. */
#ifndef OPS_LISTEN_H
#define OPS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/inet.h"

#define LISTEN_MAX 512

struct listen_set {
    int fds[LISTEN_MAX]; /* slot * listeners + listener */
    int slots;
    int listeners;
    char error[256]; /* why listen_open said no: one line, with the next step in it */
};

/* Open them all. A port that somebody has, ourselves included, is an error: SO_REUSEPORT would
 * share it in silence. */
bool listen_open(struct listen_set *set, const struct inet *addresses, int listeners, int slots);

/* From $MOOLAH_LISTEN_FDS, when it names as many; false: there is none, or for other numbers. */
bool listen_inherit(struct listen_set *set, int listeners, int slots);

/* For exec: let them be inherited, and say which in `text` (MOOLAH_LISTEN_FDS=...). */
bool listen_export(const struct listen_set *set, char *text, size_t size);

int listen_fd(const struct listen_set *set, int slot, int listener);
void listen_close(struct listen_set *set);

#endif
