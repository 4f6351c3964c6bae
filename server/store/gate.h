/* The gate: who is calling, and may they call now. One Redis round trip (a function call that reads
 * the token and GCRA limits of user and IP and writes only if all allow). What Redis doesn't know
 * is asked of PostgreSQL, the truth, and offered back. A token that is unknown is charged to the IP
 * only, or it would burn the victim's quota.
 *
 * When Redis is down or takes over 25 ms a breaker opens: tokens are asked of PostgreSQL (equal
 * questions at once are asked once), limits are counted in this worker; it closes by itself. Cached
 * tokens live at most 60 s, a revoked one is replaced by a tombstone before revoking is
 * acknowledged. */
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
struct pg_statement;
struct redis;

enum gate_caller { GATE_NOBODY, GATE_USER, GATE_PARTNER };

/* GCRA: `burst` at once, refilled at `per_second`. */
struct gate_rate {
    double per_second;
    int burst;
};

struct gate_settings {
    const char *redis;  /* store/redis_address.h */
    int64_t timeout_us; /* 25 ms */
    struct gate_rate user;
    struct gate_rate ip;
    struct gate_rate sign_in_phone; /* tries per phone number */
    struct gate_rate sign_in_ip;
    struct gate_rate lookup_user; /* finding recipients by phone, per user */
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
    struct slice phone;                           /* for GATE_SIGN_IN; hashed before it leaves */
    struct gate_answer answer;                    /* filled before done */
    void (*done)(struct gate_question *question); /* once, never from inside gate_ask */
    /* gate's own */
    enum gate_caller kind; /* by the token's prefix */
    uint8_t token_hash[32];
    uint8_t value[33]; /* what PostgreSQL said of the token */
    bool has_value;
    int64_t lifetime_ms; /* of the value in the cache */
    bool malformed;      /* an Authorization that is no token */
    struct gate *gate;
    struct gate_question *next;   /* waiting for the same token's answer */
    struct gate_question *looker; /* the next of its list in the gate */
};

void gate_register_metrics(void);
struct gate *gate_new(struct ev_loop *loop, struct pg_pool *pool,
                      const struct gate_settings *settings);
void gate_free(struct gate *gate);

enum gate_asked {
    GATE_ASKED_NO,    /* out of memory or queue full: nothing will come */
    GATE_ASKED_LATER, /* done will be called */
    GATE_ASKED_NOW    /* the answer is there already; done isn't called */
};

/* Anonymous (empty authorization): GATE_NOBODY and GATE_ALLOWED when the limits allow. The question
 * must live until it's answered. */
enum gate_asked gate_ask(struct gate *gate, struct gate_question *question);

/* A sign-in went well: forget its phone's failed tries. Fire and forget. */
void gate_sign_in_succeeded(struct gate *gate, struct slice phone);

/* The token is revoked in PostgreSQL: put a tombstone over its cached copy. False: Redis can't be
 * told now, done isn't called: the copy dies within 60 s. `sure`: it's there. */
bool gate_revoke(struct gate *gate, const struct uuid *caller, const uint8_t token_hash[32],
                 void (*done)(void *owner, bool sure), void *owner);

/* Other rates and another timeout from now on. */
void gate_set_rates(struct gate *gate, const struct gate_settings *settings);

extern const struct pg_statement
    *const gate_statements[]; /* ended by NULL: for the pool's connections */

bool gate_breaker_is_open(const struct gate *gate);

/* Its connection, for who asks in the same flight: what is asked of it after gate_ask, in the same
 * turn, is answered before the question is. */
struct redis *gate_redis(struct gate *gate);

/* Tokens: "mlt_" (users) or "mlk_" (partners' keys) + base64url of 16 bytes id + 32 random bytes.
 * Only the SHA-256 of the whole text is stored. */
#define GATE_TOKEN_MAX 80
void gate_token_new(enum gate_caller kind, const struct uuid *caller_id,
                    char token[GATE_TOKEN_MAX]);
void gate_token_hash(struct slice token, uint8_t hash[32]);
/* GATE_NOBODY: it has not the form of a token. The id inside is only a claim. */
enum gate_caller gate_token_parse(struct slice token, struct uuid *caller_id);

#endif
