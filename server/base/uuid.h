/* UUIDs and the ids clients see: a prefix and 26 characters of Crockford base32 over the UUID
 * ("wal_" + base32). Version 7 (RFC 9562): 48 bits of Unix milliseconds, 12 bits that count within
 * a millisecond, 62 random bits, so ids made by one process strictly grow. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_MAX 32 /* prefix of up to 4 characters + 26 + NUL */

static inline int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes); /* PostgreSQL's order of uuid, too */
}

static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

static inline bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil = {{0}};
    return uuid_equal(id, &nil);
}

/* A new version 7 id for the moment `now_us` (Unix microseconds). Grows strictly per process. */
struct uuid uuid_new(int64_t now_us);

/* Random bytes for other ids: from the same pool, which one system call fills for hundreds. Keys
 * and tokens take crypto_random. */
void uuid_random(void *out, size_t length);

/* The moment inside a version 7 id, Unix milliseconds. */
int64_t uuid_milliseconds(const struct uuid *id);

/* "tx_01jb..." into `text`; `prefix` is one of usr_ wal_ tx_ hld_ qte_ prd_ doc_ key_ req_ ses_.
 * Lower case. */
void uuid_format(const struct uuid *id, const char *prefix, char text[UUID_TEXT_MAX]);

/* Strict: the exact prefix, 26 characters, lower or upper case, no aliases (I L O U), first one
 * 0..7. */
bool uuid_parse(struct slice text, const char *prefix, struct uuid *id);

#endif
