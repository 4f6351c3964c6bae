/* JSON at the edges. Reading is strict (RFC 8259 and more): valid UTF-8, no duplicate keys, depth
 * at most 16, nothing behind the value, no NUL (\u0000 neither), integers stay 64-bit and no number
 * ever becomes floating point. Writing appends to a struct bytes. The only user of yyjson. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct arena;
struct bytes;

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER, /* digits that fit int64_t; anything else numeric, -0 too, is JSON_NUMBER */
    JSON_NUMBER,  /* useless as an amount */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json; /* a value inside a parsed document; lives as long as the arena */

struct json_error {
    size_t offset;     /* byte in the text */
    char message[80];  /* for people: "duplicate key", "invalid UTF-8 encoding in string", ... */
    char pointer[128]; /* RFC 6901, of the value or of what holds it; "" is the whole document */
    bool no_memory;    /* the text may be fine: our own trouble */
};

/* Parse `text` into the arena. NULL: error filled. `text` needn't outlive the call. The arena grows
 * by about 4 times the text's length, and by 13 times at most, whoever wrote the text. */
const struct json *json_parse(struct slice text, struct arena *arena, struct json_error *error);

enum json_kind json_kind(const struct json *value);
const char *json_kind_name(enum json_kind kind);    /* "an integer", "a string", ... for messages */
int64_t json_integer(const struct json *value);     /* only of a JSON_INTEGER */
struct slice json_number(const struct json *value); /* only of a JSON_NUMBER: its text as it is */
bool json_bool(const struct json *value);           /* only of a JSON_BOOL */
struct slice json_string(const struct json *value); /* only of a JSON_STRING */
const struct json *json_member(const struct json *object, const char *key); /* NULL: absent */
size_t json_count(const struct json *array_or_object);
/* Counts its way through an array of arrays or objects: to see all of them, json_next_element. */
const struct json *json_element(const struct json *array, size_t index);

/* Walk an object's members in order: start with *at = 0; false at the end. `at` is no index. */
bool json_next(const struct json *object, size_t *at, struct slice *key, const struct json **value);
/* The same for an array. */
bool json_next_element(const struct json *array, size_t *at, const struct json **value);

/* Writing: commas are set by the writer; nesting up to 16 is asserted. */
struct json_writer {
    struct bytes *out;
    uint32_t first; /* bit per depth: nothing written yet there */
    uint8_t depth;
    bool after_key;
};

void json_write_init(struct json_writer *writer, struct bytes *out);
void json_write_object(struct json_writer *writer);
void json_write_object_end(struct json_writer *writer);
void json_write_array(struct json_writer *writer);
void json_write_array_end(struct json_writer *writer);
void json_write_key(struct json_writer *writer, const char *key); /* a C name: not escaped */
/* Escaped; each byte that is no UTF-8 becomes U+FFFD. */
void json_write_string(struct json_writer *writer, struct slice text);
void json_write_text(struct json_writer *writer, const char *text);
void json_write_int(struct json_writer *writer, int64_t number);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
void json_write_raw(struct json_writer *writer,
                    struct slice json); /* a value that is JSON already */

bool json_write_is_utf8(struct slice text); /* RFC 3629, NUL allowed */

#endif
