#include "store/gate.h"

#include <hiredis/hiredis.h>

#include <assert.h>
#include <ev.h>
#include <strings.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/gate_function.h"
#include "store/limiter.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"
#include "store/redis.h"

#define CACHED_MS 60000       /* a cached token lives so long at most */
#define TOMBSTONE_MS "120000" /* longer, so that it outlives every copy on its way */
#define VALUE_SIZE 33         /* kind, caller, sign-in */

#define LOOKING_LISTS 1024
#define BATCH_MAX 32  /* questions in a call: Redis does nothing else meanwhile */
#define REPLY_HEAD 15 /* of a question: which, refused, remaining, retry, the value's length */

enum { LIMIT_USER, LIMIT_IP, LIMIT_EXTRA, LIMITS };

/* What was asked in this turn of the loop: one call of the function at its end. */
struct batch {
    struct gate_question *first, *last; /* chained through `next` */
    int count;
    struct bytes keys; /* in Redis' protocol */
    struct bytes arguments;
    struct bytes command;
};

struct gate {
    struct ev_loop *loop;
    struct redis *redis;
    struct pg_pool *pool;
    struct gate_settings settings;
    struct batch batch;
    ev_prepare flush;
    struct limiter *limiter; /* when Redis is down */
    /* whose cell is where in it: nobody can choose keys that push another's out */
    uint8_t secret[CRYPTO_HASH_SIZE];
    struct gate_question *looking[LOOKING_LISTS]; /* tokens PostgreSQL is asked about, one each */
};

static struct {
    metric allowed;
    metric unauthenticated;
    metric limited;
    metric unavailable;
    metric local;
    metric looked_up;
} metrics;

static const struct pg_statement find_sign_in = {
    "gate_find_sign_in",
    "select s.user_id, s.id, s.expires_at from sign_ins s where s.token_hash = $1::bytea "
    "and s.revoked_at is null and s.expires_at > now()"};

static const struct pg_statement find_api_key = {
    "gate_find_api_key",
    "select k.partner, k.id, now() + interval '1 day' from api_keys k join partners p on p.id = "
    "k.partner "
    "where k.key_hash = $1::bytea and k.revoked_at is null and p.disabled_at is null"};

const struct pg_statement *const gate_statements[] = {&find_sign_in, &find_api_key, NULL};

void gate_register_metrics(void)
{
    const char *name = "moolah_gate_answers_total";
    const char *help = "What the gate said";
    metrics.allowed = metrics_register(METRIC_COUNTER, name, "verdict=\"allowed\"", help);
    metrics.unauthenticated =
        metrics_register(METRIC_COUNTER, name, "verdict=\"unauthenticated\"", help);
    metrics.limited = metrics_register(METRIC_COUNTER, name, "verdict=\"limited\"", help);
    metrics.unavailable = metrics_register(METRIC_COUNTER, name, "verdict=\"unavailable\"", help);
    metrics.local = metrics_register(METRIC_COUNTER, "moolah_gate_local_total", "",
                                     "Questions decided without Redis");
    metrics.looked_up = metrics_register(METRIC_COUNTER, "moolah_gate_lookups_total", "",
                                         "Tokens asked of PostgreSQL");
    redis_register_metrics();
}

/* Write down the verdict. Who brought something that is no token isn't let in as nobody. */
static void settle(struct gate_question *question, enum gate_verdict verdict)
{
    const metric counters[] = {
        [GATE_ALLOWED] = metrics.allowed,
        [GATE_UNAUTHENTICATED] = metrics.unauthenticated,
        [GATE_LIMITED] = metrics.limited,
        [GATE_UNAVAILABLE] = metrics.unavailable,
    };
    if (verdict == GATE_ALLOWED && question->malformed)
        verdict = GATE_UNAUTHENTICATED;
    question->answer.verdict = verdict;
    metrics_add(counters[verdict], 1);
}

static void finish(struct gate_question *question, enum gate_verdict verdict)
{
    settle(question, verdict);
    question->done(question);
}

