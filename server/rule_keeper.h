/* Keeps a worker's rules: loads the folder, watches it, swaps a good bundle in and keeps the old
 * one when the new one is refused. */
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
struct rule_keeper *rule_keeper_new(const struct rule_keeper_settings *settings);
void rule_keeper_free(struct rule_keeper *keeper);

/* Load now. False: refused, the old bundle (if any) goes on. */
bool rule_keeper_load(struct rule_keeper *keeper);

/* Every 200 ms: load when the folder has changed; note what is still to be noted in the database.
 */
void rule_keeper_poll(struct rule_keeper *keeper);

#endif
