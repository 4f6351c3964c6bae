/* The cache of balances and first statement pages: what comes from it is what the database would
 * have said, whatever happens to Redis or is planted there; who got an answer sees it in the next
 * read, through every worker and every server.
 *
 * Covers: server/store/cache.c server/store/presence.c server/api/cached.c
 * server/posting/batch_changes.c server/store/status.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "support/second.h"
#include "support/talk.h"

#define CLIENTS 6 /* on both workers, but for one time in 64 */

static struct client *clients[CLIENTS];

static char *body_of(int status)
{
    assert_int_equal(talk.call.status, status);
    return strdup(talk.call.answer);
}

static void path_of(int user, const char *rest, char path[100])
{
    snprintf(path, 100, "/v1/wallets/%s%s", talk.stack->users[user].wallet, rest);
}

static void get(int user, const char *rest)
{
    char path[100];
    path_of(user, rest, path);
    assert_int_equal(talk_ask("GET", path, talk.tokens[user], NULL, NULL), 200);
}

static void transfer(int from, int to, const char *amount)
{
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                              talk_transfer(from, to, amount, ",\"note\":\"caf\\u00e9\"")),
                     201);
}

/* redis-cli's words; "BALANCE0" and "PAGE0" stand for the keys of user 0's wallet. */
static void redis(const char *words)
{
    char command[900];
    int length = snprintf(command, sizeof command, "B=\"redis-cli -s ${REDIS#unix:}\"; ");
    for (int user = 0; user < 2; user++) {
        struct uuid id;
        assert_true(uuid_parse(slice_of(talk.stack->users[user].wallet), "wal_", &id));
        for (int page = 0; page < 2; page++) {
            length += snprintf(command + length, sizeof command - (size_t)length, "%s%d='{",
                               page ? "PAGE" : "BALANCE", user);
            for (size_t i = 0; i < sizeof id.bytes; i++)
                length += snprintf(command + length, sizeof command - (size_t)length, "%02x",
                                   id.bytes[i]);
            length += snprintf(command + length, sizeof command - (size_t)length, "}:%s'; ",
                               page ? "page" : "balance");
        }
    }
    snprintf(command + length, sizeof command - (size_t)length, "$B %s >/dev/null", words);
    assert_int_equal(stack_shell(talk.stack, command), 0);
}

/* The sum of a metric's series that begin so. */
static int64_t metric(const char *series)
{
    char authorization[120];
    int64_t sum = 0;
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    assert_int_equal(talk_operator("/metrics", authorization), 200);
    for (const char *line = talk.call.answer; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, strlen(series)) == 0)
            sum += strtoll(strchr(line, ' ') + 1, NULL, 10);
    }
    return sum;
}

static int64_t hits(const char *of)
{
    char series[100];
    snprintf(series, sizeof series, "moolah_cache_reads_total{of=\"%s\",result=\"hit\"}", of);
    return metric(series);
}

static void await_metric(const char *series, int64_t wanted)
{
    for (int i = 0; metric(series) != wanted; i++) {
        assert_true(i < 400);
        usleep(25000);
    }
}

/* Balance and statement of both users as they are given now, and as the database has them. */
static void expect_truth(void)
{
    for (int user = 0; user < 2; user++) {
        char *given[2];
        get(user, "");
        given[0] = body_of(200);
        get(user, "/transactions?limit=20");
        given[1] = body_of(200);
        get(user, "/transactions?limit=20&min_amount=0"); /* a filter: never from the cache */
        const char *next = strstr(talk.call.answer, ",\"next\":");
        assert_non_null(next);
        assert_memory_equal(given[1], talk.call.answer, (size_t)(next - talk.call.answer));
        assert_int_equal(talk_ask("GET", "/v1/wallets", talk.tokens[user], NULL, NULL), 200);
        assert_non_null(strstr(talk.call.answer, given[0]));
        free(given[0]);
        free(given[1]);
    }
}

static int start(void **state)
{
    if (talk_start(state) != 0)
        return -1;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_open(talk.stack->port, talk.stack->ca);
    await_metric("moolah_cache_workers", 2);
    return 0;
}

