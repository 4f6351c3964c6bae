#include "store/pg_table.h"

#include "base/currency.h"
#include "store/pg_array.h"
#include "store/pg_connection.h"
#include "store/pg_params.h"

static enum pg_array_type column_type(enum pg_table_kind kind)
{
    switch (kind) {
    case PG_TABLE_UUID:
    case PG_TABLE_UUID_OR_NULL:
        return PG_UUID;
    case PG_TABLE_BIGINT:
        return PG_BIGINT;
    case PG_TABLE_TIME:
        return PG_TIME;
    case PG_TABLE_SMALLINT:
        return PG_SMALLINT;
    case PG_TABLE_CURRENCY:
        return PG_INTEGER;
    case PG_TABLE_TEXT:
        return PG_TEXT;
    case PG_TABLE_BYTEA:
    case PG_TABLE_HASH:
    case PG_TABLE_HASH_AT:
    case PG_TABLE_TRACE_AT:
        return PG_BYTEA;
    }
    return PG_TEXT;
}

static void add_pointed(struct pg_array *array, const void *field, size_t length)
{
    const char *at = *(const char *const *)field;
    pg_array_text(array, (struct slice){at, at == NULL ? 0 : length});
}

static void add_field(struct pg_array *array, enum pg_table_kind kind, const void *field)
{
    switch (kind) {
    case PG_TABLE_UUID:
        pg_array_uuid(array, field);
        return;
    case PG_TABLE_UUID_OR_NULL:
        pg_array_uuid(array, uuid_is_nil(field) ? NULL : field);
        return;
    case PG_TABLE_BIGINT:
        pg_array_bigint(array, *(const int64_t *)field);
        return;
    case PG_TABLE_TIME:
        pg_array_time(array, *(const int64_t *)field);
        return;
    case PG_TABLE_SMALLINT:
        pg_array_smallint(array, (int16_t) * (const int *)field);
        return;
    case PG_TABLE_CURRENCY:
        pg_array_integer(array, (int32_t) * (const currency *)field);
        return;
    case PG_TABLE_TEXT:
    case PG_TABLE_BYTEA:
        pg_array_text(array, *(const struct slice *)field);
        return;
    case PG_TABLE_HASH:
        pg_array_text(array, (struct slice){field, 32});
        return;
    case PG_TABLE_HASH_AT:
        add_pointed(array, field, 32);
        return;
    case PG_TABLE_TRACE_AT:
        add_pointed(array, field, 16);
        return;
    }
}

bool pg_table_ask(struct pg_connection *connection, struct arena *arena,
                  const struct pg_table *table, const int64_t *created_at)
{
    struct pg_params params;
    if (table->count == 0)
        return true;
    pg_params_init(&params, arena);
    for (size_t c = 0; c < table->column_count; c++) {
        struct pg_array array;
        const struct pg_table_column *column = &table->columns[c];
        pg_array_begin(&array, &params, column_type(column->kind), (int)table->count);
        for (size_t r = 0; r < table->count; r++)
            add_field(&array, column->kind,
                      (const char *)table->rows + r * table->size + column->offset);
        pg_array_end(&array);
    }
    if (created_at != NULL)
        pg_params_time(&params, *created_at);
    return pg_connection_ask(connection, table->statement, &params);
}