/* The rates that a question is held against; NULL: that one doesn't count here. */
static void choose_rates(const struct gate_question *question,
                         const struct gate_rate *rates[LIMITS])
{
    const struct gate_settings *settings = &question->gate->settings;
    rates[LIMIT_USER] = question->kind == GATE_NOBODY ? NULL : &settings->user;
    rates[LIMIT_IP] = &settings->ip;
    rates[LIMIT_EXTRA] = NULL;
    switch (question->extra) {
    case GATE_PLAIN:
        break;
    case GATE_SIGN_IN:
        rates[LIMIT_IP] = &settings->sign_in_ip;
        rates[LIMIT_EXTRA] = &settings->sign_in_phone;
        break;
    case GATE_SIGN_UP:
        rates[LIMIT_IP] = &settings->sign_up_ip;
        break;
    case GATE_LOOKUP:
        rates[LIMIT_EXTRA] = &settings->lookup_user;
        break;
    }
}

static const char *policy_name(const struct gate_question *question, int limit)
{
    if (limit == LIMIT_USER)
        return "user";
    if (limit == LIMIT_IP)
        return question->extra == GATE_SIGN_IN   ? "sign_in_ip"
               : question->extra == GATE_SIGN_UP ? "sign_up_ip"
                                                 : "ip";
    return question->extra == GATE_SIGN_IN ? "sign_in" : "lookup";
}

static void describe_limit(struct gate_question *question, int limit, int remaining)
{
    const struct gate_rate *rates[LIMITS];
    choose_rates(question, rates);
    if (rates[limit] == NULL)
        return;
    int64_t window = limiter_tolerance(rates[limit]) / CLOCK_SECOND;
    question->answer.policy = policy_name(question, limit);
    question->answer.limit_burst = rates[limit]->burst;
    question->answer.limit_window_s = window < 1 ? 1 : (int)window;
    question->answer.remaining = remaining < 0 ? 0 : remaining;
}

/* What a limit is counted under. User keys are tagged by user, so that in a cluster they share the
 * token's slot. */
static void write_limit_key(const struct gate_question *question, int limit, struct bytes *key)
{
    if (limit == LIMIT_IP) {
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        bool ipv4 = memcmp(question->client.bytes, mapped, 12) == 0;
        bytes_add_text(key, "ip");
        bytes_add_int(key, (int)question->extra);
        bytes_add_char(key, ':');
        bytes_add_hex(key, question->client.bytes, ipv4 ? 16 : 8);
        return;
    }
    if (question->extra == GATE_SIGN_IN && limit == LIMIT_EXTRA) {
        uint8_t hash[CRYPTO_HASH_SIZE];
        crypto_sha256(question->phone, hash);
        bytes_add_text(key, "phone:");
        bytes_add_hex(key, hash, sizeof hash);
        return;
    }
    bytes_add_char(key, '{');
    bytes_add_hex(key, question->answer.caller_id.bytes, 16);
    bytes_add_text(key, limit == LIMIT_USER ? "}:user" : "}:lookup");
}

static uint64_t local_key(const struct gate_question *question, int limit)
{
    char space[160];
    struct bytes key = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    uint8_t hash[CRYPTO_HASH_SIZE];
    uint64_t number;
    write_limit_key(question, limit, &key);
    crypto_hmac_sha256((struct slice){(const char *)question->gate->secret, CRYPTO_HASH_SIZE},
                       bytes_view(&key), hash);
    memcpy(&number, hash, sizeof number);
    return number;
}

/* The token is settled: by value (kind, caller, sign-in), or there was none. */
static void take_value(struct gate_question *question, const uint8_t value[VALUE_SIZE])
{
    question->answer.caller = value[0] == 'P' ? GATE_PARTNER : GATE_USER;
    memcpy(question->answer.caller_id.bytes, value + 1, 16);
    memcpy(question->answer.sign_in_id.bytes, value + 17, 16);
}

/* Without Redis: PostgreSQL has said who it is, this worker counts. */
static enum gate_verdict decide_locally(struct gate_question *question)
{
    const struct gate_rate *rates[LIMITS];
    struct limiter *limiter = question->gate->limiter;
    int64_t now = clock_monotonic();
    uint64_t keys[LIMITS];
    choose_rates(question, rates);
    metrics_add(metrics.local, 1);
    for (int i = 0; i < LIMITS; i++) {
        int64_t retry = 0;
        keys[i] = rates[i] == NULL ? 0 : local_key(question, i);
        if (rates[i] == NULL || limiter_allow(limiter, keys[i], rates[i], now, &retry))
            continue;
        question->answer.retry_after_us = retry;
        describe_limit(question, i, 0);
        return GATE_LIMITED;
    }
    for (int i = 0; i < LIMITS; i++)
        if (rates[i] != NULL)
            limiter_charge(limiter, keys[i], rates[i], now);
    return GATE_ALLOWED;
}

