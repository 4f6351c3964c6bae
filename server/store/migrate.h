/* Migrations: schema/NNNN_name.sql, carried inside the binary. Forward only, each in a transaction
 * of its own, under an advisory lock: of two at once the second waits, for a minute at most. What
 * is applied must still be what we have: a changed file is refused. Blocking libpq: for the command
 * line. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

struct migrate_step {
    int number;
    const char *name;
    bool applied; /* after the call */
    bool fresh;   /* by this call */
};

#define MIGRATE_STEPS_MAX 256

struct migrate_result {
    struct migrate_step steps[MIGRATE_STEPS_MAX];
    size_t count;
    char error[512]; /* "" when all went well: file, line and what PostgreSQL said */
};

/* Apply what is missing, or only look. As the schema's owner. False: result->error. */
bool migrate_run(const char *conninfo, bool only_look, struct migrate_result *result);

#endif
