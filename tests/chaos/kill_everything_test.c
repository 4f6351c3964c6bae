/* Kill everything, at random, under load; then prove from a journal of our own what was
 * acknowledged: each acknowledged request exists once, nothing else exists, replays give the same
 * bytes, the balances are what the receipts add up to, and the verifier passes.
 *
 * MOOLAH_CHAOS_ROUNDS (30) rounds; each kills a worker or the master with -9, PostgreSQL
 * (immediate), or Redis (which sometimes forgets everything). MOOLAH_CHAOS_SEED repeats a run's
 * dice. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/client.h"
#include "support/stack.h"

#define CONNECTIONS 8
#define STREAMS 8
#define ENTRIES_MAX 400000
#define START_BALANCE INT64_C(1000000)
#define PARTNER (-1)

/* One order of ours, under one key. */
struct entry {
    char key[32];
    char path[100];
    char body[200];
    int from; /* a user, or PARTNER: it is a deposit or a withdrawal */
    int to;
    int status; /* of the first answer that counts; 0: none yet */
    char *answer;
    int tries;
    struct entry *of; /* the hold that it ends */
    bool ended;       /* of a hold: one of those came about */
};

/* A place from which one call at a time is made. */
struct place {
    struct client_call call;
    struct entry *entry;
    int connection;
    bool busy;
};

static struct {
    struct stack *stack;
    struct client *clients[CONNECTIONS];
    struct place places[CONNECTIONS * STREAMS];
    struct entry *entries;
    size_t count;
    struct entry *again[ENTRIES_MAX]; /* without an answer yet: to be asked again, for ever */
    size_t again_count;
    char tokens[STACK_USERS][96];
    unsigned dice;
    long acknowledged, refused, unknown, replayed;
} chaos;

static void sign_in(int user)
{
    char body[200];
    struct client_call call = {0};
    struct client *client = client_open(chaos.stack->port, chaos.stack->ca);
    struct arena arena;
    struct json_error error;
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}",
             chaos.stack->users[user].phone, chaos.stack->users[user].password);
    assert_non_null(client);
    assert_int_equal(client_do(client, &call, "POST", "/v1/sessions", NULL, NULL, body), 201);
    arena_init(&arena);
    const struct json *answer =
        json_parse((struct slice){call.answer, call.answer_length}, &arena, &error);
    struct slice token = json_string(json_member(answer, "token"));
    snprintf(chaos.tokens[user], sizeof chaos.tokens[user], "%.*s", (int)token.length, token.at);
    arena_release(&arena);
    client_call_clear(&call);
    client_close(client);
}

static void set_path(struct entry *entry, const char *path)
{
    snprintf(entry->path, sizeof entry->path, "%s", path);
}

static void make_deposit(struct entry *entry)
{
    set_path(entry, "/v1/deposits");
    entry->from = PARTNER;
    entry->to = rand_r(&chaos.dice) % STACK_USERS;
    snprintf(entry->body, sizeof entry->body,
             "{\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\",\"reference\":\"chaos\"}",
             chaos.stack->users[entry->to].wallet, 1 + rand_r(&chaos.dice) % 2000);
}

static void make_withdrawal(struct entry *entry)
{
    int user = rand_r(&chaos.dice) % STACK_USERS;
    entry->from = entry->to = PARTNER;
    set_path(entry, "/v1/withdrawals");
    snprintf(entry->body, sizeof entry->body,
             "{\"from\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\",\"reference\":\"chaos\"}",
             chaos.stack->users[user].wallet, 1 + rand_r(&chaos.dice) % 300);
}

static void make_transfer(struct entry *entry)
{
    set_path(entry, "/v1/transfers");
    entry->from = rand_r(&chaos.dice) % STACK_USERS;
    entry->to = (entry->from + 1 + rand_r(&chaos.dice) % (STACK_USERS - 1)) % STACK_USERS;
    /* now and then more than anybody has */
    int amount = rand_r(&chaos.dice) % 20 == 0 ? 999999999 : 1 + rand_r(&chaos.dice) % 500;
    snprintf(entry->body, sizeof entry->body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\"}",
             chaos.stack->users[entry->from].wallet, chaos.stack->users[entry->to].wallet, amount);
}

static void make_hold(struct entry *entry)
{
    make_transfer(entry);
    set_path(entry, "/v1/holds");
}

