/* The gate over a real Redis and PostgreSQL: the Redis function against the limiter's model, tokens
 * known, unknown and revoked, and a Redis that is slow, gone, or answers with errors: decided
 * all the same, and back by itself.
 *
 * Covers: server/store/gate.c server/store/gate_function.c server/store/redis.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>
#include <hiredis/hiredis.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "store/gate.h"
#include "store/gate_function.h"
#include "store/limiter.h"
#include "store/pg_pool.h"
#include "store/redis.h"
#include "support/link.h"
#include "support/scratch.h"
#include "support/stack.h"

static struct stack *stack;
static struct scratch *scratch;
static struct ev_loop *loop;
static struct pg_pool *pool;
static redisContext *direct; /* to the same Redis, past the link */
static struct link *link_to_redis;
static char linked[220];

static redisReply *command(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(direct, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    return reply;
}

static void run(const char *text)
{
    redisReply *reply = command(text);
    if (reply->type == REDIS_REPLY_ERROR)
        print_error("%s: %s\n", text, reply->str);
    assert_true(reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

/* ---- the function against the model */

/* The function with its clock in our hands: two more arguments, the last, instead of TIME. */
static void load_with_our_clock(void)
{
    static const char clock_call[] = "redis.call('TIME')";
    static const char name[] = GATE_FUNCTION_NAME;
    char source[8192];
    size_t length = 0;
    for (const char *at = gate_function_source; *at != '\0';) {
        if (strncmp(at, clock_call, sizeof clock_call - 1) == 0) {
            length += (size_t)snprintf(source + length, sizeof source - length,
                                       "{args[#args - 1], args[#args]}");
            at += sizeof clock_call - 1;
        } else if (strncmp(at, name, sizeof name - 1) == 0) {
            length += (size_t)snprintf(source + length, sizeof source - length, "gate_of_test");
            at += sizeof name - 1;
        } else {
            source[length++] = *at++;
        }
        assert_true(length < sizeof source - 32);
    }
    source[length] = '\0';
    redisReply *reply = command("FUNCTION LOAD REPLACE %s", source);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    freeReplyObject(reply);
}

struct verdict {
    bool limited;
    int64_t retry;
};

enum { KEYS = 4, BATCH = 6 };

/* One question of a call: the rates of its limits, as the function wants them. */
static void write_rates(struct bytes *out, const struct gate_rate *rates)
{
    for (int i = 0; i < 3; i++) {
        bytes_add_be64(out, (uint64_t)limiter_interval(&rates[i]));
        bytes_add_be64(out, (uint64_t)limiter_tolerance(&rates[i]));
    }
    bytes_add_be64(out, 60000);
}

static uint64_t number_at(const char *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

struct asked {
    int keys[3]; /* negative: none */
    bool known;
};

/* `count` questions in one call. */
static void ask_function(const struct asked *asked, int count, const struct gate_rate *rates,
                         int64_t now, struct verdict *verdicts)
{
    static char words[3 + BATCH * 5 + 2][80];
    const char *at[3 + BATCH * 5 + 2];
    size_t lengths[3 + BATCH * 5 + 2];
    int n = 0;
    snprintf(words[n++], sizeof words[0], "FCALL");
    snprintf(words[n++], sizeof words[0], "gate_of_test");
    snprintf(words[n++], sizeof words[0], "%d", 4 * count);
    for (int q = 0; q < count; q++) {
        snprintf(words[n++], sizeof words[0], "model:%stoken", asked[q].known ? "" : "no_");
        for (int i = 0; i < 3; i++, n++)
            snprintf(words[n], sizeof words[0], asked[q].keys[i] < 0 ? "" : "model:%d:%d", i,
                     asked[q].keys[i]);
    }
    for (int i = 0; i < n; i++)
        lengths[i] = strlen(words[i]);
    for (int q = 0; q < count; q++) {
        struct bytes rate = {.at = words[n], .capacity = 79, .limit = 79};
        write_rates(&rate, rates);
        lengths[n++] = rate.length;
    }
    lengths[n] = (size_t)snprintf(words[n], sizeof words[0], "%lld", (long long)(now / 1000000));
    n++;
    lengths[n] = (size_t)snprintf(words[n], sizeof words[0], "%lld", (long long)(now % 1000000));
    n++;
    for (int i = 0; i < n; i++)
        at[i] = words[i];
    redisReply *reply = redisCommandArgv(direct, n, at, lengths);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        print_error("%s\n", reply->str);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    const char *rest = reply->str;
    for (int q = 0; q < count; q++) {
        assert_true(rest + 15 <= reply->str + reply->len);
        verdicts[q] = (struct verdict){rest[1] != 0, (int64_t)number_at(rest + 6, 8)};
        rest += 15 + number_at(rest + 14, 1);
    }
    assert_ptr_equal(rest, reply->str + reply->len);
    freeReplyObject(reply);
}

static struct verdict ask_model(struct limiter *limiter, const int keys[3],
                                const struct gate_rate *rates, bool known, int64_t now)
{
    struct verdict verdict = {false, 0};
    for (int i = 0; i < 3; i++) {
        int64_t retry = 0;
        if (keys[i] < 0 || (i == 0 && !known) ||
            limiter_allow(limiter, (uint64_t)keys[i] + (uint64_t)i * KEYS + 1, &rates[i], now,
                          &retry))
            continue;
        verdict.limited = true;
        if (retry > verdict.retry)
            verdict.retry = retry;
    }
    for (int i = 0; !verdict.limited && i < 3; i++)
        if (keys[i] >= 0 && (i != 0 || known))
            limiter_charge(limiter, (uint64_t)keys[i] + (uint64_t)i * KEYS + 1, &rates[i], now);
    return verdict;
}

static void test_the_function_decides_as_the_model(void **state)
{
    static const struct gate_rate rates[] = {{0.02, 5}, {0.05, 9}, {0.003, 2}};
    struct limiter *limiter = limiter_new();
    unsigned dice = 11;
    int64_t now = clock_now();
    long limited = 0;
    (void)state;
    assert_non_null(limiter);
    run("FLUSHALL");
    run("SET model:token somebody");
    load_with_our_clock();
    for (int i = 0; i < 4000;) {
        struct asked asked[BATCH];
        struct verdict is[BATCH];
        int count = 1 + rand_r(&dice) % BATCH;
        for (int q = 0; q < count; q++) {
            for (int k = 0; k < 3; k++)
                asked[q].keys[k] = rand_r(&dice) % (KEYS + 1) - 1;
            asked[q].known = rand_r(&dice) % 4 != 0;
        }
        /* a burst, then a pause: far ahead of the real clock, so that nothing expires */
        now += rand_r(&dice) % 3 == 0 ? rand_r(&dice) % 180000000 : rand_r(&dice) % 100;
        ask_function(asked, count, rates, now, is);
        for (int q = 0; q < count; q++, i++) {
            struct verdict should = ask_model(limiter, asked[q].keys, rates, asked[q].known, now);
            assert_int_equal(is[q].limited, should.limited);
            assert_true(is[q].retry == should.retry);
            limited += is[q].limited;
        }
    }
    assert_in_range(limited, 400, 3600); /* both happened often */
    limiter_free(limiter);
    run("FUNCTION FLUSH");
}

/* ---- the gate */

static const struct gate_settings settings = {.timeout_us = 25000,
                                              .user = {1000, 1000},
                                              .ip = {0.01, 50},
                                              .sign_in_phone = {0.01, 3},
                                              .sign_in_ip = {1000, 1000},
                                              .lookup_user = {0.01, 2},
                                              .sign_up_ip = {0.01, 2}};

static bool is_closed(void *what)
{
    return !gate_breaker_is_open(what);
}

static bool is_open(void *what)
{
    return gate_breaker_is_open(what);
}

static struct gate *open_gate(void)
{
    struct gate_settings own = settings;
    own.redis = linked;
    run("FLUSHALL");
    struct gate *gate = gate_new(loop, pool, &own);
    assert_non_null(gate);
    assert_true(scratch_await(loop, is_closed, gate));
    return gate;
}

struct question {
    struct gate_question gate; /* first */
    char header[120];
    int dones;
    bool done;
};

static void on_done(struct gate_question *gate)
{
    struct question *question = (struct question *)(void *)gate;
    question->dones++;
    question->done = true;
}

static void set_question(struct question *q, const char *token, uint8_t client)
{
    memset(q, 0, sizeof *q);
    snprintf(q->header, sizeof q->header, "Bearer %s", token);
    q->gate.authorization = token[0] == '\0' ? (struct slice){NULL, 0} : slice_of(q->header);
    q->gate.client = (struct inet){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, client}, 0};
    q->gate.done = on_done;
}

static enum gate_verdict finish(struct gate *gate, struct question *q)
{
    enum gate_asked asked = gate_ask(gate, &q->gate);
    assert_int_equal(q->dones, 0); /* never from inside */
    assert_true(asked != GATE_ASKED_NO);
    if (asked == GATE_ASKED_LATER)
        assert_true(scratch_await_flag(loop, &q->done));
    assert_int_equal(q->dones, asked == GATE_ASKED_LATER);
    return q->gate.answer.verdict;
}

static enum gate_verdict ask(struct gate *gate, const char *token, uint8_t client)
{
    struct question q;
    set_question(&q, token, client);
    return finish(gate, &q);
}

static const struct uuid user = {{0x30, 1}};

/* A sign-in in the database, and its token. */
static void sign_in(uint8_t number, char token[GATE_TOKEN_MAX], uint8_t hash[32])
{
    char hex[65];
    gate_token_new(GATE_USER, &user, token);
    gate_token_hash(slice_of(token), hash);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    scratch_run(scratch,
                "insert into sign_ins values ('53%02x0000000000000000000000000000', "
                "'30010000000000000000000000000000', decode('%s', 'hex'), 'd', 'i', now(), "
                "now() + interval '1 hour')",
                number, hex);
}

static void note_revoked(void *owner, bool sure)
{
    assert_true(sure);
    *(bool *)owner = true;
}

static void test_tokens(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    char stranger[GATE_TOKEN_MAX];
    uint8_t hash[32];
    bool revoked = false;
    struct question q;
    (void)state;
    sign_in(1, token, hash);
    gate_token_new(GATE_USER, &user, stranger); /* the right user, but nobody gave it to them */
    for (int i = 0; i < 3; i++) {
        set_question(&q, token, 1);
        assert_int_equal(finish(gate, &q), GATE_ALLOWED);
        assert_int_equal(q.gate.answer.caller, GATE_USER);
        assert_true(uuid_equal(&q.gate.answer.caller_id, &user));
        assert_int_equal(q.gate.answer.sign_in_id.bytes[1], 1);
        scratch_run(scratch, "delete from sign_ins"); /* from now on the cache knows */
    }
    assert_int_equal(ask(gate, stranger, 1), GATE_UNAUTHENTICATED);
    assert_int_equal(ask(gate, "no token", 1), GATE_UNAUTHENTICATED);
    assert_int_equal(ask(gate, "", 1), GATE_ALLOWED);
    assert_true(gate_revoke(gate, &user, hash, note_revoked, &revoked));
    assert_true(scratch_await_flag(loop, &revoked));
    assert_int_equal(ask(gate, token, 1), GATE_UNAUTHENTICATED);
    gate_free(gate);
}

/* Guesses are charged to who guesses, never to whom they try to be. */
static void test_guessing_burns_the_ip_only(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    char stranger[GATE_TOKEN_MAX];
    uint8_t hash[32];
    struct question q;
    (void)state;
    sign_in(2, token, hash);
    gate_token_new(GATE_USER, &user, stranger);
    for (int i = 0; i < 50; i++)
        assert_int_equal(ask(gate, stranger, 7), GATE_UNAUTHENTICATED);
    set_question(&q, stranger, 7);
    assert_int_equal(finish(gate, &q), GATE_LIMITED);
    assert_string_equal(q.gate.answer.policy, "ip");
    assert_true(q.gate.answer.retry_after_us > 0);
    set_question(&q, token, 8);
    assert_int_equal(finish(gate, &q), GATE_ALLOWED);
    set_question(&q, token, 9);
    assert_int_equal(finish(gate, &q), GATE_ALLOWED);
    assert_true(q.gate.answer.remaining >= 40);
    gate_free(gate);
}

/* Whose limit it was, and that nothing is left of it, whatever the others have left. */
static void test_a_user_past_the_limit_has_nothing_left(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    struct question q;
    int asked = 0;
    (void)state;
    sign_in(60, token, hash);
    do {
        assert_true(asked < 100000);
        set_question(&q, token, (uint8_t)(30 + asked++ % 100)); /* from many addresses */
    } while (finish(gate, &q) == GATE_ALLOWED);
    assert_int_equal(q.gate.answer.verdict, GATE_LIMITED);
    assert_string_equal(q.gate.answer.policy, "user");
    assert_int_equal(q.gate.answer.remaining, 0);
    gate_free(gate);
}

static void test_sign_ins_are_counted_by_phone(void **state)
{
    struct gate *gate = open_gate();
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            struct question q;
            set_question(&q, "", (uint8_t)(20 + i));
            q.gate.extra = GATE_SIGN_IN;
            q.gate.phone = SLICE("+27821234567");
            assert_int_equal(finish(gate, &q), i < 3 ? GATE_ALLOWED : GATE_LIMITED);
            if (i == 3)
                assert_string_equal(q.gate.answer.policy, "sign_in");
        }
        gate_sign_in_succeeded(gate, SLICE("+27821234567")); /* in order with what is asked next */
    }
    gate_free(gate);
}

/* Calls of the function that have reached Redis: those it ran, and those it refused. */
static long calls_run(void);

/* What is asked in one turn of the loop goes to Redis in few calls, and counts as if it came one by
 * one: of 90 anonymous questions from one address 50 are let in, the first ones. */
static void test_one_turn_is_few_calls(void **state)
{
    enum { ALL = 90, ALLOWED = 50 };
    static struct question questions[ALL];
    struct gate *gate = open_gate();
    (void)state;
    long before = calls_run();
    for (int i = 0; i < ALL; i++) {
        set_question(&questions[i], "", 77);
        assert_int_equal(gate_ask(gate, &questions[i].gate), GATE_ASKED_LATER);
    }
    for (int i = 0; i < ALL; i++) {
        assert_true(scratch_await_flag(loop, &questions[i].done));
        assert_int_equal(questions[i].dones, 1);
        assert_int_equal(questions[i].gate.answer.verdict,
                         i < ALLOWED ? GATE_ALLOWED : GATE_LIMITED);
        assert_string_equal(questions[i].gate.answer.policy, "ip");
        if (i < ALLOWED)
            assert_int_equal(questions[i].gate.answer.remaining, ALLOWED - 1 - i);
    }
    assert_int_equal(calls_run() - before, 3); /* of 32, 32 and 26 */
    gate_free(gate);
}

/* Equal tokens at once are asked of PostgreSQL once, and each is answered. */
static void test_questions_at_once(void **state)
{
    struct gate *gate = open_gate();
    static struct question questions[40];
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    (void)state;
    sign_in(3, token, hash);
    for (int i = 0; i < 40; i++) {
        set_question(&questions[i], i % 4 == 0 ? "" : token, (uint8_t)(100 + i));
        assert_int_equal(gate_ask(gate, &questions[i].gate), GATE_ASKED_LATER);
    }
    for (int i = 0; i < 40; i++) {
        assert_true(scratch_await_flag(loop, &questions[i].done));
        assert_int_equal(questions[i].dones, 1);
        assert_int_equal(questions[i].gate.answer.verdict, GATE_ALLOWED);
    }
    gate_free(gate);
}

/* ---- a Redis in trouble */

static void expect_service(struct gate *gate, const char *token)
{
    assert_int_equal(ask(gate, token, 30), GATE_ALLOWED);
    assert_int_equal(ask(gate, "", 31), GATE_ALLOWED);
}

static void test_slow_or_gone(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    bool revoked = false;
    (void)state;
    sign_in(4, token, hash);
    expect_service(gate, token);
    link_stand_still(link_to_redis, true);
    expect_service(gate, token);
    assert_true(scratch_await(loop, is_open, gate));
    expect_service(gate, token);
    assert_false(gate_revoke(gate, &user, hash, note_revoked, &revoked));
    link_stand_still(link_to_redis, false);
    assert_true(scratch_await(loop, is_closed, gate));
    expect_service(gate, token);
    link_refuse(link_to_redis, true);
    link_cut(link_to_redis);
    assert_true(scratch_await(loop, is_open, gate));
    expect_service(gate, token);
    /* limits hold without Redis, too */
    for (int i = 0; i < 2; i++) {
        struct question q;
        set_question(&q, "", 40);
        q.gate.extra = GATE_SIGN_UP;
        assert_int_equal(finish(gate, &q), GATE_ALLOWED);
    }
    struct question q;
    set_question(&q, "", 40);
    q.gate.extra = GATE_SIGN_UP;
    assert_int_equal(finish(gate, &q), GATE_LIMITED);
    assert_string_equal(q.gate.answer.policy, "sign_up_ip");
    link_refuse(link_to_redis, false);
    assert_true(scratch_await(loop, is_closed, gate));
    gate_free(gate);
}

/* Whichever answer is lost: each question is answered once. */
static void test_every_answer_may_be_lost(void **state)
{
    static const enum link_fault faults[] = {LINK_HANG_UP, LINK_TEAR, LINK_STALL};
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    (void)state;
    sign_in(5, token, hash);
    for (int i = 0; i < 9; i++) {
        run("FLUSHALL");
        link_arm(link_to_redis, LINK_SERVER, i / 3, faults[i % 3]);
        expect_service(gate, token);
        expect_service(gate, token);
        assert_true(link_struck(link_to_redis));
        assert_true(scratch_await(loop, is_closed, gate));
    }
    gate_free(gate);
}

static long calls_run(void)
{
    redisReply *reply = command("INFO commandstats");
    const char *at = strstr(reply->str, "cmdstat_fcall:calls=");
    long calls = 0;
    if (at != NULL) {
        const char *rejected = strstr(at, "rejected_calls=");
        calls = strtol(at + strlen("cmdstat_fcall:calls="), NULL, 10) +
                strtol(rejected + strlen("rejected_calls="), NULL, 10);
    }
    freeReplyObject(reply);
    return calls;
}

/* The function is gone: found out by one question, and mended. */
static void test_a_flushed_function_comes_back(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    (void)state;
    sign_in(6, token, hash);
    expect_service(gate, token);
    run("FUNCTION FLUSH");
    expect_service(gate, token);
    assert_true(gate_breaker_is_open(gate));
    assert_true(scratch_await(loop, is_closed, gate));
    long before = calls_run();
    expect_service(gate, token);
    assert_true(calls_run() >= before + 2);
    gate_free(gate);
}

/* One that refuses everything is left alone: it costs no round trip for each request. */
static void test_a_redis_that_refuses(void **state)
{
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    (void)state;
    sign_in(7, token, hash);
    run("CONFIG SET maxmemory 1");
    long before = calls_run();
    for (int i = 0; i < 100; i++)
        assert_int_equal(ask(gate, token, (uint8_t)(60 + i)), GATE_ALLOWED);
    assert_in_range(calls_run() - before, 1, 5);
    run("CONFIG SET maxmemory 0");
    assert_true(scratch_await(loop, is_closed, gate));
    expect_service(gate, token);
    gate_free(gate);
}

/* A Redis that says anything: whoever brings a token that nobody was given stays outside, and
 * nobody becomes another. */
static void test_a_redis_that_lies(void **state)
{
    static const struct uuid other = {{0x30, 2}};
    static const char liar[] =
        "#!lua name=" GATE_FUNCTION_NAME "\nredis.register_function('" GATE_FUNCTION_NAME
        "', function(keys, args) return redis.call('GET', 'lie') end)";
    struct gate *gate = open_gate();
    char token[GATE_TOKEN_MAX];
    char stranger[GATE_TOKEN_MAX];
    uint8_t hash[32];
    unsigned dice = 3;
    (void)state;
    sign_in(9, token, hash);
    gate_token_new(GATE_USER, &other, stranger);
    freeReplyObject(command("FUNCTION LOAD REPLACE %s", liar));
    for (int round = 0; round < 300; round++) {
        struct question q[2];
        char lie[2 * (15 + 33) + 2] = {0};
        size_t length = round % 3 == 0 ? (size_t)(rand_r(&dice) % (int)sizeof lie) : 2 * (15 + 33);
        for (size_t i = 0; i < sizeof lie; i++)
            lie[i] = (char)rand_r(&dice);
        for (int i = 0; i < 2; i++) { /* whose words look good: let in as somebody, by length 33 */
            char *part = lie + i * (15 + 33);
            part[1] = (char)(round % 7 == 0);
            part[14] = 33;
            part[15] = round % 2 == 0 ? 'U' : 'P';
            if (round % 5 == 0)
                memcpy(part + 16, user.bytes, 16); /* the other one's answer */
        }
        length += round % 11 == 0; /* a byte too many */
        freeReplyObject(command("SET lie %b", lie, length));
        set_question(&q[0], token, 1);
        set_question(&q[1], stranger, 2);
        for (int i = 0; i < 2; i++)
            assert_true(gate_ask(gate, &q[i].gate) == GATE_ASKED_LATER);
        for (int i = 0; i < 2; i++)
            assert_true(scratch_await_flag(loop, &q[i].done));
        assert_int_not_equal(q[1].gate.answer.verdict, GATE_ALLOWED);
        if (q[0].gate.answer.verdict == GATE_ALLOWED) {
            assert_int_equal(q[0].gate.answer.caller, GATE_USER);
            assert_true(uuid_equal(&q[0].gate.answer.caller_id, &user));
        }
    }
    run("FUNCTION FLUSH");
    gate_free(gate);
}

/* ---- redis itself */

static bool is_up(void *what)
{
    return redis_is_up(what);
}

static void expect_address(const char *address, bool up)
{
    const struct redis_settings wanted = {.address = address, .timeout_us = 25000};
    struct redis *redis = redis_new(loop, &wanted);
    assert_non_null(redis);
    if (up) {
        assert_true(scratch_await(loop, is_up, redis));
    } else {
        int64_t later = clock_monotonic() + CLOCK_SECOND / 2; /* several tries */
        while (clock_monotonic() < later) {
            ev_run(loop, EVRUN_ONCE);
            assert_false(redis_is_up(redis));
        }
    }
    redis_free(redis);
}

static void test_passwords_and_users(void **state)
{
    char address[300];
    (void)state;
    run("CONFIG SET requirepass p@ss:w@rd");
    snprintf(address, sizeof address, ":p@ss:w@rd@%s", stack->redis);
    expect_address(address, true);
    snprintf(address, sizeof address, "default:p@ss:w@rd@%s", stack->redis);
    expect_address(address, true);
    snprintf(address, sizeof address, "wrong@%s", stack->redis);
    expect_address(address, false);
    expect_address(stack->redis, false);
    run("ACL SETUSER gate on >secret ~* &* +@all");
    snprintf(address, sizeof address, "gate:secret@%s", stack->redis);
    expect_address(address, true);
    run("ACL DELUSER gate");
    freeReplyObject(command("CONFIG SET requirepass %s", ""));
    expect_address(stack->redis, true);
    expect_address("unix:/nowhere", false);
    expect_address("no address", false);
}

static void test_out_of_memory(void **state)
{
    struct gate_settings own = settings;
    struct gate *gate = NULL;
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    bool failed = true;
    (void)state;
    own.redis = linked;
    for (long n = 0; gate == NULL; n++) {
        assert_true(n < 20);
        memory_fail_after(n);
        gate = gate_new(loop, pool, &own);
        memory_fail_never();
    }
    assert_true(scratch_await(loop, is_closed, gate));
    sign_in(8, token, hash);
    for (long n = 0; failed; n++) {
        struct question q;
        run("FLUSHALL");
        set_question(&q, token, (uint8_t)n);
        memory_fail_after(n);
        enum gate_asked asked = gate_ask(gate, &q.gate);
        while (asked == GATE_ASKED_LATER && !memory_failed() && !q.done)
            ev_run(loop, EVRUN_ONCE);
        failed = memory_failed();
        memory_fail_never();
        if (asked == GATE_ASKED_LATER)
            assert_true(scratch_await_flag(loop, &q.done));
        assert_int_equal(q.dones, asked == GATE_ASKED_LATER);
        if (q.dones > 0)
            assert_true(q.gate.answer.verdict == GATE_ALLOWED ||
                        q.gate.answer.verdict == GATE_UNAVAILABLE);
        assert_true(n < 100);
    }
    gate_free(gate);
}

static bool is_ready(void *what)
{
    return pg_pool_is_ready(what);
}

static int set_up(void **state)
{
    char folder[128];
    char path[160];
    char proxy[200];
    const struct uuid wallet = {{0x20, 1}};
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    scratch = scratch_new(stack, true);
    scratch_wallet(scratch, &wallet, &user);
    loop = ev_loop_new(0);
    const struct pg_pool_settings pool_settings = {
        .connection = {.conninfo = scratch->server,
                       .application_name = "gate test",
                       .statements = gate_statements,
                       .connect_timeout_us = INT64_C(5) * CLOCK_SECOND},
        .connections = 1,
        .queue_max = 100,
        .pipeline_max = 128};
    pool = pg_pool_new(loop, &pool_settings);
    scratch_sockets(stack, folder, path);
    direct = redisConnectUnix(path);
    snprintf(proxy, sizeof proxy, "%s/link.sock", folder);
    snprintf(linked, sizeof linked, "unix:%s", proxy);
    link_to_redis = link_new(proxy, path, LINK_RAW);
    return pool == NULL || direct == NULL || direct->err != 0 ||
                   !scratch_await(loop, is_ready, pool)
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_pool_free(pool);
    link_free(link_to_redis);
    redisFree(direct);
    ev_loop_destroy(loop);
    scratch_free(scratch);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_function_decides_as_the_model),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_guessing_burns_the_ip_only),
        cmocka_unit_test(test_a_user_past_the_limit_has_nothing_left),
        cmocka_unit_test(test_sign_ins_are_counted_by_phone),
        cmocka_unit_test(test_one_turn_is_few_calls),
        cmocka_unit_test(test_questions_at_once),
        cmocka_unit_test(test_slow_or_gone),
        cmocka_unit_test(test_every_answer_may_be_lost),
        cmocka_unit_test(test_a_flushed_function_comes_back),
        cmocka_unit_test(test_a_redis_that_refuses),
        cmocka_unit_test(test_a_redis_that_lies),
        cmocka_unit_test(test_passwords_and_users),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
