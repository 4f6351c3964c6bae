/* Reading a request's JSON body into C: strict, and every fault is told with a pointer to its
 * field. */
#ifndef API_BODY_H
#define API_BODY_H

#include <sys/types.h>

#include "api/call.h"
#include "base/uuid.h"

enum body_kind {
    BODY_TEXT,      /* struct slice: min..max characters, no control characters */
    BODY_TOKEN,     /* struct slice: as BODY_TEXT; absent it is no part of the hash */
    BODY_SECRET,    /* struct slice: the same, and never part of a hash that is stored */
    BODY_PHONE,     /* struct slice: E.164, + and 8 to 15 digits */
    BODY_AMOUNT,    /* int64_t: 1 .. 2^53-1 */
    BODY_INTEGER,   /* int64_t: min..max */
    BODY_BOOL,      /* bool */
    BODY_CURRENCY,  /* currency: an ISO 4217 code */
    BODY_WALLET,    /* struct uuid: wal_... */
    BODY_RECIPIENT, /* struct body_recipient: a wallet's id, or {"phone": "+27..."} */
    BODY_OBJECTS,   /* struct body_objects: min..max of them */
    BODY_EVENTS,    /* int64_t: ["transaction.deposit", ...] or ["*"], as struct webhook's kinds */
    BODY_ZONE,      /* int: an IANA time zone that zone.h knows; 0: none was given */
    BODY_TEXTS      /* struct body_texts: an object of texts, each of min..max characters */
};

#define BODY_TEXTS_MAX 8

/* In order of their names, however they came. */
struct body_texts {
    struct slice names[BODY_TEXTS_MAX];
    struct slice values[BODY_TEXTS_MAX];
    size_t count;
};

/* Where money goes. A phone: wallet is nil until somebody has looked it up. */
struct body_recipient {
    struct uuid wallet;
    struct slice phone;
};

struct body_field;

/* A list of objects that are read alike. The asker sets fields and size before body_read. */
struct body_objects {
    const struct body_field *fields;
    size_t size; /* of one in C */
    void *at;    /* `count` of them, in the request's arena */
    size_t count;
};

struct body_field {
    const char *name;
    enum body_kind kind;
    bool required;   /* an optional one may be absent or null, and stays as it was */
    size_t offset;   /* of its value in the operation */
    size_t min, max; /* of texts, in characters; of integers; of objects, how many */
};

/* Read the whole body by `fields` (ended by a NULL name) into `out`. False: call is refused, with
 * 400 or 415. The texts lie in the request's arena. */
bool body_read(struct call *call, const struct body_field *fields, void *out);

/* SHA-256 over method, path and what the fields say: equal for equal requests, however their JSON
 * is laid out. */
void body_hash(const struct call *call, const struct body_field *fields, const void *out,
               uint8_t hash[32]);

/* BODY_TEXTS as a JSON object again, in the request's arena; the names are checked and short. A
 * NULL text: out of memory. */
struct slice body_texts_json(struct call *call, const struct body_texts *texts);

/* The JSON pointer "/name", behind call->within, in the request's arena. */
struct slice body_pointer(struct call *call, struct slice name);

bool body_is_phone(struct slice text);

/* Characters of valid UTF-8; -1: a control character is among them. */
ssize_t body_characters(struct slice text);

#endif