/* The id that an answer gave: of some earlier entry, whatever became of it. */
static bool take_id(const struct entry *of, const char *prefix, char id[40])
{
    char pattern[20];
    snprintf(pattern, sizeof pattern, "{\"id\":\"%s", prefix);
    if (of->answer == NULL || strncmp(of->answer, pattern, strlen(pattern)) != 0)
        return false;
    snprintf(id, 40, "%.*s", (int)strcspn(of->answer + 7, "\""), of->answer + 7);
    return true;
}

/* Capture, void or refund of something earlier, mostly of what was finished or given back already.
 * False: none was found. */
static bool make_sequel(struct entry *entry)
{
    char id[40];
    struct entry *of = NULL;
    bool hold = false;
    for (int tries = 0; tries < 20 && of == NULL && chaos.count > 100; tries++) {
        struct entry *earlier = &chaos.entries[chaos.count - 2 - (size_t)rand_r(&chaos.dice) % 90];
        hold = take_id(earlier, "hld_", id);
        if (earlier->status == 201 && earlier->from != PARTNER && earlier->to != PARTNER &&
            (hold || take_id(earlier, "tx_", id)))
            of = earlier;
    }
    if (of == NULL)
        return false;
    bool capture = hold && rand_r(&chaos.dice) % 3 != 0;
    entry->from = hold ? of->from : of->to; /* who asks */
    entry->to = PARTNER;
    entry->of = hold ? of : NULL;
    if (hold)
        snprintf(entry->path, sizeof entry->path, "/v1/holds/%s/%s", id,
                 capture ? "capture" : "void");
    else
        snprintf(entry->path, sizeof entry->path, "/v1/transactions/%s/refunds", id);
    snprintf(entry->body, sizeof entry->body,
             hold ? capture ? "{\"amount\":%d}" : "{}" : "{\"amount\":%d,\"reason\":\"chaos\"}",
             1 + rand_r(&chaos.dice) % 300);
    return true;
}

/* The fees eat the wallets up: deposits bring as much again, so that money moves to the end. */
static struct entry *new_entry(void)
{
    struct entry *entry = &chaos.entries[chaos.count++];
    assert_true(chaos.count < ENTRIES_MAX);
    snprintf(entry->key, sizeof entry->key, "chaos-%zu", chaos.count);
    int kind = rand_r(&chaos.dice) % 16;
    if (kind < 4)
        make_deposit(entry);
    else if (kind == 4)
        make_withdrawal(entry);
    else if (kind <= 6)
        make_hold(entry);
    else if (kind > 9 || !make_sequel(entry))
        make_transfer(entry);
    return entry;
}

/* A fresh order, one without an answer, or one that has its answer already: sent twice on purpose.
 */
static struct entry *choose_entry(bool only_open)
{
    if (chaos.again_count > 0 && (only_open || rand_r(&chaos.dice) % 2 == 0))
        return chaos.again[--chaos.again_count];
    if (only_open)
        return NULL;
    if (chaos.count > 100 && rand_r(&chaos.dice) % 20 == 0)
        return &chaos.entries[(size_t)rand_r(&chaos.dice) % (chaos.count - 64)];
    return new_entry();
}

static void take_answer(struct entry *entry, const struct client_call *call)
{
    bool final = call->done && (call->status == 201 || call->status == 200 || call->status == 404 ||
                                call->status == 422);
    if (!final) {
        /* lost, 503, or 401 from a gate that could ask nobody: unknown, ask again */
        assert_true(call->lost || call->status >= 500 || call->status == 429);
        chaos.unknown++;
        if (entry->status == 0)
            chaos.again[chaos.again_count++] = entry;
        return;
    }
    if (entry->status != 0) {
        assert_int_equal(call->status, entry->status);
        assert_string_equal(call->answer, entry->answer);
        chaos.replayed++;
        return;
    }
    entry->status = call->status;
    entry->answer = strdup(call->answer);
    *(call->status < 300 ? &chaos.acknowledged : &chaos.refused) += 1;
}

static void begin(struct place *place, bool only_open)
{
    struct client *client = chaos.clients[place->connection];
    if (client == NULL || !client_is_open(client))
        return;
    place->entry = choose_entry(only_open);
    if (place->entry == NULL)
        return;
    client_call_clear(&place->call);
    place->call.method = "POST";
    place->call.path = place->entry->path;
    place->call.token =
        place->entry->from == PARTNER ? chaos.stack->partner_key : chaos.tokens[place->entry->from];
    place->call.key = place->entry->key;
    place->call.body = place->entry->body;
    place->busy = true;
    place->entry->tries++;
    client_begin(client, &place->call);
}

