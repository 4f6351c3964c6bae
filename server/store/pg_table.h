/* Rows of C structs as parameters of one set-wise statement: an array per column, read from a field
 * of each struct. */
#ifndef STORE_PG_TABLE_H
#define STORE_PG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct pg_connection;
struct pg_statement;

enum pg_table_kind {
    PG_TABLE_UUID,
    PG_TABLE_UUID_OR_NULL, /* nil is null */
    PG_TABLE_BIGINT,       /* int64_t */
    PG_TABLE_TIME,         /* int64_t, Unix us */
    PG_TABLE_SMALLINT,     /* int or enum */
    PG_TABLE_CURRENCY,
    PG_TABLE_TEXT,    /* struct slice */
    PG_TABLE_BYTEA,   /* struct slice */
    PG_TABLE_HASH,    /* uint8_t[32] */
    PG_TABLE_HASH_AT, /* pointer to 32 bytes, or NULL */
    PG_TABLE_TRACE_AT /* pointer to 16 bytes */
};

struct pg_table_column {
    enum pg_table_kind kind;
    size_t offset;
};

/* The rows of a statement: `count` structs of `size` bytes. */
struct pg_table {
    const struct pg_statement *statement;
    const struct pg_table_column *columns;
    size_t column_count;
    const void *rows;
    size_t count;
    size_t size;
};

/* Ask it; without rows there is nothing to ask. `created_at`: one more parameter, or NULL. False:
 * out of memory, or not ready. */
bool pg_table_ask(struct pg_connection *connection, struct arena *arena,
                  const struct pg_table *table, const int64_t *created_at);

#endif
