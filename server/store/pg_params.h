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

/* A one-dimensional array, filled element by element:
 *     struct pg_array ids;
 *     pg_array_begin(&ids, params, PG_UUID, count);
 *     for (...) pg_array_uuid(&ids, &id);
 *     pg_array_end(&ids);             exactly `count` elements, asserted */
enum pg_type {
    PG_SMALLINT = 21,
    PG_INTEGER = 23,
    PG_BIGINT = 20,
    PG_TEXT = 25,
    PG_BYTEA = 17,
    PG_UUID = 2950,
    PG_TIME = 1184
};

struct pg_array {
    struct pg_params *params;
    struct bytes bytes;
    int left;
};

void pg_array_begin(struct pg_array *array, struct pg_params *params, enum pg_type type, int count);
void pg_array_smallint(struct pg_array *array, int16_t value);
void pg_array_integer(struct pg_array *array, int32_t value);
void pg_array_bigint(struct pg_array *array, int64_t value);
void pg_array_time(struct pg_array *array, int64_t unix_us);
void pg_array_uuid(struct pg_array *array, const struct uuid *value); /* NULL: null */
void pg_array_text(struct pg_array *array, struct slice value);       /* {NULL,0}: null */
void pg_array_end(struct pg_array *array);

#endif
