/* One-dimensional arrays as parameters: whole batches go through `unnest` this way. Filled element
 * by element: struct pg_array ids; pg_array_begin(&ids, params, PG_UUID, count); for (...)
 * pg_array_uuid(&ids, &id); pg_array_end(&ids);             exactly `count` elements, asserted The
 * format: PostgreSQL's array_recv (src/backend/utils/adt/arrayfuncs.c). */
#ifndef STORE_PG_ARRAY_H
#define STORE_PG_ARRAY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct pg_params;

/* Element types by their OIDs (pg_type.dat). */
enum pg_array_type {
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

void pg_array_begin(struct pg_array *array, struct pg_params *params, enum pg_array_type type,
                    int count);
void pg_array_smallint(struct pg_array *array, int16_t value);
void pg_array_integer(struct pg_array *array, int32_t value);
void pg_array_bigint(struct pg_array *array, int64_t value);
void pg_array_time(struct pg_array *array, int64_t unix_us);
void pg_array_uuid(struct pg_array *array, const struct uuid *value); /* NULL: null */
void pg_array_text(struct pg_array *array, struct slice value);       /* {NULL,0}: null */
void pg_array_end(struct pg_array *array);

#endif
