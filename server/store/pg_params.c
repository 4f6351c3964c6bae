#include "store/pg_params.h"

#include <assert.h>

#include "base/arena.h"

void pg_params_init(struct pg_params *params, struct arena *arena)
{
    params->arena = arena;
    params->count = 0;
    params->failed = false;
}

static void add(struct pg_params *params, const char *value, size_t length)
{
    assert(params->count < PG_PARAMS_MAX);
    params->values[params->count] = value;
    params->lengths[params->count] = (int)length;
    params->count++;
}

void pg_params_binary(struct pg_params *params, const struct bytes *value)
{
    params->failed = params->failed || value->failed;
    add(params, value->failed ? NULL : value->at, value->failed ? 0 : value->length);
}

void pg_params_null(struct pg_params *params)
{
    add(params, NULL, 0);
}

void pg_params_bool(struct pg_params *params, bool value)
{
    add(params, value ? "\1" : "\0", 1);
}

/* The low `size` bytes of `value`, big-endian. */
static void add_integer(struct pg_params *params, uint64_t value, size_t size)
{
    char *at = arena_room(params->arena, size);
    if (at == NULL) {
        params->failed = true;
        add(params, NULL, 0);
        return;
    }
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(value >> 8 * (size - 1 - i));
    add(params, at, size);
}

void pg_params_smallint(struct pg_params *params, int16_t value)
{
    add_integer(params, (uint64_t)value, 2);
}

void pg_params_integer(struct pg_params *params, int32_t value)
{
    add_integer(params, (uint64_t)value, 4);
}

void pg_params_bigint(struct pg_params *params, int64_t value)
{
    add_integer(params, (uint64_t)value, 8);
}

void pg_params_time(struct pg_params *params, int64_t unix_us)
{
    add_integer(params, (uint64_t)(unix_us - PG_PARAMS_EPOCH_US), 8);
}

void pg_params_uuid(struct pg_params *params, const struct uuid *value)
{
    struct bytes bytes;
    if (value == NULL) {
        pg_params_null(params);
        return;
    }
    bytes_init(&bytes, params->arena);
    bytes_add(&bytes, value->bytes, sizeof value->bytes);
    pg_params_binary(params, &bytes);
}

void pg_params_text(struct pg_params *params, struct slice value)
{
    if (value.at == NULL) {
        pg_params_null(params);
        return;
    }
    struct slice copy = arena_copy(params->arena, value);
    params->failed = params->failed || copy.at == NULL;
    add(params, copy.at, copy.length);
}
