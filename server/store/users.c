#include "store/users.h"

#include <assert.h>

#include "base/arena.h"
#include "ledger/account.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

static const struct uuid nobody = {{0}}; /* the key scope of anonymous calls */

/* One statement, so all or nothing: the user, its first wallet's account and row, and what a replay
 * answers. */
static const struct pg_statement create = {
    "users_create",
    "with fresh as (insert into users (id, phone, name, password, wallet, created_at) "
    "values ($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::timestamptz) returning id), "
    "account as (insert into accounts (id, kind, currency, owner, zone) "
    "values ($5::uuid, 1, $7::integer, $1::uuid, $13::smallint) returning id), "
    "wallet as (insert into wallets (id, owner, label, created_at) "
    "select account.id, fresh.id, 'Main', $6::timestamptz from account, fresh returning id), "
    "remembered as (insert into idempotency (caller, key, request_hash, status, answer, "
    "created_at) "
    "select $8::uuid, $9::text, $10::bytea, $11::smallint, $12::bytea, $6::timestamptz "
    "where $9::text is not null) select id from wallet"};

static const struct pg_statement find_answer = {
    "users_find_answer", "select request_hash, status, answer from idempotency "
                         "where key = $1::text collate \"C\" and caller = $2::uuid"};

#define USER_COLUMNS "id, phone, name, tier, frozen, totp_enabled, created_at, wallet"

static const struct pg_statement find = {"users_find",
                                         "select " USER_COLUMNS " from users where id = $1::uuid"};
static const struct pg_statement find_by_phone = {
    "users_find_by_phone",
    "select " USER_COLUMNS " from users where phone = $1::text collate \"C\""};
static const struct pg_statement find_sign_in = {
    "users_find_sign_in", "select " USER_COLUMNS ", password, totp_secret, totp_last_step "
                          "from users where phone = $1::text collate \"C\""};
static const struct pg_statement find_secrets = {
    "users_find_secrets", "select " USER_COLUMNS ", password, totp_secret, totp_last_step "
                          "from users where id = $1::uuid"};

/* A code counts once: its step must be newer than the last one that did. */
static const struct pg_statement add_sign_in = {
    "users_add_sign_in",
    "with step as (update users set totp_last_step = greatest(totp_last_step, $8::bigint) "
    "where id = $2::uuid and ($8::bigint < 0 or totp_last_step < $8::bigint) returning id) "
    "insert into sign_ins (id, user_id, token_hash, device, ip, created_at, expires_at) "
    "select $1::uuid, step.id, $3::bytea, $4::text, $5::text, $6::timestamptz, $7::timestamptz "
    "from step returning id"};
static const struct pg_statement list_sign_ins = {
    "users_list_sign_ins", "select id, device, ip, created_at, expires_at from sign_ins "
                           "where user_id = $1::uuid and revoked_at is null and expires_at > now() "
                           "and ($2::uuid is null or id < $2::uuid) "
                           "order by id desc limit $3::integer"};
static const struct pg_statement revoke_sign_in = {
    "users_revoke_sign_in", "update sign_ins set revoked_at = now() where id = $1::uuid and "
                            "user_id = $2::uuid and revoked_at is null returning token_hash"};
static const struct pg_statement set_name = {
    "users_set_name",
    "update users set name = $2::text where id = $1::uuid returning " USER_COLUMNS};
static const struct pg_statement set_password = {
    "users_set_password",
    "with changed as (update users set password = $2::text where id = $1::uuid returning id), "
    "remembered as (insert into idempotency (caller, key, request_hash, status, answer, "
    "created_at) select id, $4::text, $5::bytea, $6::smallint, $7::bytea, now() from changed "
    "where $4::text is not null) "
    "update sign_ins set revoked_at = now() from changed where user_id = changed.id "
    "and sign_ins.id <> $3::uuid and revoked_at is null and expires_at > now() "
    "returning token_hash"};
static const struct pg_statement set_totp = {
    "users_set_totp", "update users set totp_secret = $2::bytea, totp_last_step = -1 "
                      "where id = $1::uuid and not totp_enabled returning " USER_COLUMNS};
static const struct pg_statement enable_totp = {
    "users_enable_totp",
    "with enabled as (update users set totp_enabled = true, totp_last_step = $2::bigint "
    "where id = $1::uuid and not totp_enabled and totp_secret is not null "
    "returning " USER_COLUMNS "), "
    "remembered as (insert into idempotency (caller, key, request_hash, status, answer, "
    "created_at) select id, $3::text, $4::bytea, $5::smallint, $6::bytea, now() from enabled "
    "where $3::text is not null) select * from enabled"};

const struct pg_statement *const users_statements[] = {
    &create,         &find_answer,  &find,         &find_by_phone,
    &find_sign_in,   &find_secrets, &add_sign_in,  &list_sign_ins,
    &revoke_sign_in, &set_name,     &set_password, &set_totp,
    &enable_totp,    NULL};