static int end(void **state)
{
    pid_t master = stack_pid(talk.stack, STACK_MASTER, 0);
    for (int i = 0; i < CLIENTS; i++)
        client_close(clients[i]);
    if (master > 0)
        kill(master, SIGCONT); /* a test that failed may have left it standing */
    return talk_end(state);
}

static void test_a_second_read_costs_no_database(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        transfer(0, 1, "100"); /* the first read may be a miss, what posting offers isn't */
        expect_truth();
    }
    int64_t before[2] = {hits("balance"), hits("statement")};
    transfer(0, 1, "100");
    expect_truth();
    expect_truth();
    assert_int_equal(hits("balance"), before[0] + 4);
    assert_int_equal(hits("statement"), before[1] + 4);
}

/* More lines than a page: what posting puts before them pushes the last ones out. */
static void test_a_long_statement(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        transfer(i % 2, 1 - i % 2, "3");
        expect_truth();
    }
    char *first = NULL;
    for (int round = 0; round < 2; round++) { /* as it was renewed; as it is read */
        get(0, "/transactions");
        assert_string_not_equal(talk_member("next"), "(null)");
        if (round == 0)
            first = body_of(200);
        else
            assert_string_equal(talk.call.answer, first);
        redis("FLUSHALL");
    }
    free(first);
}

/* What was answered is in the next read, whoever serves it. */
static void test_own_writes_through_all_workers(void **state)
{
    (void)state;
    int64_t balance = talk_balance(0);
    char path[100];
    path_of(0, "", path);
    for (int i = 0; i < 60; i++) {
        struct client *own = talk.client;
        talk.client = clients[i % CLIENTS];
        transfer(0, 1, "1");
        int64_t after = talk_number("balance.posted");
        assert_true(after < balance);
        balance = after;
        for (int j = 0; j < CLIENTS; j++) {
            talk.client = clients[(i + j) % CLIENTS];
            assert_int_equal(talk_balance(0), balance);
        }
        talk.client = own;
    }
    expect_truth();
}

static void test_planted_values(void **state)
{
    static const char *const plants[] = {
        "copy $BALANCE1 $BALANCE0 replace", /* another's */
        "copy $PAGE1 $PAGE0 replace",
        "copy $BALANCE0 $PAGE0 replace",
        "copy $PAGE0 $BALANCE0 replace",
        "set $BALANCE0 garbage",
        "set $PAGE0 garbage-that-is-long-enough-to-have-a-version-and-lines-behind-it",
        "setrange $BALANCE0 0 zzzzzzzz", /* a version far ahead */
        "setrange $PAGE0 0 zzzzzzzz",
        "setrange $BALANCE0 20 z", /* another amount */
        "setrange $PAGE0 100 z",
        "setrange $BALANCE0 20000000 z", /* huge */
        "setrange $PAGE0 20000000 z",
        "eval \"redis.call('del', KEYS[1]); redis.call('rpush', KEYS[1], 'x')\" 1 $BALANCE0",
        "eval \"redis.call('del', KEYS[1]); redis.call('rpush', KEYS[1], 'x')\" 1 $PAGE0",
        "eval \"redis.call('set', KEYS[1], '')\" 1 $PAGE0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        expect_truth();
        redis(plants[i]);
        expect_truth();
        redis(plants[i]);
        transfer(0, 1, "2"); /* what posting offers meets it */
        expect_truth();
    }
}

/* As after a restore, or when a replica that lagged was promoted. */
static void test_an_old_snapshot(void **state)
{
    (void)state;
    expect_truth();
    redis("copy $BALANCE0 old:balance replace");
    redis("copy $PAGE0 old:page replace");
    transfer(0, 1, "7");
    redis("copy old:balance $BALANCE0 replace");
    redis("copy old:page $PAGE0 replace");
    int64_t before = metric("moolah_cache_reads_total{of=\"balance\",result=\"stale\"}");
    expect_truth();
    assert_true(metric("moolah_cache_reads_total{of=\"balance\",result=\"stale\"}") > before);
    redis("FLUSHALL");
    expect_truth();
}

