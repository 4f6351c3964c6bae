#include "base/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/json_check.h"

/* A struct json is a yyjson_val seen from outside; nothing else of yyjson leaves json*.c. */
static yyjson_val *inner(const struct json *value)
{
    return (yyjson_val *)(uintptr_t)value;
}

static const struct json *outer(const yyjson_val *value)
{
    return (const struct json *)value;
}

/* yyjson guesses how much it needs and asks for half as much again when it was too little. An arena
 * would keep every outgrown piece, so the first time the guess fails it gets the most it can ever
 * need. */
struct supply {
    struct arena *arena;
    size_t most; /* values */
    size_t given;
};

static void *take(void *pointer, size_t size)
{
    struct supply *supply = pointer;

    supply->given = size;
    return arena_room(supply->arena, size);
}

static void *take_more(void *pointer, void *old, size_t old_size, size_t size)
{
    struct supply *supply = pointer;

    if (size <= supply->given)
        return old;

    /* As often as yyjson would ask, at once. */
    size_t values = size / sizeof(yyjson_val);

    while (values < supply->most)
        values += values / 2;

    size_t given = values * sizeof(yyjson_val);
    void *more = arena_room(supply->arena, given);

    if (more == NULL)
        return NULL;
    memcpy(more, old, old_size);
    supply->given = given;
    return more;
}

static void leave(void *pointer, void *block)
{
    (void)pointer;
    (void)block;
}

/* The text in the arena, with the zeros behind it that parsing in place asks for. */
static char *copy_padded(struct slice text, struct arena *arena)
{
    char *copy = arena_room(arena, text.length + YYJSON_PADDING_SIZE);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text.at, text.length);
    memset(copy + text.length, 0, YYJSON_PADDING_SIZE);
    return copy;
}

static bool parse(struct slice text, struct arena *arena, struct json_error *error,
                  yyjson_val **root)
{
    size_t values;

    if (!json_check_shape(text, &values, error))
        return false;

    char *copy = copy_padded(text, arena);

    if (copy == NULL) {
        error->no_memory = true;
        return false;
    }

    /* A few more for yyjson's own header and the room it keeps free at the end. */
    struct supply supply = {arena, values + 16, 0};
    const yyjson_alc allocator = {take, take_more, leave, &supply};
    yyjson_read_err wrong = {0};
    yyjson_doc *document = yyjson_read_opts(
        copy, text.length, YYJSON_READ_INSITU | YYJSON_READ_NUMBER_AS_RAW, &allocator, &wrong);

    if (document == NULL) {
        error->no_memory = wrong.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION;
        error->offset = wrong.pos;
        snprintf(error->message, sizeof error->message, "%s", wrong.msg);
        return false;
    }
    *root = yyjson_doc_get_root(document);
    return json_check_document(document, copy, arena, error);
}

const struct json *json_parse(struct slice text, struct arena *arena, struct json_error *error)
{
    yyjson_val *root = NULL;

    *error = (struct json_error){0};
    if (text.length == 0) {
        snprintf(error->message, sizeof error->message, "the text is empty");
        return NULL;
    }
    if (parse(text, arena, error, &root))
        return outer(root);
    if (error->no_memory)
        snprintf(error->message, sizeof error->message, "out of memory");
    return NULL;
}

enum json_kind json_kind(const struct json *value)
{
    switch (yyjson_get_type(inner(value))) {
    case YYJSON_TYPE_NULL:
        return JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_NUM:
        return JSON_INTEGER;
    case YYJSON_TYPE_STR:
        return JSON_STRING;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    default: /* a raw number that json_check left as it is */
        return JSON_NUMBER;
    }
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",          [JSON_BOOL] = "true or false",
        [JSON_INTEGER] = "an integer", [JSON_NUMBER] = "a number that is no 64-bit integer",
        [JSON_STRING] = "a string",    [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };

    return names[kind];
}

int64_t json_integer(const struct json *value)
{
    assert(json_kind(value) == JSON_INTEGER);
    return yyjson_get_sint(inner(value));
}

struct slice json_number(const struct json *value)
{
    assert(json_kind(value) == JSON_NUMBER);
    return (struct slice){yyjson_get_raw(inner(value)), yyjson_get_len(inner(value))};
}

bool json_bool(const struct json *value)
{
    assert(json_kind(value) == JSON_BOOL);
    return yyjson_get_bool(inner(value));
}

struct slice json_string(const struct json *value)
{
    assert(json_kind(value) == JSON_STRING);
    return (struct slice){yyjson_get_str(inner(value)), yyjson_get_len(inner(value))};
}

const struct json *json_member(const struct json *object, const char *key)
{
    assert(json_kind(object) == JSON_OBJECT);
    return outer(yyjson_obj_get(inner(object), key));
}

size_t json_count(const struct json *array_or_object)
{
    assert(yyjson_is_ctn(inner(array_or_object)));
    return unsafe_yyjson_get_len(inner(array_or_object));
}

const struct json *json_element(const struct json *array, size_t index)
{
    assert(json_kind(array) == JSON_ARRAY && index < json_count(array));
    return outer(yyjson_arr_get(inner(array), index));
}

/* What a container holds lies right behind it: `*at` is the next one's distance from it. NULL: no
 * more. */
static yyjson_val *step(yyjson_val *container, size_t *at)
{
    if (*at == 0)
        *at = 1;
    if (*at * sizeof(yyjson_val) >= container->uni.ofs)
        return NULL;

    yyjson_val *value = container + *at;

    *at = (size_t)(unsafe_yyjson_get_next(value) - container);
    return value;
}

bool json_next(const struct json *object, size_t *at, struct slice *key, const struct json **value)
{
    assert(json_kind(object) == JSON_OBJECT);

    yyjson_val *name = step(inner(object), at);

    if (name == NULL)
        return false;
    *key = (struct slice){yyjson_get_str(name), yyjson_get_len(name)};
    *value = outer(step(inner(object), at));
    return true;
}

bool json_next_element(const struct json *array, size_t *at, const struct json **value)
{
    assert(json_kind(array) == JSON_ARRAY);

    yyjson_val *element = step(inner(array), at);

    if (element == NULL)
        return false;
    *value = outer(element);
    return true;
}