/* Out of memory: what was asked is not known here, whatever it was. */
static void forget(struct users_question *q)
{
    q->outcome = PG_UNAVAILABLE;
    q->found = false;
}

static struct slice copy(struct users_question *q, const struct pg_rows *rows, int row, int column)
{
    struct slice text = arena_copy(q->arena, pg_rows_text(rows, row, column));
    if (text.at == NULL)
        forget(q);
    return text;
}

static void take_user(struct users_question *q, const struct pg_rows *rows)
{
    q->found = pg_rows_count(rows) > 0;
    if (!q->found)
        return;
    q->user = (struct user){
        .id = pg_rows_uuid(rows, 0, 0),
        .phone = copy(q, rows, 0, 1),
        .name = copy(q, rows, 0, 2),
        .tier = (int)pg_rows_int(rows, 0, 3),
        .frozen = pg_rows_bool(rows, 0, 4),
        .totp_enabled = pg_rows_bool(rows, 0, 5),
        .created_at = pg_rows_time(rows, 0, 6),
        .wallet = pg_rows_uuid(rows, 0, 7),
    };
}

static void on_user(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    if (outcome == PG_OK)
        take_user(q, rows);
    q->done(q);
}

static void on_secrets(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    if (outcome == PG_OK)
        take_user(q, rows);
    if (q->found) {
        struct slice password = pg_rows_text(rows, 0, 8);
        assert(password.length < sizeof q->password);
        memcpy(q->password, password.at, password.length);
        q->password[password.length] = '\0';
        q->totp_last_step = pg_rows_int(rows, 0, 10);
        q->has_totp_secret = !pg_rows_is_null(rows, 0, 9);
    }
    if (q->found && q->has_totp_secret)
        memcpy(q->totp_secret, pg_rows_text(rows, 0, 9).at, sizeof q->totp_secret);
    q->done(q);
}

/* Whether any row came back is all that counts. */
static void on_row(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->found = outcome == PG_OK && pg_rows_count(rows) > 0;
    q->done(q);
}

static void on_token_hashes(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    q->token_hash_count = 0;
    if (outcome == PG_OK) {
        size_t count = (size_t)pg_rows_count(rows);
        q->found = count > 0;
        q->token_hashes = arena_array(q->arena, count, sizeof q->token_hashes[0]);
        for (size_t i = 0; q->token_hashes != NULL && i < count; i++)
            memcpy(q->token_hashes[i], pg_rows_text(rows, (int)i, 0).at, CRYPTO_HASH_SIZE);
        q->token_hash_count = q->token_hashes == NULL ? 0 : count;
        if (q->token_hashes == NULL)
            forget(q);
    }
    q->done(q);
}

static void on_answer(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->replayed = q->key_reused = q->found = false;
    if (outcome == PG_OK && pg_rows_count(rows) == 1) {
        q->found = true;
        q->key_reused = memcmp(pg_rows_text(rows, 0, 0).at, q->asked_hash, CRYPTO_HASH_SIZE) != 0;
        q->replayed = !q->key_reused;
        q->answer_status = (int)pg_rows_int(rows, 0, 1);
        q->answer_body = (struct slice){NULL, 0};
        if (q->replayed) { /* a movement's may be null, and its request is another one */
            q->answer_body = copy(q, rows, 0, 2);
            if (q->answer_body.at == NULL)
                q->outcome = PG_UNAVAILABLE;
        }
    }
    q->done(q);
}

static void take_sign_ins(struct users_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->sign_ins = arena_array(q->arena, count, sizeof q->sign_ins[0]);
    for (size_t i = 0; q->sign_ins != NULL && i < count; i++)
        q->sign_ins[i] = (struct users_sign_in){
            .id = pg_rows_uuid(rows, (int)i, 0),
            .device = copy(q, rows, (int)i, 1),
            .ip = copy(q, rows, (int)i, 2),
            .created_at = pg_rows_time(rows, (int)i, 3),
            .expires_at = pg_rows_time(rows, (int)i, 4),
        };
    q->sign_in_count = q->sign_ins == NULL ? 0 : count;
    if (q->sign_ins == NULL)
        forget(q);
}

static void on_sign_ins(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct users_question *q = owner;
    q->outcome = outcome;
    q->found = outcome == PG_OK;
    if (outcome == PG_OK)
        take_sign_ins(q, rows);
    q->done(q);
}

static struct slice bytes_of(const uint8_t *hash, size_t length)
{
    return (struct slice){(const char *)hash, length};
}

static void add_answer(struct pg_params *params, const struct users_answer *answer)
{
    pg_params_text(params, answer->key);
    pg_params_text(params, bytes_of(answer->request_hash, CRYPTO_HASH_SIZE));
    pg_params_smallint(params, (int16_t)answer->status);
    pg_params_text(params, answer->body);
}