static void test_a_redis_in_trouble(void **state)
{
    static const char *const troubles[][2] = {
        {"config set min-replicas-to-write 1", "config set min-replicas-to-write 0"},
        {"replicaof 127.0.0.1 1", "replicaof no one"},
        {"client pause 300 all", "ping"},
        {"client pause 300 write", "ping"},
        {"function flush", "ping"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        expect_truth();
        redis(troubles[i][0]);
        transfer(0, 1, "5");
        expect_truth();
        transfer(1, 0, "5");
        expect_truth();
        redis(troubles[i][1]);
        expect_truth();
        await_metric("moolah_redis_breakers_closed", 2);
    }
    kill(stack_pid(talk.stack, STACK_REDIS, 0), SIGKILL);
    transfer(0, 1, "5");
    expect_truth();
    await_metric("moolah_redis_breakers_closed", 2);
    transfer(1, 0, "5");
    expect_truth();
    int64_t before = hits("balance");
    expect_truth();
    assert_true(hits("balance") > before);
}

/* Nobody but moolahd changes accounts. If somebody does all the same, it's found and told. */
static void test_drift_is_found(void **state)
{
    char statement[200];
    (void)state;
    assert_int_equal(metric("moolah_cache_drift_total"), 0);
    assert_true(metric("moolah_cache_checks_total") > 0);
    get(2, "");
    for (int status = 2; status > 0; status--) {
        snprintf(statement, sizeof statement,
                 "update accounts set status = %d where id = (select wallet from users where "
                 "phone = '%s')",
                 status, talk.stack->users[2].phone);
        talk_sql(statement);
        for (int i = 0; strcmp(talk_member("status"), status == 2 ? "frozen" : "active") != 0;
             i++) {
            assert_true(i < 300);
            get(2, "");
        }
        assert_int_equal(metric("moolah_cache_drift_total"), 3 - status);
    }
    assert_true(talk_logged("cache_drift.*its balance in the cache was not the database's"));
}

static bool is_so(PGconn *owner, const char *condition)
{
    char sql[400];
    snprintf(sql, sizeof sql, "select pg_stat_clear_snapshot(); select %s", condition);
    PGresult *answer = PQexec(owner, sql);
    assert_int_equal(PQntuples(answer), 1);
    bool so = PQgetvalue(answer, 0, 0)[0] == 't';
    PQclear(answer);
    return so;
}

static void await_so(PGconn *owner, const char *condition)
{
    int64_t end = clock_monotonic() + 10 * CLOCK_SECOND;
    while (!is_so(owner, condition)) {
        assert_true(clock_monotonic() < end);
        usleep(2000);
    }
}

/* Operators freeze user 3, and worker `victim` dies when that is committed and before it hears of
 * it; the other one goes on, and nobody starts a new one yet. True: the victim had been asked. */
static bool freeze_and_kill(int victim, PGconn *owner, const char *path)
{
    struct client_call freeze = {
        .method = "POST", .path = path, .token = talk.stack->operator_token};
    pid_t master = stack_pid(talk.stack, STACK_MASTER, 0);
    pid_t workers[2] = {stack_pid(talk.stack, STACK_WORKER, 0),
                        stack_pid(talk.stack, STACK_WORKER, 1)};
    PQclear(PQexec(owner, "begin; lock table users in share mode"));
    assert_true(client_begin(talk.operators, &freeze));
    for (int i = 0; i < 500 && !is_so(owner, "exists (select from pg_stat_activity where query "
                                             "like '%as (update users set frozen%' and "
                                             "wait_event_type = 'Lock' and pid <> "
                                             "pg_backend_pid())");
         i++)
        client_turn(&talk.operators, 1, 10);
    kill(master, SIGSTOP);
    kill(workers[0], SIGSTOP);
    kill(workers[1], SIGSTOP);
    PQclear(PQexec(owner, "commit"));
    await_so(owner, "bool_and(frozen) from users where phone = '+27820000004'");
    kill(workers[victim], SIGKILL);
    kill(workers[1 - victim], SIGCONT);
    for (int i = 0; i < 300 && !freeze.done && !freeze.lost; i++)
        client_turn(&talk.operators, 1, 100);
    assert_true(freeze.done || freeze.lost);
    bool lost = freeze.lost;
    client_call_clear(&freeze);
    return lost;
}

/* What the surviving worker says of user 3's wallet: never what it was before. */
static void expect_frozen(void)
{
    struct client *own = talk.client;
    int asked = 0;
    for (int i = 0; i < CLIENTS; i++) {
        client_turn(&clients[i], 1, 10);
        if (!client_is_open(clients[i]))
            continue;
        talk.client = clients[i];
        get(3, "");
        assert_string_equal(talk_member("status"), "frozen");
        asked++;
    }
    talk.client = own;
    assert_true(asked > 0);
}

static void connect_all(void)
{
    client_close(talk.client);
    client_close(talk.operators);
    talk.client = client_open(talk.stack->port, talk.stack->ca);
    talk.operators = client_open(talk.stack->port + 1, talk.stack->ca);
    for (int i = 0; i < CLIENTS; i++) {
        client_close(clients[i]);
        clients[i] = client_open(talk.stack->port, talk.stack->ca);
    }
    await_metric("moolah_cache_workers", 2);
}

static void test_killed_behind_a_freeze(void **state)
{
    char path[100];
    char back[100];
    bool lost = false;
    PGconn *owner = PQconnectdb(talk.stack->database);
    (void)state;
    assert_int_equal(talk_ask("GET", "/v1/me", talk.tokens[3], NULL, NULL), 200);
    snprintf(path, sizeof path, "/v1/users/%s/freeze", talk_member("id"));
    snprintf(back, sizeof back, "/v1/users/%s/unfreeze", talk_member("id"));
    for (int round = 0; round < 6 && !lost; round++) {
        for (int i = 0; i < 2 * CLIENTS; i++) { /* a copy is there */
            struct client *own = talk.client;
            talk.client = clients[i % CLIENTS];
            get(3, "");
            talk.client = own;
            assert_string_equal(talk_member("status"), "active");
        }
        lost = freeze_and_kill(round % 2, owner, path);
        expect_frozen();
        kill(stack_pid(talk.stack, STACK_MASTER, 0), SIGCONT);
        connect_all();
        struct client_call unfreeze = {
            .method = "POST", .path = back, .token = talk.stack->operator_token};
        assert_true(client_call(talk.operators, &unfreeze));
        assert_int_equal(unfreeze.status, 200);
        client_call_clear(&unfreeze);
    }
    assert_true(lost);
    PQfinish(owner);
}

/* Two servers on one database don't know of each other's changes: neither uses the cache. */
static void test_two_servers(void **state)
{
    struct second second;
    (void)state;
    expect_truth();
    second_start(&second, talk.stack, talk.stack->port + 2, 1, "");
    assert_int_equal(metric("moolah_cache_workers"), 0);
    struct client *own = talk.client;
    struct client *other = client_open(second.port, talk.stack->ca);
    for (int i = 0; i < 5; i++) {
        talk.client = i % 2 == 0 ? other : own;
        transfer(0, 1, "1");
        talk.client = i % 2 == 0 ? own : other;
        expect_truth();
    }
    talk.client = own;
    client_close(other);
    assert_int_equal(second_stop(&second), 0);
    await_metric("moolah_cache_workers", 2);
    expect_truth();
    int64_t before = hits("balance");
    expect_truth();
    assert_true(hits("balance") > before);
}

static void test_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(talk.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_read_costs_no_database),
        cmocka_unit_test(test_a_long_statement),
        cmocka_unit_test(test_own_writes_through_all_workers),
        cmocka_unit_test(test_planted_values),
        cmocka_unit_test(test_an_old_snapshot),
        cmocka_unit_test(test_a_redis_in_trouble),
        cmocka_unit_test(test_drift_is_found),
        cmocka_unit_test(test_killed_behind_a_freeze),
        cmocka_unit_test(test_two_servers),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, start, end);
}
