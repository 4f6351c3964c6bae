/* The server under test, as ci/up's demo.json describes it: where it listens, its keys, its
 * processes. */
#ifndef BENCHMARKS_SITE_H
#define BENCHMARKS_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct site {
    char folder[256];
    int port;
    int operators_port;
    char ca[256];
    char partner_key[96];
    char operator_token[80];
    char database[512]; /* conninfo of the schema's owner */
    char redis[256];
    char sockets[256]; /* the folder of PostgreSQL's and Redis' sockets and pid files */
};

/* False: `error` says why, with the next step. */
bool site_open(struct site *site, const char *folder, char *error, size_t size);

enum site_part { SITE_MOOLAHD, SITE_POSTGRES, SITE_REDIS, SITE_PARTS };

const char *site_part_name(enum site_part part); /* "moolahd" "postgres" "redis" */

/* Its first process (the master, the postmaster); 0: none runs. */
pid_t site_pid(const struct site *site, enum site_part part);

/* The nth child of a part's first process; 0: there aren't so many. */
pid_t site_child(const struct site *site, enum site_part part, int nth);

/* CPU seconds that a part's processes have used since its first one began, the dead included. */
double site_cpu(const struct site *site, enum site_part part);

/* Resident memory of a part's processes, in bytes (what they share counts once per process). */
size_t site_memory(const struct site *site, enum site_part part);

/* Seconds of CPU so far of the password pools' threads: a part of moolahd's. */
double site_pool_cpu(const struct site *site);

/* Seconds that the machine's cores together have had nothing to do. */
double site_idle_cpu(void);

#endif