static void keep_connected(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        if (chaos.clients[i] != NULL && client_is_open(chaos.clients[i]))
            continue;
        if (chaos.clients[i] != NULL && client_in_flight(chaos.clients[i]) > 0)
            continue; /* after GOAWAY the rest is still answered */
        client_close(chaos.clients[i]);
        chaos.clients[i] = client_open(chaos.stack->port, chaos.stack->ca);
    }
}

/* One turn of the load: reconnect, begin what can begin, take what has come. Returns how many calls
 * are under way. */
static int turn(bool start_new, bool only_open)
{
    int busy = 0;
    keep_connected();
    for (int i = 0; i < CONNECTIONS * STREAMS; i++) {
        struct place *place = &chaos.places[i];
        if (place->busy && (place->call.done || place->call.lost)) {
            place->busy = false;
            take_answer(place->entry, &place->call);
        }
        if (!place->busy && start_new)
            begin(place, only_open);
        busy += place->busy;
    }
    client_turn(chaos.clients, CONNECTIONS, busy > 0 ? 20 : 1);
    return busy;
}

static void run_load(int64_t for_us)
{
    int64_t end = clock_monotonic() + for_us;
    while (clock_monotonic() < end)
        turn(true, false);
}

/* Mostly money moves again before the next blow; now and then it falls on one that is still down.
 */
static void run_round(void)
{
    int64_t end = clock_monotonic() + 5 * CLOCK_SECOND;
    long before = chaos.acknowledged;
    bool patient = rand_r(&chaos.dice) % 4 != 0;
    run_load(50000 + rand_r(&chaos.dice) % 400000);
    while (patient && chaos.acknowledged - before < 100 && clock_monotonic() < end)
        turn(true, false);
}

static void kill_something(void)
{
    static const struct {
        enum stack_part part;
        int signal;
        const char *name;
    } deaths[] = {{STACK_WORKER, SIGKILL, "worker -9"},
                  {STACK_WORKER, SIGKILL, "worker -9"},
                  {STACK_MASTER, SIGKILL, "master -9"},
                  {STACK_POSTGRES, SIGQUIT, "PostgreSQL immediate"},
                  {STACK_POSTGRES, SIGQUIT, "PostgreSQL immediate"},
                  {STACK_REDIS, SIGKILL, "Redis -9"}};
    size_t which = (size_t)rand_r(&chaos.dice) % (sizeof deaths / sizeof deaths[0]);
    pid_t pid = stack_pid(chaos.stack, deaths[which].part, rand_r(&chaos.dice) % 2);
    if (pid > 0)
        kill(pid, deaths[which].signal); /* Redis forgets everything */
    printf("  %-20s %6ld acknowledged %6ld refused %6ld unknown %6ld replayed\n",
           deaths[which].name, chaos.acknowledged, chaos.refused, chaos.unknown, chaos.replayed);
    fflush(stdout);
}

/* Until every order has its answer. */
static void settle(void)
{
    int64_t deadline = clock_monotonic() + 120 * CLOCK_SECOND;
    while (turn(true, true) > 0 || chaos.again_count > 0)
        assert_true(clock_monotonic() < deadline);
}

/* Every key once more: the same bytes. */
static void replay_all(void)
{
    long before = chaos.replayed;
    long expected = 0;
    for (size_t i = 0; i < chaos.count; i++) {
        if (chaos.entries[i].status == 0)
            continue;
        assert_true(chaos.again_count < ENTRIES_MAX);
        chaos.again[chaos.again_count++] = &chaos.entries[i];
        expected++;
    }
    settle();
    assert_true(chaos.replayed - before >= expected);
}

static int64_t number_in(const char *json, const char *name)
{
    char pattern[40];
    snprintf(pattern, sizeof pattern, "\"%s\":", name);
    const char *at = strstr(json, pattern);
    assert_non_null(at);
    return strtoll(at + strlen(pattern), NULL, 10);
}

/* Which of the users has the wallet that an answer names as `name`; -1: none. */
static int user_in(const char *answer, const char *name)
{
    for (int i = 0; i < STACK_USERS; i++) {
        char pattern[80];
        snprintf(pattern, sizeof pattern, "\"%s\":\"%s\"", name, chaos.stack->users[i].wallet);
        if (strstr(answer, pattern) != NULL)
            return i;
    }
    return -1;
}

