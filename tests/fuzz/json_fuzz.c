/* Arbitrary bytes as a JSON body: refused with a message, or a document whose every value can be
 * walked and written again. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As JSON again; objects as arrays of keys and values. What lies deeper than the writer goes is
 * left out. */
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
        for (size_t i = 0; kind == JSON_ARRAY && i < json_count(value); i++)
            write_back(writer, json_element(value, i), depth + 1);
        while (kind == JSON_OBJECT && json_next(value, &at, &key, &item)) {
            json_write_string(writer, key);
            write_back(writer, item, depth + 1);
        }
        json_write_array_end(writer);
    } else {
        json_write_null(writer);
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
        assert(error.message[0] != '\0');
    } else {
        json_write_init(&writer, &out);
        write_back(&writer, value, 0);
        assert(!out.failed && json_parse(bytes_view(&out), &arena, &error) != NULL);
    }
    arena_release(&arena);
    return 0;
}
