/* Kill everything, at random, under load; then prove from a journal of our own what was
 * acknowledged: each acknowledged request exists once, nothing else exists, replays give the same
 * bytes, the balances are what the receipts add up to, vouchers were sold once and to who paid, a
 * partner was told of all it did in each wallet's order, and the verifier passes.
 *
 * MOOLAH_CHAOS_ROUNDS (30) rounds; each kills a worker or the master with -9, PostgreSQL
 * (immediate), Redis (which forgets everything), or the receiver of webhooks. MOOLAH_CHAOS_SEED
 * repeats a run's dice. */
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
#include "support/receiver.h"
#include "support/stack.h"
#include "support/told.h"

#define CONNECTIONS 8
#define STREAMS 8
#define ENTRIES_MAX 400000
#define START_BALANCE INT64_C(1000000)
#define PARTNER (-1)
#define TOLD (-2) /* a partner with a webhook */
#define BULK_MAX 5
#define VOUCHERS 100
#define FIRST_PIN 5000000

/* One order of ours, under one key. */
struct entry {
    char key[32];
    char path[100];
    char *body;
    int from; /* a user, or a partner: it is a deposit or a withdrawal */
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
    struct entry *later[ENTRIES_MAX]; /* purchases that are under way: to be asked at the end */
    size_t later_count;
    char tokens[STACK_USERS][96];
    char told_key[96];
    char product[40];
    struct receiver receiver;
    unsigned dice;
    int64_t began; /* monotonic */
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

static void set_body(struct entry *entry, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void set_body(struct entry *entry, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && (size_t)length < sizeof text);
    free(entry->body);
    entry->body = strdup(text);
}

static void make_deposit(struct entry *entry)
{
    set_path(entry, "/v1/deposits");
    entry->from = rand_r(&chaos.dice) % 4 == 0 ? TOLD : PARTNER;
    entry->to = rand_r(&chaos.dice) % STACK_USERS;
    set_body(entry, "{\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\",\"reference\":\"chaos\"}",
             chaos.stack->users[entry->to].wallet, 1 + rand_r(&chaos.dice) % 2000);
}

static void make_withdrawal(struct entry *entry)
{
    int user = rand_r(&chaos.dice) % STACK_USERS;
    entry->from = entry->to = TOLD;
    set_path(entry, "/v1/withdrawals");
    set_body(entry, "{\"from\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\",\"reference\":\"chaos\"}",
             chaos.stack->users[user].wallet, 1 + rand_r(&chaos.dice) % 300);
}

static void make_transfer(struct entry *entry)
{
    set_path(entry, "/v1/transfers");
    entry->from = rand_r(&chaos.dice) % STACK_USERS;
    entry->to = (entry->from + 1 + rand_r(&chaos.dice) % (STACK_USERS - 1)) % STACK_USERS;
    /* now and then more than anybody has */
    int amount = rand_r(&chaos.dice) % 20 == 0 ? 999999999 : 1 + rand_r(&chaos.dice) % 500;
    set_body(entry, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\"}",
             chaos.stack->users[entry->from].wallet, chaos.stack->users[entry->to].wallet, amount);
}

static void make_hold(struct entry *entry)
{
    make_transfer(entry);
    set_path(entry, "/v1/holds");
}

/* Each pays another one; now and then one of them wants more than there is. */
static void make_bulk(struct entry *entry)
{
    char items[900];
    int length = 0;
    int count = 1 + rand_r(&chaos.dice) % BULK_MAX;
    set_path(entry, "/v1/transfers/bulk");
    entry->from = rand_r(&chaos.dice) % STACK_USERS;
    entry->to = PARTNER;
    for (int i = 0; i < count; i++)
        length += snprintf(
            items + length, sizeof items - (size_t)length,
            "%s{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\"}",
            i == 0 ? "" : ",", chaos.stack->users[entry->from].wallet,
            chaos.stack->users[(entry->from + 1 + i % (STACK_USERS - 1)) % STACK_USERS].wallet,
            rand_r(&chaos.dice) % 12 == 0 ? 999999999 : 1 + rand_r(&chaos.dice) % 100);
    set_body(entry, "{\"mode\":\"%s\",\"transfers\":[%s]}",
             rand_r(&chaos.dice) % 2 == 0 ? "all" : "each", items);
}

static void make_purchase(struct entry *entry)
{
    set_path(entry, "/v1/purchases");
    entry->from = rand_r(&chaos.dice) % STACK_USERS;
    entry->to = PARTNER;
    set_body(entry, "{\"wallet\":\"%s\",\"product\":\"%s\"}",
             chaos.stack->users[entry->from].wallet, chaos.product);
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
        if (earlier->status == 201 && earlier->from >= 0 && earlier->to >= 0 &&
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
    set_body(entry,
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
    int kind = rand_r(&chaos.dice) % 32;
    if (kind < 9)
        make_deposit(entry);
    else if (kind < 11)
        make_withdrawal(entry);
    else if (kind < 14)
        make_hold(entry);
    else if (kind < 16)
        make_bulk(entry);
    else if (kind == 16)
        make_purchase(entry);
    else if (kind > 22 || !make_sequel(entry))
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

/* An answer that stays what it is. */
static bool is_final(const struct client_call *call)
{
    switch (call->done ? call->status : 0) {
    case 200:
    case 201:
    case 404:
        return true;
    case 422: /* the catalogue's no isn't remembered */
        return strstr(call->answer, "product_unavailable") == NULL;
    default:
        return false;
    }
}

static void take_answer(struct entry *entry, const struct client_call *call)
{
    if (call->done && call->status == 202) {
        chaos.unknown++;
        assert_true(chaos.later_count < ENTRIES_MAX);
        if (entry->status == 0) /* it may be asked twice at once */
            chaos.later[chaos.later_count++] = entry;
        return;
    }
    if (!is_final(call)) {
        /* lost, 503, or 401 from a gate that could ask nobody: unknown, ask again */
        assert_true(call->lost || call->status >= 500 || call->status == 429 ||
                    call->status == 422);
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

static const char *token_of(const struct entry *entry)
{
    return entry->from == PARTNER ? chaos.stack->partner_key
           : entry->from == TOLD  ? chaos.told_key
                                  : chaos.tokens[entry->from];
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
    place->call.token = token_of(place->entry);
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

static void tell(const char *what)
{
    printf("  %5.1f s %-20s %6ld acknowledged %6ld refused %6ld unknown %6ld replayed\n",
           (double)(clock_monotonic() - chaos.began) / CLOCK_SECOND, what, chaos.acknowledged,
           chaos.refused, chaos.unknown, chaos.replayed);
    fflush(stdout);
}

static void kill_part(enum stack_part part, int signal)
{
    pid_t pid = stack_pid(chaos.stack, part, rand_r(&chaos.dice) % 2);
    if (pid > 0)
        kill(pid, signal); /* Redis forgets everything */
}

static void kill_something(void)
{
    static const struct {
        enum stack_part part;
        int signal; /* 0: the receiver, in its place */
        const char *name;
    } deaths[] = {{STACK_WORKER, SIGKILL, "worker -9"},
                  {STACK_WORKER, SIGKILL, "worker -9"},
                  {STACK_MASTER, SIGKILL, "master -9"},
                  {STACK_POSTGRES, SIGQUIT, "PostgreSQL immediate"},
                  {STACK_POSTGRES, SIGQUIT, "PostgreSQL immediate"},
                  {STACK_REDIS, SIGKILL, "Redis -9"},
                  {STACK_REDIS, 0, "receiver -9"}};
    size_t which = (size_t)rand_r(&chaos.dice) % (sizeof deaths / sizeof deaths[0]);
    if (deaths[which].signal != 0) {
        kill_part(deaths[which].part, deaths[which].signal);
    } else {
        receiver_kill(&chaos.receiver);
        receiver_restart(&chaos.receiver);
    }
    tell(deaths[which].name);
}

static void sql(const char *statement)
{
    setenv("STATEMENT", statement, 1);
    assert_int_equal(stack_shell(chaos.stack, "psql -qX \"$MOOLAH_DATABASE\" -c \"$STATEMENT\""),
                     0);
}

/* A purchase whose driver died has a lease that ends now; those driven meanwhile are left alone. */
static void ask_later_ones(bool first)
{
    sql(first ? "update purchases set next_at = now() where next_at is not null"
              : "update purchases set next_at = now() where next_at < now() + interval '30 s'");
    while (chaos.later_count > 0)
        chaos.again[chaos.again_count++] = chaos.later[--chaos.later_count];
}

/* Until every order has its answer. */
static void settle(void)
{
    int64_t deadline = clock_monotonic() + 120 * CLOCK_SECOND;
    bool first = true;
    while (turn(true, true) > 0 || chaos.again_count + chaos.later_count > 0) {
        assert_true(clock_monotonic() < deadline);
        if (chaos.again_count > 0 || chaos.later_count == 0)
            continue;
        ask_later_ones(first);
        first = false;
    }
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

/* The items of a bulk that were posted: what was asked for, at the price that was answered. */
static long add_up_bulk(const struct entry *entry, int64_t posted[STACK_USERS])
{
    const char *item = entry->body;
    long count = 0;
    for (int i = 0; (item = strstr(item, "{\"from\"")) != NULL; i++, item++) {
        char pattern[60];
        snprintf(pattern, sizeof pattern, "{\"index\":%d,\"status\":\"posted\"", i);
        const char *result = strstr(entry->answer, pattern);
        if (result == NULL)
            continue;
        int64_t amount = number_in(item, "amount");
        char to[60];
        snprintf(to, sizeof to, "%.*s", (int)strcspn(strstr(item, "\"to\":"), ","),
                 strstr(item, "\"to\":"));
        posted[entry->from] -= amount + number_in(result, "fee");
        posted[user_in(to, "to")] += amount;
        count++;
    }
    assert_int_equal(count, number_in(entry->answer, "posted"));
    return count;
}

/* What an answer says that it moved, by its kind. Returns how many transactions, but for those of
 * purchases. */
static long add_up(const struct entry *entry, int64_t posted[STACK_USERS])
{
    const char *answer = entry->answer;
    if (strncmp(answer, "{\"mode\"", 7) == 0)
        return add_up_bulk(entry, posted);
    int64_t amount = number_in(answer, "amount");
    if (strncmp(answer, "{\"id\":\"pur_", 11) == 0) {
        assert_non_null(strstr(answer, "\"status\":\"delivered\""));
        posted[user_in(answer, "wallet")] -= amount;
        return 0;
    }
    int64_t fee = number_in(answer, "fee");
    bool refund = strstr(answer, "\"kind\":\"refund\"") != NULL;
    int from = user_in(answer, "from");
    int to = user_in(answer, "to");
    if (strstr(answer, "\"kind\":\"hold\"") != NULL || strstr(answer, "\"kind\":\"void\"") != NULL)
        return 1;
    if (from >= 0)
        posted[from] -= amount + (refund ? 0 : fee);
    if (to >= 0)
        posted[to] += amount + (refund ? fee : 0);
    return 1;
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

/* Returns how many transactions there should be, but for those of purchases. */
static long expect_balances(void)
{
    int64_t balances[STACK_USERS];
    long booked = 0;
    struct client *client = client_open(chaos.stack->port, chaos.stack->ca);
    assert_non_null(client);
    for (int i = 0; i < STACK_USERS; i++)
        balances[i] = START_BALANCE;
    for (size_t i = 0; i < chaos.count; i++)
        if (chaos.entries[i].status == 201 || chaos.entries[i].status == 200) {
            booked += add_up(&chaos.entries[i], balances);
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
    return booked;
}

/* As many transactions and keys as we know of, the demo's four deposits apart. */
static void expect_nothing_else(long booked)
{
    char command[1000];
    snprintf(
        command, sizeof command,
        "booked=$(psql -XAt \"$MOOLAH_DATABASE\" -c \"select count(*) from transactions "
        "where (reference is null or reference not like 'demo-%%') and id not in (select "
        "hold from purchases where hold is not null union select l.transaction_id from links l "
        "join purchases p on l.original = p.hold)\"); "
        "remembered=$(psql -XAt \"$MOOLAH_DATABASE\" -c \"select count(*) from idempotency "
        "where key like 'chaos-%%'\"); test \"$booked $remembered\" = '%ld %ld'",
        booked, chaos.acknowledged + chaos.refused);
    assert_int_equal(stack_shell(chaos.stack, command), 0);
}

/* Each PIN that was given out is one that we loaded, and was given to one purchase; what is sold is
 * what was given out, and paid for. */
static void expect_vouchers(void)
{
    static int given[VOUCHERS];
    char command[500];
    long sold = 0;
    for (size_t i = 0; i < chaos.count; i++) {
        const char *pin = chaos.entries[i].status != 201
                              ? NULL
                              : strstr(chaos.entries[i].answer, "\"goods\":{\"pin\":\"");
        if (pin == NULL)
            continue;
        long number = strtol(pin + 16, NULL, 10) - FIRST_PIN;
        assert_true(number >= 0 && number < VOUCHERS);
        assert_int_equal(given[number]++, 0);
        sold++;
    }
    printf("  %ld vouchers of %d sold\n", sold, VOUCHERS);
    assert_true(sold > 0);
    snprintf(command, sizeof command,
             "test $(psql -XAt \"$MOOLAH_DATABASE\" -c \"select (select count(*) from "
             "voucher_stock where status = 3), (select count(*) from voucher_stock where status = "
             "1), (select count(*) from purchases where status = 7), (select count(*) from "
             "purchases where status not in (7, 9))\") = '%ld|%ld|%ld|0'",
             sold, VOUCHERS - sold, sold);
    assert_int_equal(stack_shell(chaos.stack, command), 0);
}

/* All that the partner did was told to it. */
static void expect_told(void)
{
    struct told told;
    char id[40];
    told_init(&told, &chaos.receiver);
    for (size_t i = 0; i < chaos.count; i++)
        if (chaos.entries[i].from == TOLD && chaos.entries[i].status == 201 &&
            take_id(&chaos.entries[i], "tx_", id))
            told_note(&told, chaos.entries[i].key, chaos.entries[i].answer);
    told_await(&told, chaos.stack, chaos.stack->database);
    told_release(&told);
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
    run_load(CLOCK_SECOND / 4);
    while (turn(false, false) > 0)
        ;
    settle();
    tell("settled");
    assert_true(chaos.acknowledged > 10 * rounds);
    replay_all();
    tell("all replayed");
    expect_nothing_else(expect_balances());
    expect_vouchers();
    expect_told();
    tell("all told");
    assert_int_equal(stack_shell(chaos.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

/* With the configuration as it is now. */
static struct client *start_anew(void)
{
    int64_t deadline = clock_monotonic() + 30 * CLOCK_SECOND;
    pid_t old = stack_pid(chaos.stack, STACK_MASTER, 0);
    struct client *client = NULL;
    kill(old, SIGKILL);
    while (client == NULL) {
        pid_t now = stack_pid(chaos.stack, STACK_MASTER, 0);
        assert_true(clock_monotonic() < deadline);
        usleep(10000);
        client = now == 0 || now == old ? NULL : client_open(chaos.stack->port, chaos.stack->ca);
    }
    return client;
}

/* A server that may reach the receiver; something to sell; a partner that is told. */
static void prepare(void)
{
    char command[1500];
    char body[200];
    struct client_call call = {0};
    receiver_start(&chaos.receiver, false);
    snprintf(command, sizeof command,
             "set -e; sed -i 's|^return {|return { outbound = { ca = \"%s\", allow = { "
             "\"127.0.0.0/8\" } }, webhooks = { timeout_s = 2 },|' \"$DATA/moolahd.lua\"; "
             "seq %d %d >\"$DATA/pins\"; $MOOLAH stock load --config \"$DATA/moolahd.lua\" "
             "--database \"$MOOLAH_DATABASE\" airtime.r50 \"$DATA/pins\" >/dev/null; "
             "$MOOLAH --json partner add told | sed -n 's/.*\"api_key\":\"\\([^\"]*\\)\".*/\\1/p' "
             ">\"$DATA/told_key\"",
             chaos.receiver.ca, FIRST_PIN, FIRST_PIN + VOUCHERS - 1);
    assert_int_equal(stack_shell(chaos.stack, command), 0);
    snprintf(command, sizeof command, "%s/told_key", chaos.stack->data);
    FILE *file = fopen(command, "r");
    assert_non_null(file);
    assert_non_null(fgets(chaos.told_key, sizeof chaos.told_key, file));
    chaos.told_key[strcspn(chaos.told_key, "\n")] = '\0';
    fclose(file);
    struct client *client = start_anew();
    assert_int_equal(client_do(client, &call, "GET", "/v1/products", NULL, NULL, NULL), 200);
    const char *id = strstr(call.answer, "\"id\":\"prd_");
    assert_non_null(id);
    snprintf(chaos.product, sizeof chaos.product, "%.30s", id + 6);
    client_call_clear(&call);
    snprintf(body, sizeof body, "{\"url\":\"https://localhost:%d/hook\",\"types\":[\"*\"]}",
             chaos.receiver.port);
    assert_int_equal(client_do(client, &call, "POST", "/v1/webhooks", chaos.told_key, NULL, body),
                     201);
    client_call_clear(&call);
    client_close(client);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    chaos.began = clock_monotonic();
    chaos.entries = calloc(ENTRIES_MAX, sizeof chaos.entries[0]);
    chaos.stack = stack_start(NULL);
    prepare();
    return chaos.entries == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < CONNECTIONS; i++)
        client_close(chaos.clients[i]);
    for (int i = 0; i < CONNECTIONS * STREAMS; i++)
        client_call_clear(&chaos.places[i].call);
    for (size_t i = 0; i < chaos.count; i++) {
        free(chaos.entries[i].answer);
        free(chaos.entries[i].body);
    }
    free(chaos.entries);
    receiver_stop(&chaos.receiver);
    stack_stop(chaos.stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill_everything)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