bool users_create(struct pg_pool *pool, const struct users_new *fresh, struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &fresh->id);
    pg_params_text(&params, fresh->phone);
    pg_params_text(&params, fresh->name);
    pg_params_text(&params, slice_of(fresh->password_hash));
    pg_params_uuid(&params, &fresh->wallet);
    pg_params_time(&params, fresh->now);
    pg_params_integer(&params, (int32_t)fresh->currency);
    pg_params_uuid(&params, &nobody);
    pg_params_text(&params, fresh->key);
    pg_params_text(&params, bytes_of(fresh->request_hash, CRYPTO_HASH_SIZE));
    pg_params_smallint(&params, (int16_t)fresh->answer_status);
    pg_params_text(&params, fresh->answer_body);
    pg_params_smallint(&params, (int16_t)fresh->zone);
    return pg_pool_ask(pool, &create, &params, on_row, q);
}

bool users_find_answer(struct pg_pool *pool, const struct uuid *caller, struct slice key,
                       const uint8_t request_hash[32], struct users_question *q)
{
    struct pg_params params;
    memcpy(q->asked_hash, request_hash, sizeof q->asked_hash);
    pg_params_init(&params, q->arena);
    pg_params_text(&params, key);
    pg_params_uuid(&params, caller == NULL ? &nobody : caller);
    return pg_pool_ask(pool, &find_answer, &params, on_answer, q);
}

static bool ask_by_id(struct pg_pool *pool, const struct pg_statement *statement,
                      const struct uuid *id, pg_answer *answer, struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, statement, &params, answer, q);
}

static bool ask_by_text(struct pg_pool *pool, const struct pg_statement *statement,
                        struct slice text, pg_answer *answer, struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_text(&params, text);
    return pg_pool_ask(pool, statement, &params, answer, q);
}

bool users_find(struct pg_pool *pool, const struct uuid *id, struct users_question *q)
{
    return ask_by_id(pool, &find, id, on_user, q);
}

bool users_find_secrets(struct pg_pool *pool, const struct uuid *id, struct users_question *q)
{
    return ask_by_id(pool, &find_secrets, id, on_secrets, q);
}

bool users_find_by_phone(struct pg_pool *pool, struct slice phone, struct users_question *q)
{
    return ask_by_text(pool, &find_by_phone, phone, on_user, q);
}

bool users_find_sign_in(struct pg_pool *pool, struct slice phone, struct users_question *q)
{
    return ask_by_text(pool, &find_sign_in, phone, on_secrets, q);
}

bool users_add_sign_in(struct pg_pool *pool, const struct users_new_sign_in *fresh,
                       struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &fresh->id);
    pg_params_uuid(&params, &fresh->user);
    pg_params_text(&params, bytes_of(fresh->token_hash, CRYPTO_HASH_SIZE));
    pg_params_text(&params, fresh->device);
    pg_params_text(&params, fresh->ip);
    pg_params_time(&params, fresh->now);
    pg_params_time(&params, fresh->expires_at);
    pg_params_bigint(&params, fresh->totp_step);
    return pg_pool_ask(pool, &add_sign_in, &params, on_row, q);
}

bool users_list_sign_ins(struct pg_pool *pool, const struct uuid *user, const struct uuid *before,
                         int limit, struct users_question *q)
{
    struct pg_params params;
    assert(limit >= 1 && limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, user);
    pg_params_uuid(&params, before);
    pg_params_integer(&params, limit + 1);
    return pg_pool_ask(pool, &list_sign_ins, &params, on_sign_ins, q);
}

bool users_revoke_sign_in(struct pg_pool *pool, const struct uuid *user, const struct uuid *sign_in,
                          struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, sign_in);
    pg_params_uuid(&params, user);
    return pg_pool_ask(pool, &revoke_sign_in, &params, on_token_hashes, q);
}

bool users_set_name(struct pg_pool *pool, const struct uuid *user, struct slice name,
                    struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, user);
    pg_params_text(&params, name);
    return pg_pool_ask(pool, &set_name, &params, on_user, q);
}

bool users_set_password(struct pg_pool *pool, const struct users_new_password *fresh,
                        struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &fresh->user);
    pg_params_text(&params, slice_of(fresh->password_hash));
    pg_params_uuid(&params, &fresh->keep_sign_in);
    add_answer(&params, &fresh->answer);
    return pg_pool_ask(pool, &set_password, &params, on_token_hashes, q);
}

bool users_set_totp(struct pg_pool *pool, const struct uuid *user,
                    const uint8_t secret[CRYPTO_TOTP_SECRET_SIZE], struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, user);
    pg_params_text(&params, bytes_of(secret, CRYPTO_TOTP_SECRET_SIZE));
    return pg_pool_ask(pool, &set_totp, &params, on_user, q);
}

bool users_enable_totp(struct pg_pool *pool, const struct uuid *user, int64_t step,
                       const struct users_answer *answer, struct users_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, user);
    pg_params_bigint(&params, step);
    add_answer(&params, answer);
    return pg_pool_ask(pool, &enable_totp, &params, on_user, q);
}
