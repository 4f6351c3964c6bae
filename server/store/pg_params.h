/* Parameters of a prepared statement, in PostgreSQL's binary format. Values are copied into the
 * arena (or the arrays' element buffers are), so the caller's may go as soon as the call returns.
 */
#ifndef STORE_PG_PARAMS_H
#define STORE_PG_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

#define PG_PARAMS_MAX 24

struct pg_params {
    struct arena *arena;
    int count;
    bool failed;                       /* out of memory somewhere: pg_*_ask refuses it */
    const char *values[PG_PARAMS_MAX]; /* NULL: SQL null */
    int lengths[PG_PARAMS_MAX];
};

/* PostgreSQL counts microseconds from 2000-01-01. */
#define PG_PARAMS_EPOCH_US INT64_C(946684800000000)

void pg_params_init(struct pg_params *params, struct arena *arena);

void pg_params_null(struct pg_params *params);
void pg_params_bool(struct pg_params *params, bool value);
void pg_params_smallint(struct pg_params *params, int16_t value);
void pg_params_integer(struct pg_params *params, int32_t value);
void pg_params_bigint(struct pg_params *params, int64_t value);
void pg_params_time(struct pg_params *params, int64_t unix_us);          /* timestamptz */
void pg_params_uuid(struct pg_params *params, const struct uuid *value); /* NULL: null */
void pg_params_text(struct pg_params *params,
                    struct slice value); /* {NULL,0}: null; text and bytea alike */
/* A value that is in its binary format already; kept, not copied: it lives in the arena. */
void pg_params_binary(struct pg_params *params, const struct bytes *value);

#endif
