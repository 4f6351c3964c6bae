/* A ledger that was in use at schema 0003 (ledger_0003.sql: what the server of then had booked and
 * answered) is brought up to date: it holds, it answers what it answered then, and money moves on.
 * And the way there: killed at any migration, and two at once.
 *
 * Covers: server/store/migrate.c server/cli/db.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "store/migrate.h"
#include "support/client.h"
#include "support/scratch.h"
#include "support/second.h"
#include "support/stack.h"
#include "support/talk.h"

#define OLD 3 /* migrations it has */

static struct scratch *old; /* nothing but copies are made of it */

static void shell(const struct scratch *scratch, const char *command)
{
    char text[3000];
    snprintf(text, sizeof text, "MOOLAH_DATABASE=\"%s\"; %s", scratch->owner, command);
    assert_int_equal(stack_shell(talk.stack, text), 0);
}

/* As `moolah db migrate` of then left it, and filled. */
static struct scratch *make_old(void)
{
    struct scratch *scratch = scratch_new(talk.stack, false);
    shell(scratch, "set -e; cd " MOOLAH_SOURCE_DIR "/schema; run() { psql -qXAt1 -v "
                   "ON_ERROR_STOP=1 \"$MOOLAH_DATABASE\" \"$@\" >/dev/null; }; "
                   "export PGOPTIONS='-c client_min_messages=warning'; "
                   "run -c 'create table schema_migrations (number integer primary key, name text "
                   "not null, sha256 text not null, applied_at timestamptz not null default "
                   "now())'; for file in 0001_ledger 0002_people 0003_derived_answers; do "
                   "run -f $file.sql -c \"insert into schema_migrations values "
                   "(${file%%_*}::int, '${file#*_}', '$(sha256sum <$file.sql | cut -c1-64)')\"; "
                   "done; run -f ../tests/integration/ledger_0003.sql");
    /* tokens live as long after this as they had left then */
    scratch_run(scratch, "update sign_ins set expires_at = now() + interval '1 day'");
    assert_int_equal(scratch_number(scratch, "select max(number) from schema_migrations"), OLD);
    return scratch;
}

/* ---- the way there */

/* `moolah db migrate`, said by nobody. */
static pid_t start_migration(const struct scratch *scratch)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("MOOLAH_DATABASE", scratch->owner, 1);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    execl(MOOLAH_BINARY_DIR "/moolah", "moolah", "db", "migrate", (char *)NULL);
    _exit(127);
}

/* Until the count of such sessions of that database, ours apart, is as wanted. */
static void await_sessions(struct scratch *scratch, const char *which, int wanted)
{
    int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
    while (scratch_number(scratch,
                          "select pg_stat_clear_snapshot(); select count(*) from pg_stat_activity "
                          "where datname = '%s' and pid <> "
                          "pg_backend_pid() and %s",
                          scratch->name, which) != wanted) {
        assert_true(clock_monotonic() < end);
        usleep(5000);
    }
}

#define WAITS_FOR_TABLE "wait_event_type = 'Lock' and wait_event = 'relation'"
#define WAITS_FOR_TURN "wait_event_type = 'Lock' and wait_event = 'advisory'"

static void expect_applied(struct scratch *scratch, int number)
{
    assert_int_equal(scratch_number(scratch, "select max(number) from schema_migrations"), number);
    assert_int_equal(scratch_number(scratch, "select count(*) from schema_migrations"), number);
}

/* Each migration that has to wait for a table is killed while it waits: what it had done is gone,
 * what those before it had done stays, and the next one goes on from there. */
static void test_killed_on_the_way(void **state)
{
    static const struct {
        const char *lock;
        int applied;
    } blows[] = {
        {"accounts in access share mode", 3},  {"postings in access share mode", 4},
        {"partners in row exclusive mode", 5}, {"postings in access share mode", 6},
        {"accounts in access share mode", 8},
    };
    static struct migrate_result result;
    struct scratch *scratch = scratch_copy(talk.stack, old);
    (void)state;
    for (size_t i = 0; i < sizeof blows / sizeof blows[0]; i++) {
        scratch_run(scratch, "begin; lock table %s", blows[i].lock);
        pid_t pid = start_migration(scratch);
        await_sessions(scratch, WAITS_FOR_TABLE, 1);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        scratch_run(scratch, "rollback");
        await_sessions(scratch, "true", 0);
        expect_applied(scratch, blows[i].applied);
    }
    assert_true(migrate_run(scratch->owner, false, &result));
    expect_applied(scratch, (int)result.count);
    shell(scratch, "$MOOLAH ledger verify >/dev/null");
    scratch_free(scratch);
}

