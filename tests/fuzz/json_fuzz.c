/* Arbitrary bytes as a JSON body: refused with a message, or a document that, written again and
 * parsed again, is the same. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As JSON again; objects as arrays of keys and values, since the writer takes C names for keys.
 * What is no 64-bit integer is written as null, what lies deeper than the writer goes is left out.
 */
static void write_back(struct json_writer *writer, const struct json *value, int depth)
{
    size_t at = 0;
    struct slice key;
    const struct json *item;
    enum json_kind kind = json_kind(value);
    if (kind == JSON_STRING) {
        json_write_string(writer, json_string(value));
    } else if (kind == JSON_INTEGER) {
        json_write_int(writer, json_integer(value));
    } else if (kind == JSON_BOOL) {
        json_write_bool(writer, json_bool(value));
    } else if ((kind == JSON_ARRAY || kind == JSON_OBJECT) && depth < 12) {
        json_write_array(writer);
        while (kind == JSON_ARRAY && json_next_element(value, &at, &item))
            write_back(writer, item, depth + 1);
        while (kind == JSON_OBJECT && json_next(value, &at, &key, &item)) {
            json_write_string(writer, key);
            write_back(writer, item, depth + 1);
        }
        json_write_array_end(writer);
    } else {
        json_write_null(writer);
    }
}

/* `again` is what write_back made of `value`. */
static void check_same(const struct json *value, const struct json *again, int depth)
{
    size_t at = 0;
    size_t at_again = 0;
    struct slice key;
    const struct json *item;
    const struct json *item_again = NULL;
    enum json_kind kind = json_kind(value);
    if (kind == JSON_STRING) {
        assert(slice_equal(json_string(value), json_string(again)));
    } else if (kind == JSON_INTEGER) {
        assert(json_integer(value) == json_integer(again));
    } else if (kind == JSON_BOOL) {
        assert(json_bool(value) == json_bool(again));
    } else if ((kind == JSON_ARRAY || kind == JSON_OBJECT) && depth < 12) {
        assert(json_count(again) == json_count(value) * (kind == JSON_OBJECT ? 2 : 1));
        while (kind == JSON_ARRAY && json_next_element(value, &at, &item)) {
            assert(json_next_element(again, &at_again, &item_again));
            check_same(item, item_again, depth + 1);
        }
        while (kind == JSON_OBJECT && json_next(value, &at, &key, &item)) {
            assert(json_next_element(again, &at_again, &item_again));
            assert(slice_equal(json_string(item_again), key));
            assert(json_next_element(again, &at_again, &item_again));
            check_same(item, item_again, depth + 1);
        }
    } else {
        assert(json_kind(again) == JSON_NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct bytes out;
    struct json_error error;
    struct json_writer writer;
    arena_init(&arena);
    bytes_init(&out, &arena);
    const struct json *value = json_parse((struct slice){(const char *)data, size}, &arena, &error);
    if (value == NULL) {
        assert(error.message[0] != '\0' && error.offset <= size && !error.no_memory);
    } else {
        json_write_init(&writer, &out);
        write_back(&writer, value, 0);
        const struct json *again = json_parse(bytes_view(&out), &arena, &error);
        assert(!out.failed && again != NULL);
        check_same(value, again, 0);
    }
    arena_release(&arena);
    return 0;
}
