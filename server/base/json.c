#include "base/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/bytes.h"

enum { DEPTH_MAX = 16, MEMBERS_MAX = 4096 };

/* A struct json is a yyjson_val seen from outside; nothing else of yyjson leaves this file. */
static yyjson_val *inner(const struct json *value)
{
    return (yyjson_val *)(uintptr_t)value;
}

static const struct json *outer(yyjson_val *value)
{
    return (const struct json *)value;
}

static void *take(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void *take_more(void *context, void *old, size_t old_size, size_t size)
{
    void *fresh = arena_alloc(context, size);
    if (fresh != NULL)
        memcpy(fresh, old, old_size < size ? old_size : size);
    return fresh;
}

static void leave(void *context, void *block)
{
    (void)context;
    (void)block;
}

static void say(struct json_error *error, size_t offset, const char *message)
{
    error->offset = offset;
    snprintf(error->message, sizeof error->message, "%s", message);
    error->pointer[0] = '\0';
}

/* Before anything recurses: how deep do the brackets go? Strings are skipped; whether it's JSON at all is yyjson's business. */
static bool is_shallow(struct slice text, size_t *offset)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            *offset = i;
            if (++depth > DEPTH_MAX)
                return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}

static bool has_nul(yyjson_val *string)
{
    return memchr(yyjson_get_str(string), '\0', yyjson_get_len(string)) != NULL;
}

static bool same_key(yyjson_val *a, yyjson_val *b)
{
    size_t length = yyjson_get_len(a);
    return length == yyjson_get_len(b) &&
           memcmp(yyjson_get_str(a), yyjson_get_str(b), length) == 0;
}

/* Quadratic, so bounded: no request of ours has more members than a bulk has items. */
static const char *check_keys(yyjson_val *object, yyjson_val **culprit)
{
    yyjson_obj_iter left = yyjson_obj_iter_with(object);
    yyjson_val *key;
    size_t place = 0;
    if (yyjson_obj_size(object) > MEMBERS_MAX)
        return "too many members in one object";
    while ((key = yyjson_obj_iter_next(&left)) != NULL) {
        yyjson_obj_iter right = yyjson_obj_iter_with(object);
        *culprit = key;
        if (has_nul(key))
            return "NUL in a key";
        for (size_t i = 0; i < place; i++)
            if (same_key(yyjson_obj_iter_next(&right), key))
                return "duplicate key";
        place++;
    }
    return NULL;
}

/* All values of a document lie in one array, parents before children: no recursion. */
static const char *check_values(yyjson_doc *document, yyjson_val **culprit)
{
    yyjson_val *value = yyjson_doc_get_root(document);
    size_t count = yyjson_doc_get_val_count(document);
    for (size_t i = 0; i < count; i++, value++) {
        const char *wrong = NULL;
        *culprit = NULL;
        if (yyjson_is_str(value) && has_nul(value))
            wrong = "NUL in a string";
        else if (yyjson_is_obj(value))
            wrong = check_keys(value, culprit);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static void point_at(struct json_error *error, yyjson_val *key)
{
    size_t length = 0;
    const char *text = key == NULL ? "" : yyjson_get_str(key);
    size_t left = key == NULL ? 0 : yyjson_get_len(key);
    if (key == NULL)
        return;
    error->pointer[length++] = '/';
    for (; left > 0 && *text != '\0' && length + 3 < sizeof error->pointer; text++, left--) {
        if (*text == '~' || *text == '/') {
            error->pointer[length++] = '~';
            error->pointer[length++] = *text == '~' ? '0' : '1';
        } else {
            error->pointer[length++] = *text;
        }
    }
    error->pointer[length] = '\0';
}

const struct json *json_parse(struct slice text, struct arena *arena, struct json_error *error)
{
    const yyjson_alc allocator = {take, take_more, leave, arena};
    yyjson_read_err failure = {0};
    yyjson_val *culprit = NULL;
    size_t offset = 0;

    say(error, 0, "");
    if (text.length == 0) {
        say(error, 0, "the text is empty");
        return NULL;
    }
    if (!is_shallow(text, &offset)) {
        say(error, offset, "nested more than 16 deep");
        return NULL;
    }
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)text.at, text.length,
                                            YYJSON_READ_BIGNUM_AS_RAW, &allocator, &failure);
    if (document == NULL) {
        say(error, failure.pos, failure.msg);
        return NULL;
    }
    const char *wrong = check_values(document, &culprit);
    if (wrong != NULL) {
        say(error, 0, wrong);
        point_at(error, culprit);
        return NULL;
    }
    return outer(yyjson_doc_get_root(document));
}

enum json_kind json_kind(const struct json *value)
{
    yyjson_val *v = inner(value);
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL:
        return JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_STR:
        return JSON_STRING;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    default: /* numbers, or raw ones beyond 64 bits */
        if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
            return JSON_INTEGER;
        return JSON_NUMBER;
    }
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",         [JSON_BOOL] = "true or false",
        [JSON_INTEGER] = "an integer", [JSON_NUMBER] = "a number that is no 64-bit integer",
        [JSON_STRING] = "a string",   [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };
    return names[kind];
}

int64_t json_integer(const struct json *value)
{
    assert(json_kind(value) == JSON_INTEGER);
    return yyjson_get_sint(inner(value));
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
    yyjson_val *value = inner(array_or_object);
    return yyjson_is_arr(value) ? yyjson_arr_size(value) : yyjson_obj_size(value);
}

const struct json *json_element(const struct json *array, size_t index)
{
    assert(json_kind(array) == JSON_ARRAY && index < json_count(array));
    return outer(yyjson_arr_get(inner(array), index));
}

bool json_next(const struct json *object, size_t *at, struct slice *key,
               const struct json **value)
{
    assert(json_kind(object) == JSON_OBJECT);
    yyjson_obj_iter members = yyjson_obj_iter_with(inner(object));
    yyjson_val *name = NULL;
    if (*at >= json_count(object))
        return false;
    for (size_t i = 0; i <= *at; i++)
        name = yyjson_obj_iter_next(&members);
    *key = (struct slice){yyjson_get_str(name), yyjson_get_len(name)};
    *value = outer(yyjson_obj_iter_get_val(name));
    (*at)++;
    return true;
}
