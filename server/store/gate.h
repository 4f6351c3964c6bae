/* The gate: who is calling, and may they call now. One Redis round trip (a function call that reads the token and GCRA limits of
 * user and IP and writes only if all allow). What Redis doesn't know is asked of PostgreSQL, the truth, and offered back.
 * A token that is unknown is charged to the IP only, or it would burn the victim's quota.
 *
 * When Redis is down or takes over 25 ms a breaker opens: tokens are asked of PostgreSQL (equal questions at once are asked
 * once), limits are counted in this worker; it closes by itself. Cached tokens live at most 60 s, a revoked one is replaced by a
 * tombstone before revoking is acknowledged. */
#ifndef STORE_GATE_H
#define STORE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inet.h"
#include "base/slice.h"
#include "base/uuid.h"

struct arena;
struct ev_loop;
struct gate;
struct pg_pool;

enum gate_caller { GATE_NOBODY, GATE_USER, GATE_PARTNER };

/* GCRA: `burst` at once, refilled at `per_second`. */
struct gate_rate {
    double per_second;
    int burst;
};

struct gate_settings {
    const char *redis; /* "unix:/path" or "host:port", optional "password@" */
    int64_t timeout_us; /* 25 ms */
    struct gate_rate user;
    struct gate_rate ip;
    struct gate_rate sign_in_phone; /* tries per phone number */
    struct gate_rate sign_in_ip;
    struct gate_rate lookup_user;   /* finding recipients by phone, per user */
    struct gate_rate sign_up_ip;
};

enum gate_verdict {
    GATE_ALLOWED,
    GATE_UNAUTHENTICATED, /* no, unknown, expired or revoked token */
    GATE_LIMITED,         /* retry_after_us, policy */
    GATE_UNAVAILABLE      /* neither Redis nor PostgreSQL could say */
};

struct gate_answer {
    enum gate_verdict verdict;
    enum gate_caller caller;
    struct uuid caller_id;  /* usr_ or the partner */
    struct uuid sign_in_id; /* ses_ or key_ */
    const char *policy;     /* "user" "ip" "sign_in" ...: whose limit is told below */
    int limit_burst;        /* RateLimit-Policy q */
    int limit_window_s;     /* w: seconds for a full burst to refill, at least 1 */
    int remaining;          /* RateLimit r */
    int64_t retry_after_us; /* when GATE_LIMITED */
};

/* What is counted beside the token's own user and the IP. */
enum gate_extra { GATE_PLAIN, GATE_SIGN_IN, GATE_SIGN_UP, GATE_LOOKUP };

struct gate_question {
    struct slice authorization; /* the header's value, or empty for anonymous calls */
    struct inet client;         /* IPv6: counted by /64 */
    enum gate_extra extra;
    struct slice phone;         /* for GATE_SIGN_IN; hashed before it leaves */
    struct gate_answer answer;  /* filled before done */
    void (*done)(struct gate_question *question); /* once, never from inside gate_ask */
    /* gate's own */
    uint8_t token_hash[32];
    struct gate *gate;
    struct gate_question *next;
};

void gate_register_metrics(void);
struct gate *gate_new(struct ev_loop *loop, struct pg_pool *pool, const struct gate_settings *settings);
void gate_free(struct gate *gate);

/* Anonymous (empty authorization): GATE_NOBODY and GATE_ALLOWED when the limits allow. False: out of memory or queue full,
 * done is not called. The question must live until done. */
bool gate_ask(struct gate *gate, struct gate_question *question);

/* A sign-in went well: forget its phone's failed tries. Fire and forget. */
void gate_sign_in_succeeded(struct gate *gate, struct slice phone);

/* The token is revoked in PostgreSQL: tombstone it here. `done(owner, sure)`: sure is false when Redis could not be told (its copy dies within 60 s). */
void gate_revoke(struct gate *gate, const uint8_t token_hash[32], void (*done)(void *owner, bool sure), void *owner);

bool gate_breaker_is_open(const struct gate *gate);

/* Tokens: "mlt_" (users) or "mlk_" (partners' keys) + base64url of 16 bytes id + 32 random bytes. Only the SHA-256 of the whole text is stored. */
#define GATE_TOKEN_MAX 80
void gate_token_new(enum gate_caller kind, const struct uuid *caller_id, char token[GATE_TOKEN_MAX]);
void gate_token_hash(struct slice token, uint8_t hash[32]);

#endif
