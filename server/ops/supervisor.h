/* The master: keeps the listening sockets, forks the workers and restarts a dead one at once.
 * Signals: HUP reload, USR2 upgrade to a new binary on the same sockets, TERM and INT drain (again:
 * at once). A worker whose loop stands still for 10 s is killed. */
#ifndef OPS_SUPERVISOR_H
#define OPS_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inet.h"

#define SUPERVISOR_SLOTS_MAX 256
#define SUPERVISOR_LISTENERS_MAX 2

/* What a worker tells the master, in shared memory. */
struct supervisor_word {
    int64_t heartbeat; /* monotonic us, at least once a second */
    bool ready;        /* it serves */
};

struct supervisor_settings {
    struct inet addresses[SUPERVISOR_LISTENERS_MAX];
    int listeners;
    int workers;
    int drain_s;
    char **argv; /* for the upgrade: how we were called */
    void *owner;
    /* In the child: serve on `fds` (one per listener) until told to stop; its result is the exit
     * code. Signals are unblocked. */
    int (*work)(void *owner, int slot, const int *fds, struct supervisor_word *word);
    bool (*may_reload)(
        void *owner);           /* HUP: is the new configuration any good? it logs what isn't */
    void (*ready)(void *owner); /* all workers serve, for the first time */
};

void supervisor_register_metrics(void);

/* Runs until told to stop. The process's exit code. */
int supervisor_run(const struct supervisor_settings *settings);

#endif