/* What an answer says that it moved, by its kind. */
static void add_up(const char *answer, int64_t posted[STACK_USERS])
{
    int64_t amount = number_in(answer, "amount");
    int64_t fee = number_in(answer, "fee");
    bool refund = strstr(answer, "\"kind\":\"refund\"") != NULL;
    int from = user_in(answer, "from");
    int to = user_in(answer, "to");
    if (strstr(answer, "\"kind\":\"hold\"") != NULL || strstr(answer, "\"kind\":\"void\"") != NULL)
        return;
    if (from >= 0)
        posted[from] -= amount + (refund ? 0 : fee);
    if (to >= 0)
        posted[to] += amount + (refund ? fee : 0);
}

/* What open holds put aside. */
static int64_t held_by(int user)
{
    int64_t held = 0;
    char id[40];
    for (size_t i = 0; i < chaos.count; i++) {
        const struct entry *hold = &chaos.entries[i];
        if (hold->status == 201 && !hold->ended && take_id(hold, "hld_", id) &&
            user_in(hold->answer, "from") == user)
            held += number_in(hold->answer, "amount") + number_in(hold->answer, "fee");
    }
    return held;
}

static void expect_balances(void)
{
    int64_t balances[STACK_USERS];
    struct client *client = client_open(chaos.stack->port, chaos.stack->ca);
    assert_non_null(client);
    for (int i = 0; i < STACK_USERS; i++)
        balances[i] = START_BALANCE;
    for (size_t i = 0; i < chaos.count; i++)
        if (chaos.entries[i].status == 201 || chaos.entries[i].status == 200) {
            add_up(chaos.entries[i].answer, balances);
            if (chaos.entries[i].of != NULL)
                chaos.entries[i].of->ended = true;
        }
    for (int i = 0; i < STACK_USERS; i++) {
        char path[80];
        struct client_call call = {0};
        snprintf(path, sizeof path, "/v1/wallets/%s", chaos.stack->users[i].wallet);
        assert_int_equal(client_do(client, &call, "GET", path, chaos.tokens[i], NULL, NULL), 200);
        assert_int_equal(number_in(call.answer, "posted"), balances[i]);
        assert_int_equal(number_in(call.answer, "held"), held_by(i));
        client_call_clear(&call);
    }
    client_close(client);
}

/* As many transactions and keys as we know of, the demo's four deposits apart. */
static void expect_nothing_else(void)
{
    char command[600];
    snprintf(command, sizeof command,
             "booked=$(psql -XAt \"$MOOLAH_DATABASE\" -c \"select count(*) from transactions "
             "where reference is null or reference not like 'demo-%%'\"); "
             "remembered=$(psql -XAt \"$MOOLAH_DATABASE\" -c \"select count(*) from idempotency "
             "where key like 'chaos-%%'\"); test \"$booked $remembered\" = '%ld %ld'",
             chaos.acknowledged, chaos.acknowledged + chaos.refused);
    assert_int_equal(stack_shell(chaos.stack, command), 0);
}

static void test_kill_everything(void **state)
{
    const char *wish = getenv("MOOLAH_CHAOS_ROUNDS");
    const char *seed = getenv("MOOLAH_CHAOS_SEED");
    long rounds = wish == NULL ? 30 : strtol(wish, NULL, 10);
    (void)state;
    chaos.dice = seed == NULL ? (unsigned)time(NULL) : (unsigned)strtoul(seed, NULL, 10);
    printf("  seed %u, %ld rounds\n", chaos.dice, rounds);
    for (int i = 0; i < CONNECTIONS * STREAMS; i++)
        chaos.places[i].connection = i % CONNECTIONS;
    for (int i = 0; i < STACK_USERS; i++)
        sign_in(i);
    for (long round = 0; round < rounds; round++) {
        run_round();
        kill_something();
    }
    run_load(CLOCK_SECOND);
    while (turn(false, false) > 0)
        ;
    settle();
    printf("  settled: %ld acknowledged, %ld refused, %ld times unknown\n", chaos.acknowledged,
           chaos.refused, chaos.unknown);
    assert_true(chaos.acknowledged > 1000);
    replay_all();
    expect_balances();
    expect_nothing_else();
    assert_int_equal(stack_shell(chaos.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    chaos.entries = calloc(ENTRIES_MAX, sizeof chaos.entries[0]);
    chaos.stack = stack_start(NULL);
    return chaos.entries == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < CONNECTIONS; i++)
        client_close(chaos.clients[i]);
    for (int i = 0; i < CONNECTIONS * STREAMS; i++)
        client_call_clear(&chaos.places[i].call);
    for (size_t i = 0; i < chaos.count; i++)
        free(chaos.entries[i].answer);
    free(chaos.entries);
    stack_stop(chaos.stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill_everything)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
