/* Keeps a worker's rules: loads the folder, watches it, swaps a good bundle in and keeps the old
 * one when the new one is refused. The workers of a server share a shelf (scripting/shelf.h) with
 * the last good bundle: none serves another for longer than a poll, and one that is started while
 * the folder holds something bad begins with it. */
#ifndef RULE_KEEPER_H
#define RULE_KEEPER_H

#include <stdbool.h>

struct posting_queue;
struct pg_pool;
struct rule_keeper;

struct rule_keeper_settings {
    const char *directory;
    const char *server; /* for the load's line: address of the public listener */
    int slot;
    struct posting_queue *posting;
    struct pg_pool *pool;
};

void rule_keeper_register_metrics(void);

/* In the master, before it forks: the shelf, with what the folder holds now (if that is good).
 * False: no memory. */
bool rule_keeper_start(const char *directory);

/* Serves what lies on the shelf; the first polls read the folder. */
struct rule_keeper *rule_keeper_new(const struct rule_keeper_settings *settings);
void rule_keeper_free(struct rule_keeper *keeper);

/* Read `directory` (borrowed) now and from now on, unless somebody is writing into it: then the
 * polls do it. When it is refused, the bundle that serves goes on. */
void rule_keeper_reload(struct rule_keeper *keeper, const char *directory);

/* Every 200 ms: load when the folder has changed, adopt what another worker has found good; note
 * what is still to be noted in the database. */
void rule_keeper_poll(struct rule_keeper *keeper);

#endif
