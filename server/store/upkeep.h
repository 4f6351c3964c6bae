/* What a server writes besides money: partitions ahead of time, rule bundles, and what came of each
 * change of the rules. All of it fire and forget: what fails is logged and tried again by the
 * caller's next round. */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct pg_pool;
struct pg_statement;

extern const struct pg_statement *const upkeep_statements[];

/* This month's partitions and two further ones. False: couldn't be asked, try again soon. */
bool upkeep_make_partitions(struct pg_pool *pool);

struct upkeep_rule_load {
    const char *server; /* address of the public listener */
    int slot;
    bool accepted;
    const uint8_t *hash;   /* 32 bytes: the bundle that serves from now on; NULL: none */
    struct slice files;    /* JSON of that bundle */
    struct slice findings; /* why the new one was not accepted */
    bool *failed;          /* set when it turns out so; must stay where it is until then */
};

bool upkeep_note_rules(struct pg_pool *pool, const struct upkeep_rule_load *load);

#endif