static bool ask_redis(struct gate_question *question);

/* Who it is has been settled by PostgreSQL: now the limits, and the cache gets its copy. */
static void after_lookup(struct gate_question *question)
{
    take_value(question, question->value);
    if (!ask_redis(question))
        finish(question, decide_locally(question));
}

static void refuse_unknown(struct gate_question *question)
{
    if (!redis_is_up(question->gate->redis))
        limiter_charge(question->gate->limiter, local_key(question, LIMIT_IP),
                       &question->gate->settings.ip, clock_monotonic());
    finish(question, GATE_UNAUTHENTICATED);
}

static void take_row(struct gate_question *question, const struct pg_rows *rows)
{
    struct uuid caller = pg_rows_uuid(rows, 0, 0);
    struct uuid sign_in = pg_rows_uuid(rows, 0, 1);
    int64_t left_ms = (pg_rows_time(rows, 0, 2) - clock_now()) / 1000;
    question->value[0] = question->kind == GATE_PARTNER ? 'P' : 'U';
    memcpy(question->value + 1, caller.bytes, 16);
    memcpy(question->value + 17, sign_in.bytes, 16);
    question->has_value = true;
    question->lifetime_ms = left_ms < 1 ? 1 : left_ms > CACHED_MS ? CACHED_MS : left_ms;
}

/* By the hash, which is as good as random: after a FLUSHALL there are as many tokens to ask about
 * as customers at once. */
static struct gate_question **looking_at(struct gate *gate, const struct gate_question *question)
{
    const uint8_t *hash = question->token_hash;
    return &gate->looking[(hash[0] | (unsigned)hash[1] << 8) % LOOKING_LISTS];
}

static void on_looked_up(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct gate_question *first = owner;
    struct gate *gate = first->gate;
    struct gate_question **link = looking_at(gate, first);
    while (*link != first) {
        assert(*link != NULL);
        link = &(*link)->looker;
    }
    *link = first->looker;
    bool found = outcome == PG_OK && pg_rows_count(rows) == 1;
    struct gate_question known = {.kind = first->kind}; /* `first` may be gone when it's answered */
    if (found)
        take_row(&known, rows);
    for (struct gate_question *question = first, *next; question != NULL; question = next) {
        next = question->next;
        question->next = NULL;
        if (outcome != PG_OK) {
            finish(question, GATE_UNAVAILABLE);
        } else if (!found) {
            refuse_unknown(question);
        } else {
            memcpy(question->value, known.value, VALUE_SIZE);
            question->has_value = true;
            question->lifetime_ms = known.lifetime_ms;
            after_lookup(question);
        }
    }
}

/* Equal questions at once are asked once. */
static bool join_lookup(struct gate *gate, struct gate_question *question)
{
    for (struct gate_question *first = *looking_at(gate, question); first != NULL;
         first = first->looker) {
        if (first->kind != question->kind ||
            !crypto_equal(first->token_hash, question->token_hash, 32))
            continue;
        question->next = first->next;
        first->next = question;
        return true;
    }
    return false;
}

static bool look_up(struct gate_question *question)
{
    struct gate *gate = question->gate;
    struct arena arena;
    struct pg_params params;
    if (join_lookup(gate, question))
        return true;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_text(&params, (struct slice){(const char *)question->token_hash, 32});
    bool asked =
        pg_pool_read(gate->pool, question->kind == GATE_PARTNER ? &find_api_key : &find_sign_in,
                     &params, on_looked_up, question);
    arena_release(&arena);
    if (!asked)
        return false;
    question->next = NULL;
    struct gate_question **list = looking_at(gate, question);
    question->looker = *list;
    *list = question;
    metrics_add(metrics.looked_up, 1);
    return true;
}

/* Redis is of no help. */
static void go_local(struct gate_question *question)
{
    if (question->kind == GATE_NOBODY || question->has_value)
        finish(question, decide_locally(question));
    else if (!look_up(question))
        finish(question, GATE_UNAVAILABLE);
}

