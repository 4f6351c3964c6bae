/* One HTTP/2 connection over TLS 1.3 to the server under test, on the loop: made to drive 100,000
 * calls a second from one core. What is begun in a loop turn leaves in one flush at its end. */
#ifndef BENCHMARKS_WIRE_H
#define BENCHMARKS_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define WIRE_HEAD_MAX 200

struct ev_loop;
struct wire;
struct wire_target;

/* One call: the asker's memory, untouched by him from wire_begin until `answered`. */
struct wire_call {
    const char *method;
    struct slice path;
    struct slice authorization; /* "Bearer ...", or empty */
    struct slice key;           /* Idempotency-Key, or empty */
    struct slice body;          /* JSON, or empty */
    bool keep;                  /* collect the answer's body */

    int status;          /* 0: lost: connection or stream ended before the answer did */
    bool refused_stream; /* lost, but the server has said that it had not begun it */
    bool has_retry_after;
    uint64_t hash;            /* of the body: wire_hash */
    char *answer;             /* when kept: free it; NUL-terminated */
    uint32_t length;          /* of the body */
    char head[WIRE_HEAD_MAX]; /* its first bytes, so many of `length` as there is room for */
    char request_id[40];      /* what the server calls it; "": it has not said */
    int64_t began;            /* monotonic us */
    int64_t answered;         /* monotonic us */

    /* wire's own */
    struct slice unsent;
    int32_t stream;
    struct wire_call *next, *previous;
};

struct wire_owner {
    void *owner;
    void (*open)(void *owner, struct wire *wire); /* calls may begin */
    void (*answered)(void *owner, struct wire *wire, struct wire_call *call);
    void (*closed)(void *owner, struct wire *wire); /* free it, or wire_connect again: now or later
                                                     */
};

/* Where to: address, certificate. NULL: `error` says why. Shared by all connections. */
struct wire_target *wire_target_new(const char *host, int port, const char *ca_file, char *error,
                                    size_t size);
void wire_target_free(struct wire_target *target);

struct wire *wire_new(struct ev_loop *loop, struct wire_target *target, int streams,
                      const struct wire_owner *owner);
void wire_free(struct wire *wire); /* its calls are forgotten */
void wire_connect(struct wire *wire);

/* No new calls; closed when those in flight have ended. */
void wire_end(struct wire *wire);

int wire_room(const struct wire *wire); /* so many calls may begin now */
int wire_in_flight(const struct wire *wire);

/* False: no room (then nothing has happened). `answered` never comes from inside. */
bool wire_begin(struct wire *wire, struct wire_call *call);

/* FNV-1a, 64 bits, of a whole body: to compare it with what the ledger remembers. */
uint64_t wire_hash(const void *data, size_t length, uint64_t so_far);
#define WIRE_HASH_START UINT64_C(14695981039346656037)

#endif
