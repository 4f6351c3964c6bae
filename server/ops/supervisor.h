/* The master: keeps the listening sockets, forks the workers and restarts a dead one at once.
 * Signals: HUP reload, USR2 upgrade to a new binary on the same sockets, TERM and INT drain (again:
 * at once). A worker whose loop stands still is killed. */
#ifndef OPS_SUPERVISOR_H
#define OPS_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inet.h"

#define SUPERVISOR_SLOTS_MAX 256
#define SUPERVISOR_LISTENERS_MAX 2

struct listen_socket;

/* What a worker tells the master, in shared memory. Atomic loads and stores only. */
struct supervisor_word {
    int64_t heartbeat; /* monotonic us, at least every fifth of hang_us */
    bool ready;        /* it serves */
    int64_t reloads;   /* HUPs it has dealt with */
};

/* A worker's place. */
struct supervisor_seat {
    int slot;
    const struct listen_socket *sockets; /* at least one per listener; they stay the master's */
    int count;
    struct supervisor_word *word;
};

struct supervisor_settings {
    struct inet addresses[SUPERVISOR_LISTENERS_MAX];
    int listeners;
    int workers;
    int drain_s;
    int64_t hang_us; /* a worker without a heartbeat for so long is killed */
    char **argv;     /* for the upgrade: how we were called */
    void *owner;
    /* In the child: serve until told to stop; its result is the exit code. HUP (reload, then count
     * it in the word), TERM (drain) and INT (not meant for a worker: ignore it) are blocked:
     * unblock each when there is somebody to take it. */
    int (*work)(void *owner, const struct supervisor_seat *seat);
    /* HUP: is what would be loaded any good? It logs what isn't. */
    bool (*may_reload)(void *owner);
    void (*ready)(void *owner); /* all workers serve, for the first time */
};

void supervisor_register_metrics(void);

/* Runs until told to stop. The process's exit code. */
int supervisor_run(const struct supervisor_settings *settings);

#endif