/* No limit makes anybody wait for longer than it takes to fill up again. */
static int64_t bounded(const struct gate_question *question, int64_t retry_us)
{
    int64_t most = (int64_t)question->answer.limit_window_s * CLOCK_SECOND;
    return retry_us < 0 ? 0 : retry_us > most ? most : retry_us;
}

/* What the function says of one question. */
struct gate_reply {
    int which; /* limit, from 1; 0: none */
    bool limited;
    int remaining;
    int64_t retry_us;
    struct slice value; /* the token's */
};

static uint64_t number_at(const char *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

/* Takes one question's part off the front. */
static bool take_reply(struct slice *rest, struct gate_reply *reply)
{
    if (rest->length < REPLY_HEAD)
        return false;
    const char *at = rest->at;
    *reply = (struct gate_reply){.which = (int)number_at(at, 1),
                                 .limited = at[1] != 0,
                                 .remaining = (int)number_at(at + 2, 4),
                                 .retry_us = (int64_t)number_at(at + 6, 8),
                                 .value = {at + REPLY_HEAD, number_at(at + 14, 1)}};
    if (reply->value.length > rest->length - REPLY_HEAD)
        return false;
    rest->at += REPLY_HEAD + reply->value.length;
    rest->length -= REPLY_HEAD + reply->value.length;
    return true;
}

/* The value is what the token's own text says of its caller: no mix-up between questions, in Redis
 * or on the way, makes one caller another. */
static bool is_of(const struct gate_question *question, struct slice value)
{
    return value.length == VALUE_SIZE &&
           value.at[0] == (question->kind == GATE_PARTNER ? 'P' : 'U') &&
           memcmp(value.at + 1, question->answer.caller_id.bytes, 16) == 0;
}

static void follow_reply(struct gate_question *question, const struct gate_reply *reply)
{
    if (reply->which >= 1 && reply->which <= LIMITS)
        describe_limit(question, reply->which - 1, reply->remaining);
    if (reply->limited) {
        question->answer.retry_after_us = bounded(question, reply->retry_us);
        finish(question, GATE_LIMITED);
    } else if (question->kind == GATE_NOBODY) {
        finish(question, GATE_ALLOWED);
    } else if (is_of(question, reply->value)) {
        take_value(question, (const uint8_t *)reply->value.at);
        finish(question, GATE_ALLOWED);
    } else if (reply->value.length > 0 || question->has_value) {
        finish(question, GATE_UNAUTHENTICATED); /* a tombstone, or another's */
    } else if (!look_up(question)) {
        finish(question, GATE_UNAVAILABLE);
    }
}

/* Exactly one part for each question: else none of it is believed. */
static bool is_whole(const struct gate_question *first, struct slice rest)
{
    struct gate_reply own;
    for (const struct gate_question *question = first; question != NULL; question = question->next)
        if (!take_reply(&rest, &own))
            return false;
    return rest.length == 0;
}

/* A call's questions, in order; `reply` NULL: Redis is of no help. */
static void on_batch_reply(void *owner, const struct redisReply *reply)
{
    struct slice rest = {NULL, 0};
    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        rest = (struct slice){reply->str, reply->len};
    if (!is_whole(owner, rest))
        rest = (struct slice){NULL, 0};
    for (struct gate_question *question = owner, *next; question != NULL; question = next) {
        struct gate_reply own;
        next = question->next;
        question->next = NULL;
        if (take_reply(&rest, &own))
            follow_reply(question, &own);
        else
            go_local(question);
    }
}

static void write_token_key(const struct uuid *caller, const uint8_t token_hash[32],
                            struct bytes *key)
{
    bytes_add_char(key, '{');
    bytes_add_hex(key, caller->bytes, 16);
    bytes_add_text(key, "}:token:");
    bytes_add_hex(key, token_hash, 32);
}

static void add_keys(const struct gate_question *question, const struct gate_rate *rates[LIMITS],
                     struct bytes *out)
{
    char space[160];
    struct bytes key = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    if (question->kind != GATE_NOBODY)
        write_token_key(&question->answer.caller_id, question->token_hash, &key);
    redis_add_word(out, key.at, key.length);
    for (int i = 0; i < LIMITS; i++) {
        bytes_clear(&key);
        if (rates[i] != NULL)
            write_limit_key(question, i, &key);
        assert(!key.failed);
        redis_add_word(out, key.at, key.length);
    }
}

static void add_argument(const struct gate_question *question,
                         const struct gate_rate *rates[LIMITS], struct bytes *out)
{
    char space[(2 * LIMITS + 1) * 8 + VALUE_SIZE + 1];
    struct bytes all = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    for (int i = 0; i < LIMITS; i++) {
        bytes_add_be64(&all, rates[i] == NULL ? 0 : (uint64_t)limiter_interval(rates[i]));
        bytes_add_be64(&all, rates[i] == NULL ? 0 : (uint64_t)limiter_tolerance(rates[i]));
    }
    bytes_add_be64(&all, (uint64_t)question->lifetime_ms);
    if (question->has_value)
        bytes_add(&all, question->value, VALUE_SIZE);
    assert(!all.failed);
    redis_add_word(out, all.at, all.length);
}

static void write_call(struct batch *batch)
{
    uint64_t keys = (uint64_t)batch->count * (LIMITS + 1);
    char digits[24];
    struct bytes count = {.at = digits, .capacity = sizeof digits - 1, .limit = sizeof digits - 1};
    bytes_clear(&batch->command);
    bytes_reserve(&batch->command, 100 + batch->keys.length + batch->arguments.length);
    bytes_add_char(&batch->command, '*');
    bytes_add_uint(&batch->command, 3 + keys + (uint64_t)batch->count);
    bytes_add_text(&batch->command, "\r\n");
    bytes_add_uint(&count, keys);
    redis_add_word(&batch->command, "FCALL", 5);
    redis_add_word(&batch->command, GATE_FUNCTION_NAME, sizeof GATE_FUNCTION_NAME - 1);
    redis_add_word(&batch->command, count.at, count.length);
    bytes_add_slice(&batch->command, bytes_view(&batch->keys));
    bytes_add_slice(&batch->command, bytes_view(&batch->arguments));
}

static void send_batch(struct gate *gate)
{
    struct batch *batch = &gate->batch;
    struct gate_question *first = batch->first;
    if (first == NULL)
        return;
    write_call(batch);
    bool asked = !batch->keys.failed && !batch->arguments.failed && !batch->command.failed &&
                 redis_ask_written(gate->redis, bytes_view(&batch->command), on_batch_reply, first);
    batch->first = batch->last = NULL;
    batch->count = 0;
    bytes_clear(&batch->keys);
    bytes_clear(&batch->arguments);
    if (!asked)
        on_batch_reply(first, NULL);
}

static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)events;
    send_batch(watcher->data);
}

