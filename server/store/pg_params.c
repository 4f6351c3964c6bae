#include "store/pg_params.h"

#include <assert.h>

#include "base/arena.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

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

static void add_bytes(struct pg_params *params, const struct bytes *bytes)
{
    params->failed = params->failed || bytes->failed;
    add(params, bytes->failed ? NULL : bytes->at, bytes->length);
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
    char *at = arena_alloc(params->arena, size);
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
    add_integer(params, (uint64_t)(unix_us - EPOCH_2000_US), 8);
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
    add_bytes(params, &bytes);
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

static size_t element_size(enum pg_type type)
{
    switch (type) {
    case PG_SMALLINT:
        return 2;
    case PG_INTEGER:
        return 4;
    case PG_BIGINT:
    case PG_TIME:
        return 8;
    case PG_UUID:
        return 16;
    case PG_TEXT:
    case PG_BYTEA:
        return 32;
    }
    return 32;
}

/* array_send's format: dimensions, has-nulls flag, element type; then per dimension length and
 * lower bound. Room is taken at once. */
void pg_array_begin(struct pg_array *array, struct pg_params *params, enum pg_type type, int count)
{
    assert(count >= 0);
    array->params = params;
    array->left = count;
    bytes_init(&array->bytes, params->arena);
    bytes_reserve(&array->bytes, 20 + (size_t)count * (4 + element_size(type)));
    bytes_add_be32(&array->bytes, count == 0 ? 0 : 1);
    bytes_add_be32(&array->bytes, 1);
    bytes_add_be32(&array->bytes, (uint32_t)type);
    if (count == 0)
        return;
    bytes_add_be32(&array->bytes, (uint32_t)count);
    bytes_add_be32(&array->bytes, 1);
}

static void next(struct pg_array *array, size_t length)
{
    assert(array->left > 0);
    array->left--;
    bytes_add_be32(&array->bytes, (uint32_t)length);
}

static void null_element(struct pg_array *array)
{
    assert(array->left > 0);
    array->left--;
    bytes_add_be32(&array->bytes, UINT32_MAX);
}

void pg_array_smallint(struct pg_array *array, int16_t value)
{
    next(array, 2);
    bytes_add_be16(&array->bytes, (uint16_t)value);
}

void pg_array_integer(struct pg_array *array, int32_t value)
{
    next(array, 4);
    bytes_add_be32(&array->bytes, (uint32_t)value);
}

void pg_array_bigint(struct pg_array *array, int64_t value)
{
    next(array, 8);
    bytes_add_be64(&array->bytes, (uint64_t)value);
}

void pg_array_time(struct pg_array *array, int64_t unix_us)
{
    pg_array_bigint(array, unix_us - EPOCH_2000_US);
}

void pg_array_uuid(struct pg_array *array, const struct uuid *value)
{
    if (value == NULL) {
        null_element(array);
        return;
    }
    next(array, sizeof value->bytes);
    bytes_add(&array->bytes, value->bytes, sizeof value->bytes);
}

void pg_array_text(struct pg_array *array, struct slice value)
{
    if (value.at == NULL) {
        null_element(array);
        return;
    }
    next(array, value.length);
    bytes_add_slice(&array->bytes, value);
}

void pg_array_end(struct pg_array *array)
{
    assert(array->left == 0);
    add_bytes(array->params, &array->bytes);
}
