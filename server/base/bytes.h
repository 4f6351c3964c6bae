/* A growing buffer. Appending never returns an error: a failed allocation sets `failed`, further
 * appends do nothing, and whoever uses the result asks once, at the end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct arena;

struct bytes {
    char *at;
    size_t length;
    size_t capacity;
    size_t limit; /* never grow past this: reaching it sets failed; 0 means 1 GiB */
    bool failed;
    struct arena *arena; /* where growth comes from; NULL: the heap, then bytes_release is owed */
};

void bytes_init(struct bytes *bytes, struct arena *arena);
void bytes_release(struct bytes *bytes); /* heap ones; wipes nothing */
void bytes_clear(struct bytes *bytes);   /* length 0, failed false, capacity kept */

/* Room for `more` further bytes; false (and failed) when there is none. */
bool bytes_reserve(struct bytes *bytes, size_t more);

void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_add_slice(struct bytes *bytes, struct slice text);
void bytes_add_text(struct bytes *bytes, const char *text);
void bytes_add_char(struct bytes *bytes, char c);
void bytes_add_int(struct bytes *bytes, int64_t number); /* decimal */
void bytes_add_uint(struct bytes *bytes, uint64_t number);
void bytes_add_hex(struct bytes *bytes, const void *data, size_t length); /* lower case */
void bytes_printf(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Big-endian integers, as PostgreSQL's binary format wants them. */
void bytes_add_be16(struct bytes *bytes, uint16_t number);
void bytes_add_be32(struct bytes *bytes, uint32_t number);
void bytes_add_be64(struct bytes *bytes, uint64_t number);

/* Drop `length` bytes from the front (moves the rest). */
void bytes_consume(struct bytes *bytes, size_t length);

struct slice bytes_view(const struct bytes *bytes); /* valid until the next append */

#endif