/* Into this turn's call. After a lookup the IP isn't charged again. False: the breaker is open. */
static bool ask_redis(struct gate_question *question)
{
    struct gate *gate = question->gate;
    struct batch *batch = &gate->batch;
    const struct gate_rate *rates[LIMITS];
    if (!redis_is_up(gate->redis))
        return false;
    if (batch->count == BATCH_MAX)
        send_batch(gate);
    choose_rates(question, rates);
    if (question->has_value)
        rates[LIMIT_IP] = NULL;
    add_keys(question, rates, &batch->keys);
    add_argument(question, rates, &batch->arguments);
    question->next = NULL;
    if (batch->first == NULL)
        batch->first = question;
    else
        batch->last->next = question;
    batch->last = question;
    batch->count++;
    return true;
}

/* "Bearer <token>": False when there is something that isn't that. */
static bool read_authorization(struct gate_question *question)
{
    struct slice text = question->authorization;
    if (text.length < 7 || strncasecmp(text.at, "Bearer ", 7) != 0)
        return false;
    struct slice token = {text.at + 7, text.length - 7};
    question->kind = gate_token_parse(token, &question->answer.caller_id);
    gate_token_hash(token, question->token_hash);
    return question->kind != GATE_NOBODY;
}

enum gate_asked gate_ask(struct gate *gate, struct gate_question *question)
{
    question->gate = gate;
    question->kind = GATE_NOBODY;
    question->has_value = false;
    question->lifetime_ms = 0;
    question->next = question->looker = NULL;
    memset(&question->answer, 0, sizeof question->answer);
    question->malformed = question->authorization.length > 0 && !read_authorization(question);
    if (ask_redis(question))
        return GATE_ASKED_LATER;
    if (question->kind != GATE_NOBODY)
        return look_up(question) ? GATE_ASKED_LATER : GATE_ASKED_NO;
    settle(question, decide_locally(question));
    return GATE_ASKED_NOW;
}

