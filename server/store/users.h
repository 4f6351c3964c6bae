/* Users, their sign-ins and second factors: questions to PostgreSQL. Each answer struct lives in
 * the asker's memory and is filled before `done` is called (once, never from inside the asking
 * call). False from an ask: refused at once (queue full), done isn't called. */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/currency.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;

struct user {
    struct uuid id;
    struct slice phone; /* E.164 */
    struct slice name;
    int tier; /* KYC 0..3 */
    bool frozen;
    bool totp_enabled;
    int64_t created_at;
    struct uuid wallet; /* the first wallet, where money to this phone goes */
};

/* Embed one in the operation; texts of the answer are copied into `arena`. */
struct users_question {
    struct arena *arena;
    void (*done)(struct users_question *question);
    enum pg_outcome outcome;
    bool found; /* one row (or more) answered / the change took place */
    struct user user;
    char password[CRYPTO_PASSWORD_HASH_MAX]; /* users_find_sign_in: the stored hash */
    uint8_t totp_secret[CRYPTO_TOTP_SECRET_SIZE];
    bool has_totp_secret;
    int64_t totp_last_step;
    struct users_sign_in *sign_ins; /* users_list_sign_ins */
    size_t sign_in_count;
    uint8_t (
        *token_hashes)[CRYPTO_HASH_SIZE]; /* of the sign-ins that were revoked: to be tombstoned */
    size_t token_hash_count;
    bool replayed;   /* users_create under a key that is used: answer_* are the first ones */
    bool key_reused; /* ... by another request */
    int answer_status;
    struct slice answer_body;
    uint8_t asked_hash[CRYPTO_HASH_SIZE]; /* users_find_answer's own */
};

/* What a replay answers, remembered in the statement that makes it true. */
struct users_answer {
    struct slice key;            /* {NULL,0}: none, nothing is remembered */
    const uint8_t *request_hash; /* 32 bytes */
    int status;
    struct slice body;
};

struct users_sign_in {
    struct uuid id;
    struct slice device; /* user agent, at most 200 bytes */
    struct slice ip;
    int64_t created_at;
    int64_t expires_at;
};

/* With an Idempotency-Key (may be empty: none): remembered together with the user, in one
 * statement. */
struct users_new {
    struct uuid id;
    struct uuid wallet;
    struct slice phone;
    struct slice name;
    const char *password_hash;
    currency currency;
    int zone; /* of its wallet: base/zone.h */
    int64_t now;
    struct slice key;
    const uint8_t *request_hash; /* 32 bytes */
    int answer_status;
    struct slice answer_body; /* what a replay answers */
};

/* One statement: user, account and first wallet. outcome PG_CONFLICT: the phone is taken. */
bool users_create(struct pg_pool *pool, const struct users_new *fresh, struct users_question *q);
/* Look for the answer that is remembered under `caller` and `key` (NULL: anonymous calls'). found:
 * replayed/key_reused are set. */
bool users_find_answer(struct pg_pool *pool, const struct uuid *caller, struct slice key,
                       const uint8_t request_hash[32], struct users_question *q);

bool users_find(struct pg_pool *pool, const struct uuid *id, struct users_question *q);
bool users_find_secrets(struct pg_pool *pool, const struct uuid *id,
                        struct users_question *q); /* with password hash and TOTP state */
bool users_find_by_phone(struct pg_pool *pool, struct slice phone, struct users_question *q);
/* With password hash and TOTP state; not found: verify against a dummy hash all the same, so time
 * tells nothing. */
bool users_find_sign_in(struct pg_pool *pool, struct slice phone, struct users_question *q);

struct users_new_sign_in {
    struct uuid id;
    struct uuid user;
    uint8_t token_hash[CRYPTO_HASH_SIZE];
    struct slice device;
    struct slice ip;
    int64_t now;
    int64_t expires_at;
    int64_t totp_step; /* -1: none used. Otherwise only when it is newer than the last one:
                          found=false if not */
};
bool users_add_sign_in(struct pg_pool *pool, const struct users_new_sign_in *fresh,
                       struct users_question *q);
/* Newest first, those before `before` (NULL: from the newest); one more than `limit` is read, to
 * know whether there are more. */
bool users_list_sign_ins(struct pg_pool *pool, const struct uuid *user, const struct uuid *before,
                         int limit, struct users_question *q);
bool users_revoke_sign_in(struct pg_pool *pool, const struct uuid *user, const struct uuid *sign_in,
                          struct users_question *q);

bool users_set_name(struct pg_pool *pool, const struct uuid *user, struct slice name,
                    struct users_question *q);
struct users_new_password {
    struct uuid user;
    struct uuid keep_sign_in;
    const char *password_hash;
    struct users_answer answer;
};
/* Also revokes every other sign-in of the user. PG_CONFLICT: the key was taken meanwhile. */
bool users_set_password(struct pg_pool *pool, const struct users_new_password *fresh,
                        struct users_question *q);
/* Two steps: store a secret (not yet enabled), then enable it with a code's step. PG_CONFLICT: the
 * key was taken meanwhile. */
bool users_set_totp(struct pg_pool *pool, const struct uuid *user,
                    const uint8_t secret[CRYPTO_TOTP_SECRET_SIZE], struct users_question *q);
bool users_enable_totp(struct pg_pool *pool, const struct uuid *user, int64_t step,
                       const struct users_answer *answer, struct users_question *q);

extern const struct pg_statement
    *const users_statements[]; /* ended by NULL: for the pool's connections */

#endif
