/* An HTTP/2 client over TLS 1.3 for tests: real bytes against the real server. Calls may wait
 * (client_call), or many may be in flight on many connections (client_begin, client_turn). Made for
 * tests: it asserts where a user's client would report. */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

#define CLIENT_HEADERS_MAX 24

struct client_header {
    char name[40];
    char value[256];
};

/* One call: fill in the question, keep it where it is until `done` or `lost`. */
struct client_call {
    const char *method;
    const char *path;
    const char *token;             /* Authorization: Bearer; NULL: none */
    const char *key;               /* Idempotency-Key; NULL: none */
    const char *body;              /* NULL: none */
    size_t body_length;            /* 0: strlen(body) */
    const char *type;              /* content-type of a body; NULL: application/json */
    struct client_header extra[4]; /* further headers, ended by an empty name */

    bool done;      /* answered whole */
    bool lost;      /* the connection or stream ended before the answer did */
    uint32_t reset; /* HTTP/2 error code of a stream that was reset */
    int status;
    struct client_header headers[CLIENT_HEADERS_MAX];
    size_t header_count;
    char *answer; /* NUL-terminated; client_call_clear frees it */
    size_t answer_length;
    int64_t began_us;
    int64_t ended_us; /* monotonic */
    size_t body_sent;
    int32_t stream;
    struct client_call *next;
};

/* Connect to 127.0.0.1:port, trusting `ca_file` for "localhost". NULL when it doesn't come about
 * within 5 s. */
struct client *client_open(int port, const char *ca_file);
void client_close(struct client *client); /* calls in flight become lost */

bool client_is_open(const struct client *client); /* no error, no GOAWAY yet */
int client_in_flight(const struct client *client);

/* Send; false when the connection is closed (then call->lost). */
bool client_begin(struct client *client, struct client_call *call);

/* Wait up to `timeout_ms` for anything on these connections (NULLs are skipped), and handle it. */
void client_turn(struct client *const *clients, size_t count, int timeout_ms);

/* client_begin, then wait until done or lost or 30 s have passed (then it's lost). Returns
 * call->done. */
bool client_call(struct client *client, struct client_call *call);

const char *client_header(const struct client_call *call, const char *name); /* NULL: absent */
void client_call_clear(struct client_call *call);

/* A short way: method, path, token, key, body -> status; the answer is in *call. */
int client_do(struct client *client, struct client_call *call, const char *method, const char *path,
              const char *token, const char *key, const char *body)
    __attribute__((nonnull(1, 2, 3, 4)));

#endif