/* Two at once, and the first is killed: the second has waited for its turn and does it all. */
static void test_two_at_once(void **state)
{
    static struct migrate_result result;
    struct scratch *scratch = scratch_copy(talk.stack, old);
    int status = -1;
    (void)state;
    scratch_run(scratch, "begin; lock table postings in access share mode");
    pid_t first = start_migration(scratch);
    await_sessions(scratch, WAITS_FOR_TABLE, 1);
    pid_t second = start_migration(scratch);
    await_sessions(scratch, WAITS_FOR_TURN, 1);
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    scratch_run(scratch, "rollback");
    waitpid(second, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(migrate_run(scratch->owner, true, &result));
    expect_applied(scratch, (int)result.count);
    shell(scratch, "$MOOLAH ledger verify >/dev/null");
    scratch_free(scratch);
}

/* ---- what is there then */

static struct scratch *scratch;
static struct second second;
static struct client *client;
static struct client_call call;

static void ask(const char *method, const char *path, const char *token, const char *key,
                const char *body)
{
    client_call_clear(&call);
    call = (struct client_call){
        .method = method, .path = path, .token = token, .key = key, .body = body};
    assert_true(client_call(client, &call));
    talk_note(&call, true);
}

static void expect(int status)
{
    if (call.status != status)
        fail_msg("%s %s: %d %s", call.method, call.path, call.status, call.answer);
}

/* A column of the call of then that has this key; POST only. It is copied: four at a time. */
static const char *then(const char *key, const char *column)
{
    static char copies[4][1000];
    static unsigned next;
    char sql[200];
    char *copy = copies[next++ % 4];
    snprintf(sql, sizeof sql, "select %s from aside.asked where key = '%s'", column, key);
    PGresult *rows = PQexec((PGconn *)scratch->conn, sql);
    assert_int_equal(PQntuples(rows), 1);
    snprintf(copy, sizeof copies[0], "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return copy;
}

/* Of an answer: {"id":"..." */
static void take_id(const char *answer, char id[40])
{
    assert_int_equal(strncmp(answer, "{\"id\":\"", 7), 0);
    snprintf(id, 40, "%.*s", (int)strcspn(answer + 7, "\""), answer + 7);
}

/* What a page has in common with that of another server, in its place: its "next" is for the one
 * that gave it, lines had no held_change then, and wallets no time zone. */
static const char *as_then(char *answer)
{
    static const char *const since[] = {"\"held_change\":0,",
                                        "\"time_zone\":\"Africa/Johannesburg\","};
    char *next = strstr(answer, "],\"next\":");
    if (next != NULL)
        *next = '\0';
    for (size_t i = 0; i < sizeof since / sizeof since[0]; i++)
        for (char *at = answer; (at = strstr(at, since[i])) != NULL;)
            memmove(at, at + strlen(since[i]), strlen(at + strlen(since[i])) + 1);
    return answer;
}

/* All that was asked then, again: what was read is read, what was done is not done again, byte for
 * byte. A trace id is its request's own. */
static void expect_as_then(void)
{
    PGresult *rows = PQexec((PGconn *)scratch->conn, "select method, path, token, key, body, "
                                                     "status, answer from aside.asked order by n");
    assert_true(PQntuples(rows) > 30);
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *field[6];
        for (int c = 0; c < 6; c++)
            field[c] = PQgetisnull(rows, i, c) ? NULL : PQgetvalue(rows, i, c);
        ask(field[0], field[1], field[2], field[3], field[4]);
        expect((int)strtol(field[5], NULL, 10));
        if (call.status == 401)
            continue; /* names the request */
        assert_string_equal(as_then(call.answer), as_then(PQgetvalue(rows, i, 6)));
    }
    PQclear(rows);
}

static void expect_sound(void)
{
    shell(scratch, "$MOOLAH ledger verify --checkpoints \"$DATA/upgraded\" "
                   ">\"$DATA/verify\" || { cat \"$DATA/verify\"; exit 1; }");
}

static void test_answers_as_then(void **state)
{
    (void)state;
    assert_int_equal(scratch_number(scratch, "select count(*) from aside.asked where key in "
                                             "(select key from idempotency where transaction_id "
                                             "is not null and answer is not null)"),
                     3); /* kept ones are among them */
    expect_as_then();
    expect_as_then(); /* and out of the cache */
    /* the demo users' deposits and their keys, too: nothing was booked again */
    assert_int_equal(scratch_number(scratch, "select count(*) from transactions"),
                     scratch_number(scratch, "select count(*) + 4 from aside.asked where key is "
                                             "not null and answer like '{\"id\":\"tx_%%'"));
    ask("POST", "/v1/transfers", then("old-transfer-1", "token"), "old-transfer-1",
        "{\"from\":\"wal_01jb0000000000000000000000\",\"amount\":1,\"currency\":\"ZAR\",\"to\":"
        "\"wal_01jb0000000000000000000001\"}");
    expect(422);
    assert_non_null(strstr(call.answer, "idempotency_key_reused"));
}

/* The receiver of an old transfer gives it back, in parts, never more than it was. */
static void test_old_money_is_given_back(void **state)
{
    char id[40];
    char path[100];
    (void)state;
    const char *ben = then("old-transfer-5", "token"); /* who has sent, has received before */
    take_id(then("old-transfer-1", "answer"), id);
    snprintf(path, sizeof path, "/v1/transactions/%s/refunds", id);
    ask("POST", path, ben, "back-1", "{\"amount\":4000,\"reason\":\"half\"}");
    expect(201);
    ask("POST", path, ben, "back-2", "{\"amount\":6001,\"reason\":\"more than was left\"}");
    expect(422);
    ask("POST", path, ben, "back-3", "{\"amount\":6000,\"reason\":\"rest\"}");
    expect(201);
    snprintf(path, sizeof path, "/v1/transactions/%s", id);
    ask("GET", path, ben, NULL, NULL);
    expect(200);
    assert_non_null(strstr(call.answer, "\"refunds\":["));
    expect_sound();
}

static void test_money_moves_on(void **state)
{
    char anna[60];
    char body[300];
    char path[100];
    char id[40];
    const char *token = then("old-transfer-1", "token");
    (void)state;
    snprintf(anna, sizeof anna, "%s", then("old-transfer-1", "body::json->>'from'"));
    const char *ben = then("old-transfer-1", "body::json->>'to'");
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":700,\"currency\":\"ZAR\"}", anna, ben);
    ask("POST", "/v1/transfers", token, "new-1", body);
    expect(201);
    assert_non_null(strstr(call.answer, "\"fee\":250"));
    ask("POST", "/v1/holds", token, "new-2", body);
    expect(201);
    take_id(call.answer, id);
    snprintf(path, sizeof path, "/v1/holds/%s/capture", id);
    ask("POST", path, token, "new-3", "{\"amount\":300}");
    expect(201);
    ask("POST", "/v1/holds", token, "new-4", body); /* and stays open */
    expect(201);
    snprintf(body, sizeof body,
             "{\"mode\":\"all\",\"transfers\":[{\"from\":\"%s\",\"to\":\"%s\",\"amount\":5,"
             "\"currency\":\"ZAR\"},{\"from\":\"%s\",\"to\":\"%s\",\"amount\":6,\"currency\":"
             "\"ZAR\"}]}",
             anna, ben, anna, ben);
    ask("POST", "/v1/transfers/bulk", token, "new-5", body);
    expect(201);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"amount\":50,\"currency\":\"ZAR\",\"reference\":\"w\"}", ben);
    ask("POST", "/v1/withdrawals", then("old-deposit-1", "token"), "new-6", body);
    expect(201);
    snprintf(path, sizeof path, "/v1/wallets/%s/limits", anna);
    ask("GET", path, token, NULL, NULL);
    expect(200);
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=100", anna);
    ask("GET", path, token, NULL, NULL);
    expect(200);
    take_id(then("old-deposit-1", "answer"), id); /* the oldest of all is still its end */
    assert_non_null(strstr(call.answer, id));
    expect_sound();
}

