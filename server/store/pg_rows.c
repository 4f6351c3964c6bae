#include "store/pg_rows.h"

#include <assert.h>
#include <libpq-fe.h>

#include "base/arena.h"
#include "store/pg_params.h"

/* A struct pg_rows is a PGresult seen from outside. */
static const PGresult *result_of(const struct pg_rows *rows)
{
    return (const PGresult *)rows;
}

void pg_rows_release(struct pg_rows *rows)
{
    PQclear((PGresult *)rows);
}

int pg_rows_count(const struct pg_rows *rows)
{
    return PQntuples(result_of(rows));
}

int64_t pg_rows_affected(const struct pg_rows *rows)
{
    return strtoll(PQcmdTuples((PGresult *)(uintptr_t)rows), NULL, 10);
}

bool pg_rows_is_null(const struct pg_rows *rows, int row, int column)
{
    return PQgetisnull(result_of(rows), row, column) != 0;
}

/* The bytes of a value that isn't null. */
static const unsigned char *value_of(const struct pg_rows *rows, int row, int column,
                                     size_t *length)
{
    assert(row < pg_rows_count(rows) && column < PQnfields(result_of(rows)));
    assert(!pg_rows_is_null(rows, row, column));
    *length = (size_t)PQgetlength(result_of(rows), row, column);
    return (const unsigned char *)PQgetvalue(result_of(rows), row, column);
}

bool pg_rows_bool(const struct pg_rows *rows, int row, int column)
{
    size_t length;
    const unsigned char *at = value_of(rows, row, column, &length);
    assert(length == 1);
    return at[0] != 0;
}

int64_t pg_rows_int(const struct pg_rows *rows, int row, int column)
{
    size_t length;
    const unsigned char *at = value_of(rows, row, column, &length);
    uint64_t bits = (at[0] & 0x80) != 0 ? UINT64_MAX : 0; /* the sign, extended */
    assert(length == 2 || length == 4 || length == 8);
    for (size_t i = 0; i < length; i++)
        bits = bits << 8 | at[i];
    return (int64_t)bits;
}

int64_t pg_rows_time(const struct pg_rows *rows, int row, int column)
{
    return pg_rows_int(rows, row, column) + PG_PARAMS_EPOCH_US;
}

struct uuid pg_rows_uuid(const struct pg_rows *rows, int row, int column)
{
    struct uuid id;
    size_t length;
    const unsigned char *at = value_of(rows, row, column, &length);
    assert(length == sizeof id.bytes);
    memcpy(id.bytes, at, sizeof id.bytes);
    return id;
}

struct slice pg_rows_text(const struct pg_rows *rows, int row, int column)
{
    size_t length;
    const unsigned char *at = value_of(rows, row, column, &length);
    return (struct slice){(const char *)at, length};
}

bool pg_rows_take_text(const struct pg_rows *rows, int row, int column, struct arena *arena,
                       struct slice *text)
{
    *text = (struct slice){NULL, 0};
    if (pg_rows_is_null(rows, row, column))
        return true;
    *text = pg_rows_text(rows, row, column);
    if (arena != NULL)
        *text = arena_copy(arena, *text);
    return text->at != NULL;
}