static void ignore(void *owner, const struct redisReply *reply)
{
    (void)owner;
    (void)reply;
}

void gate_sign_in_succeeded(struct gate *gate, struct slice phone)
{
    char space[100];
    struct bytes key = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    struct gate_question question = {.extra = GATE_SIGN_IN, .phone = phone, .gate = gate};
    write_limit_key(&question, LIMIT_EXTRA, &key);
    limiter_forget(gate->limiter, local_key(&question, LIMIT_EXTRA));
    const char *words[] = {"DEL", space};
    const size_t lengths[] = {3, key.length};
    redis_ask(gate->redis, &(struct redis_command){2, words, lengths}, ignore, NULL);
}

/* A revocation on its way to Redis. */
struct revocation {
    void (*done)(void *owner, bool sure);
    void *owner;
};

static void on_revoked(void *owner, const struct redisReply *reply)
{
    struct revocation revocation = *(struct revocation *)owner;
    memory_free(owner);
    revocation.done(revocation.owner, reply != NULL && reply->type == REDIS_REPLY_STATUS);
}

bool gate_revoke(struct gate *gate, const struct uuid *caller, const uint8_t token_hash[32],
                 void (*done)(void *owner, bool sure), void *owner)
{
    char space[120];
    struct bytes key = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    struct revocation *revocation = memory_alloc(sizeof *revocation);
    if (revocation == NULL)
        return false;
    *revocation = (struct revocation){done, owner};
    write_token_key(caller, token_hash, &key);
    const char *words[] = {"SET", space, "revoked", "PX", TOMBSTONE_MS};
    const size_t lengths[] = {3, key.length, 7, 2, sizeof TOMBSTONE_MS - 1};
    if (redis_ask(gate->redis, &(struct redis_command){5, words, lengths}, on_revoked, revocation))
        return true;
    memory_free(revocation);
    return false;
}

struct redis *gate_redis(struct gate *gate)
{
    return gate->redis;
}

bool gate_breaker_is_open(const struct gate *gate)
{
    return !redis_is_up(gate->redis);
}

struct gate *gate_new(struct ev_loop *loop, struct pg_pool *pool,
                      const struct gate_settings *settings)
{
    const struct redis_settings redis = {settings->redis, settings->timeout_us,
                                         gate_function_source};
    struct gate *gate = memory_alloc(sizeof *gate);
    if (gate == NULL)
        return NULL;
    gate->loop = loop;
    gate->pool = pool;
    gate->settings = *settings;
    ev_prepare_init(&gate->flush, on_flush);
    ev_set_priority(&gate->flush, EV_MINPRI + 1); /* after who asks, before Redis' connection */
    gate->flush.data = gate;
    ev_prepare_start(loop, &gate->flush);
    crypto_random(gate->secret, sizeof gate->secret);
    gate->limiter = limiter_new();
    gate->redis = redis_new(loop, &redis);
    if (gate->limiter == NULL || gate->redis == NULL) {
        gate_free(gate);
        return NULL;
    }
    return gate;
}

void gate_set_rates(struct gate *gate, const struct gate_settings *settings)
{
    gate->settings.user = settings->user;
    gate->settings.ip = settings->ip;
    gate->settings.sign_in_phone = settings->sign_in_phone;
    gate->settings.sign_in_ip = settings->sign_in_ip;
    gate->settings.lookup_user = settings->lookup_user;
    gate->settings.sign_up_ip = settings->sign_up_ip;
    redis_set_timeout(gate->redis, settings->timeout_us);
}

void gate_free(struct gate *gate)
{
    if (gate == NULL)
        return;
    ev_prepare_stop(gate->loop, &gate->flush);
    send_batch(gate);
    redis_free(gate->redis);
    bytes_release(&gate->batch.keys);
    bytes_release(&gate->batch.arguments);
    bytes_release(&gate->batch.command);
    limiter_free(gate->limiter);
    memory_free(gate);
}