/* What was booked before there were seals is sealed, too. */
static void test_old_money_is_proved(void **state)
{
    char id[40];
    char path[100];
    int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
    (void)state;
    take_id(then("old-transfer-1", "answer"), id);
    snprintf(path, sizeof path, "/v1/transactions/%s/proof", id);
    do {
        assert_true(clock_monotonic() < end);
        usleep(20000);
        ask("GET", path, then("old-transfer-1", "token"), NULL, NULL);
    } while (call.status != 200);
    assert_int_equal(scratch_number(scratch, "select count(*) from idempotency where key ~ "
                                             "'^(old|demo)-' and not exists (select from seals "
                                             "where transaction_id <= through_id) and "
                                             "transaction_id is not null"),
                     0);
    expect_sound();
}

/* ---- the parts */

static int set_up(void **state)
{
    char script[400];
    signal(SIGPIPE, SIG_IGN);
    (void)state;
    talk.stack = stack_start(NULL);
    old = make_old();
    scratch = scratch_copy(talk.stack, old);
    shell(scratch, "$MOOLAH ledger verify 2>&1 | grep -q 'moolah db migrate'");
    shell(scratch, "$MOOLAH db migrate >/dev/null && $MOOLAH ledger verify >/dev/null");
    snprintf(script, sizeof script,
             "s/dbname=moolah /dbname=%s /; s|\\(checkpoints = \\)[^,]*|\\1\"%s/upgraded\"|",
             scratch->name, talk.stack->data);
    second_start(&second, talk.stack, talk.stack->port + 4, 2, script);
    client = client_open(second.port, talk.stack->ca);
    return client == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_call_clear(&call);
    client_close(client);
    int code = second_stop(&second);
    scratch_free(scratch);
    free(old); /* its connection went with the last copy */
    stack_stop(talk.stack);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_as_then),   cmocka_unit_test(test_old_money_is_given_back),
        cmocka_unit_test(test_money_moves_on),    cmocka_unit_test(test_old_money_is_proved),
        cmocka_unit_test(test_killed_on_the_way), cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
