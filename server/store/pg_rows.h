/* The rows of an answer, in binary format. A view: valid only inside the callback that gets it;
 * copy what is needed. Reading a column as another type than it has, or a null as a value, is a
 * programming error and asserted. */
#ifndef STORE_PG_ROWS_H
#define STORE_PG_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"

struct pg_rows; /* PGresult behind it */

/* Of rows that were kept beyond the callback. NULL is fine. */
void pg_rows_release(struct pg_rows *rows);

int pg_rows_count(const struct pg_rows *rows);
int64_t pg_rows_affected(const struct pg_rows *rows); /* of INSERT, UPDATE, DELETE */
bool pg_rows_is_null(const struct pg_rows *rows, int row, int column);
bool pg_rows_bool(const struct pg_rows *rows, int row, int column);
int64_t pg_rows_int(const struct pg_rows *rows, int row, int column);  /* int2, int4, int8 */
int64_t pg_rows_time(const struct pg_rows *rows, int row, int column); /* Unix us */
struct uuid pg_rows_uuid(const struct pg_rows *rows, int row, int column);
struct slice pg_rows_text(const struct pg_rows *rows, int row, int column); /* text or bytea */

/* The same copied into the arena (NULL: it stays in the rows). An SQL null is {NULL,0}. False: out
 * of memory. */
struct arena;
bool pg_rows_take_text(const struct pg_rows *rows, int row, int column, struct arena *arena,
                       struct slice *text);

#endif
