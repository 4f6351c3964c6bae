#include "base/json_check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

enum { FEW_KEYS = 16 }; /* compared each with each; more are sorted */

/* Where the walk is: the containers around the value, the outermost first. */
struct level {
    yyjson_val *container;
    yyjson_val *key; /* the last one seen, of an object */
    size_t left;     /* values still to come, keys among them */
    size_t index;    /* the next element's, of an array */
};

struct walk {
    struct level levels[JSON_CHECK_DEPTH_MAX];
    int depth;
    const char *text;
    struct arena *arena;
    struct json_error *error;
};

bool json_check_shape(struct slice text, size_t *values, struct json_error *error)
{
    int depth = 0;
    bool in_string = false;

    *values = 1;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];

        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        *values += c == ',' || c == ':' || c == '[' || c == '{';
        depth -= c == ']' || c == '}';
        if ((c == '[' || c == '{') && ++depth > JSON_CHECK_DEPTH_MAX) {
            error->offset = i;
            snprintf(error->message, sizeof error->message, "nested more than %d deep",
                     JSON_CHECK_DEPTH_MAX);
            return false;
        }
    }
    return true;
}

/* One reference token of RFC 6901. */
static void add_token(struct bytes *pointer, const struct level *level)
{
    bytes_add_char(pointer, '/');
    if (level->key == NULL) {
        bytes_add_uint(pointer, level->index - 1);
        return;
    }
    for (size_t i = 0; i < yyjson_get_len(level->key); i++) {
        char c = yyjson_get_str(level->key)[i];

        if (c == '~' || c == '/')
            bytes_add_text(pointer, c == '~' ? "~0" : "~1");
        else
            bytes_add_char(pointer, c);
    }
}

/* The way to the value at hand; when it doesn't fit, to the innermost holder that does. */
static void fill_pointer(const struct walk *walk, char *pointer, size_t size)
{
    struct bytes out = {.at = pointer, .capacity = size - 1, .limit = size - 1};
    size_t whole = 0;

    for (int i = 0; i < walk->depth; i++) {
        const struct level *level = &walk->levels[i];

        if (yyjson_is_obj(level->container) &&
            (level->key == NULL ||
             memchr(yyjson_get_str(level->key), '\0', yyjson_get_len(level->key)) != NULL))
            break;
        add_token(&out, level);
        if (out.failed)
            break;
        whole = out.length;
    }
    pointer[whole] = '\0';
}

/* `at` is the string or key that is wrong, decoded in place: it begins where it stood in the text.
 */
static bool refuse(const struct walk *walk, yyjson_val *at, const char *message)
{
    struct json_error *error = walk->error;

    error->offset = (size_t)(yyjson_get_str(at) - walk->text);
    snprintf(error->message, sizeof error->message, "%s", message);
    fill_pointer(walk, error->pointer, sizeof error->pointer);
    return false;
}

static bool has_nul(yyjson_val *string)
{
    return memchr(yyjson_get_str(string), '\0', yyjson_get_len(string)) != NULL;
}

/* By length, by bytes; equal ones in the order of the text. */
static int compare_keys(const void *left, const void *right)
{
    yyjson_val *a = *(yyjson_val *const *)left;
    yyjson_val *b = *(yyjson_val *const *)right;
    size_t a_length = yyjson_get_len(a), b_length = yyjson_get_len(b);

    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;

    int order = memcmp(yyjson_get_str(a), yyjson_get_str(b), a_length);

    if (order != 0)
        return order;
    return a < b ? -1 : a > b;
}

static bool same_key(yyjson_val *a, yyjson_val *b)
{
    size_t length = yyjson_get_len(a);

    return length == yyjson_get_len(b) && memcmp(yyjson_get_str(a), yyjson_get_str(b), length) == 0;
}

/* The first key that was there before, or NULL. */
static yyjson_val *find_among_few(yyjson_val **keys, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (same_key(keys[i], keys[k]))
                return keys[i];
    return NULL;
}

static yyjson_val *find_among_many(yyjson_val **keys, size_t count)
{
    yyjson_val *first = NULL;

    qsort(keys, count, sizeof keys[0], compare_keys);
    for (size_t i = 1; i < count; i++)
        if (same_key(keys[i], keys[i - 1]) && (first == NULL || keys[i] < first))
            first = keys[i];
    return first;
}

/* Looked at once, when the walk enters the object. */
static bool check_keys(struct walk *walk, struct level *level)
{
    yyjson_val *few[FEW_KEYS];
    size_t count = yyjson_obj_size(level->container);
    yyjson_val **keys = few;
    yyjson_val *key = unsafe_yyjson_get_first(level->container);

    if (count > FEW_KEYS)
        keys = arena_array(walk->arena, count, sizeof keys[0]);
    if (keys == NULL) {
        walk->error->no_memory = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = key;
        key = unsafe_yyjson_get_next(key + 1);
    }

    yyjson_val *twice =
        count > FEW_KEYS ? find_among_many(keys, count) : find_among_few(keys, count);

    if (twice == NULL)
        return true;
    level->key = twice;
    return refuse(walk, twice, "duplicate key");
}

/* Digits without a fraction or exponent, within int64_t; "-0" is none: it has no integer to be. */
static bool read_integer(yyjson_val *raw, int64_t *number)
{
    const char *text = yyjson_get_raw(raw);
    size_t length = yyjson_get_len(raw);
    bool negative = text[0] == '-';

    *number = 0;
    for (size_t i = negative; i < length; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, negative ? -digit : digit, number))
            return false;
    }
    return !(negative && *number == 0);
}

static bool enter(struct walk *walk, yyjson_val *container)
{
    bool is_object = yyjson_is_obj(container);

    assert(walk->depth < JSON_CHECK_DEPTH_MAX);

    struct level *level = &walk->levels[walk->depth++];

    *level = (struct level){
        .container = container,
        .left = is_object ? 2 * yyjson_obj_size(container) : yyjson_arr_size(container),
    };
    return !is_object || check_keys(walk, level);
}

/* True: `value` was a key of the container at hand. */
static bool take_place(struct walk *walk, yyjson_val *value)
{
    while (walk->depth > 0 && walk->levels[walk->depth - 1].left == 0)
        walk->depth--;
    if (walk->depth == 0)
        return false;

    struct level *level = &walk->levels[walk->depth - 1];

    level->left--;
    if (!yyjson_is_obj(level->container)) {
        level->index++;
        return false;
    }
    if (level->left % 2 == 0)
        return false;
    level->key = value;
    return true;
}

static bool check_value(struct walk *walk, yyjson_val *value)
{
    int64_t number;

    if (take_place(walk, value))
        return !has_nul(value) || refuse(walk, value, "NUL in a key");
    if (yyjson_is_str(value))
        return !has_nul(value) || refuse(walk, value, "NUL in a string");
    if (yyjson_is_raw(value) && read_integer(value, &number))
        yyjson_set_sint(value, number);
    return !yyjson_is_ctn(value) || enter(walk, value);
}

/* All values of a document lie in one array, a container before what it holds: no recursion. */
bool json_check_document(struct yyjson_doc *document, const char *text, struct arena *arena,
                         struct json_error *error)
{
    struct walk walk = {.text = text, .arena = arena, .error = error};
    yyjson_val *values = yyjson_doc_get_root(document);
    size_t count = yyjson_doc_get_val_count(document);

    for (size_t i = 0; i < count; i++)
        if (!check_value(&walk, values + i))
            return false;
    return true;
}
