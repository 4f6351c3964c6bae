#include "store/pg_array.h"

#include <assert.h>

#include "store/pg_params.h"

static size_t element_size(enum pg_array_type type)
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
void pg_array_begin(struct pg_array *array, struct pg_params *params, enum pg_array_type type,
                    int count)
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
    pg_array_bigint(array, unix_us - PG_PARAMS_EPOCH_US);
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
    pg_params_binary(array->params, &array->bytes);
}
