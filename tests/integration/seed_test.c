/* Data at size: `moolah-bench seed` beside a running server. What it writes is what the verifier
 * accepts and the API shows; what it can't do it says before it begins.
 *
 * The tests run in their order, on one database that grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "benchmarks/population.h"
#include "support/client.h"
#include "support/stack.h"

#define WALLETS 2000
#define TRANSFERS 20000
#define OPENING INT64_C(100000000000)

static struct stack *stack;
static struct client *client;
static PGconn *database;

static int shell(const char *command)
{
    return stack_shell(stack, command);
}

/* Run the seeder with these arguments: its exit code; it must say `words`. */
static int seed(const char *arguments, const char *words)
{
    char command[1000];
    setenv("SEED_WORDS", words, 1);
    snprintf(command, sizeof command,
             "\"$(dirname \"$MOOLAH\")/moolah-bench\" seed %s >\"$DATA/seed.out\" 2>&1; code=$?; "
             "grep -qF -- \"$SEED_WORDS\" \"$DATA/seed.out\" || { cat \"$DATA/seed.out\"; exit 99; "
             "}; exit $code",
             arguments);
    return shell(command);
}

static int64_t ask(const char *sql)
{
    PGresult *result = PQexec(database, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(database));
    int64_t number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

static void assert_verified(void)
{
    assert_int_equal(shell("$MOOLAH --database \"$MOOLAH_DATABASE\" --redis \"$REDIS\" "
                           "ledger verify >\"$DATA/verify.out\" || { cat \"$DATA/verify.out\"; "
                           "exit 1; }"),
                     0);
}

static struct population_member member_of(size_t i)
{
    char error[300];
    struct population_member member;
    struct population *population = population_open(stack->data, error, sizeof error);
    if (population == NULL)
        fail_msg("%s", error);
    population_member(population, i, &member);
    population_free(population);
    return member;
}

static void test_what_is_not_understood_is_2(void **state)
{
    (void)state;
    assert_int_equal(seed("--help", "data at size"), 0);
    assert_int_equal(seed("", "--data DIR is missing"), 2);
    assert_int_equal(seed("--data", "a value is missing behind --data"), 2);
    assert_int_equal(seed("--data \"$DATA\" --wallet 5", "unknown option --wallet"), 2);
    assert_int_equal(seed("--data \"$DATA\" --wallets 0", "from 2 to 100000000, not 0"), 2);
    assert_int_equal(seed("--data \"$DATA\" --wallets 1", "from 2 to 100000000, not 1"), 2);
    assert_int_equal(seed("--data \"$DATA\" --wallets 1e6", "not 1e6"), 2);
    assert_int_equal(seed("--data \"$DATA\" --wallets ''", "--wallets must be a number"), 2);
    assert_int_equal(seed("--data \"$DATA\" --transactions -1", "not -1"), 2);
    assert_int_equal(seed("--data \"$DATA\" --months 61", "from 1 to 60, not 61"), 2);
    assert_int_equal(seed("--data \"$DATA\" --months 99999999999999999999", "--months"), 2);
}

static void test_what_cannot_be_is_said_first(void **state)
{
    (void)state;
    assert_int_equal(seed("--data /nowhere", "start `ci/up --data /nowhere` first"), 1);
    assert_int_equal(seed("--data \"$DATA\" --rules /nowhere", "the rules in /nowhere"), 1);
    assert_int_equal(shell("mkdir \"$DATA/none\""), 0);
    assert_int_equal(seed("--data \"$DATA\" --rules \"$DATA/none\" --transactions 10", "rules"), 1);
    assert_int_equal(seed("--data \"$DATA\" --transactions 10000000000", "MB are free"), 1);
    assert_int_equal(shell("mkdir \"$DATA/off\"; sed 's/dbname=moolah/dbname=postgres/' "
                           "\"$DATA/demo.json\" >\"$DATA/off/demo.json\"; "
                           "cp \"$DATA/moolahd.lua\" \"$DATA/off/\""),
                     0);
    assert_int_equal(seed("--data \"$DATA/off\"", "has not been migrated"), 1);
    assert_int_equal(shell("sed -i 's/port=5432/port=5433/' \"$DATA/off/demo.json\""), 0);
    assert_int_equal(seed("--data \"$DATA/off\"", "cannot reach the database"), 1);
    assert_int_equal(ask("select count(*) from users"), STACK_USERS);
}

/* Killed while the rows are on their way: nothing of it is there, and nothing is in the way. */
static void test_cut_off_it_leaves_nothing(void **state)
{
    (void)state;
    int64_t partitions = ask("select count(*) from pg_inherits");
    assert_int_equal(
        shell("\"$(dirname \"$MOOLAH\")/moolah-bench\" seed --data \"$DATA\" --wallets 1000 "
              "--transactions 3000000 --months 2 >\"$DATA/seed.out\" & pid=$!; "
              "until grep -q '^transactions [0-9]* of' \"$DATA/seed.out\"; do "
              "kill -0 $pid || exit 1; sleep 0.05; done; "
              "\"$(dirname \"$MOOLAH\")/moolah-bench\" seed --data \"$DATA\" 2>&1 | "
              "grep -q 'somebody else is seeding' || exit 2; "
              "kill -9 $pid; wait $pid; test $? = 137"),
        0);
    while (ask("select count(*) from pg_stat_activity where query like 'copy %' or "
               "query like 'alter table %'") > 0)
        usleep(20000); /* the database notices that it's alone */
    assert_int_equal(ask("select count(*) from users"), STACK_USERS);
    assert_int_equal(ask("select count(*) from transactions"), STACK_USERS);
    assert_int_equal(ask("select count(*) from idempotency"), 2 * STACK_USERS);
    assert_int_equal(ask("select count(*) from pg_inherits"), partitions);
    assert_verified();
}

static void test_seeding(void **state)
{
    (void)state;
    assert_int_equal(
        seed("--data \"$DATA\" --wallets 2000 --transactions 20000 --months 3", "seeded 2000"), 0);
    assert_int_equal(ask("select count(*) from users") - STACK_USERS, WALLETS);
    assert_int_equal(ask("select count(*) from transactions where kind = 2"), TRANSFERS);
    assert_int_equal(ask("select count(*) from transactions where kind = 1") - STACK_USERS,
                     WALLETS);
    /* evenly over the months: a day has what a day has, give or take a quarter */
    assert_int_equal(ask("with span as (select date_trunc('month', now()) - interval '2 months' as "
                         "b, now() as e), days as (select date_trunc('day', created_at) d, "
                         "count(*) n from transactions where kind = 2 group by 1), usual as "
                         "(select 20000 * 86400 / extract(epoch from e - b) as n, b, e from span) "
                         "select count(*) from days, usual where d > b + interval '3 days' and "
                         "d < date_trunc('day', e) and abs(days.n - usual.n) > usual.n / 4"),
                     0);
    assert_int_equal(ask("select count(*) from transactions where created_at > now() or "
                         "tableoid::regclass::text <> "
                         "'transactions_' || to_char(created_at, 'YYYY_MM')"),
                     0);
    assert_int_equal(ask("select count(distinct bundle) from transactions where kind = 2"), 1);
    assert_int_equal(ask("select count(*) from rule_bundles b where exists (select from "
                         "transactions t where t.bundle = b.hash)"),
                     1);
    assert_int_equal(ask("select count(*) from pg_constraint where conname = 'seeded'"), 0);
    assert_verified();
}

/* The planner knows them, and a partition made here is like one made by make_partitions. */
static void test_the_database_knows_its_rows(void **state)
{
    (void)state;
    assert_int_equal(ask("select count(*) from pg_class where relkind = 'r' and reltuples < 0 and "
                         "relnamespace = 'public'::regnamespace and relname ~ "
                         "'^(accounts|users|wallets|sign_ins|idempotency_.)$'"),
                     0);
    assert_int_equal(ask("select min(reltuples) from pg_class where relname in ('postings_' || "
                         "to_char(now() - interval '2 months', 'YYYY_MM'), 'transactions_' || "
                         "to_char(now() - interval '2 months', 'YYYY_MM'))") > 1000,
                     1);
    assert_int_equal(
        ask("select count(distinct (select string_agg(conname::text || "
            "replace(pg_get_constraintdef(oid), ' NOT VALID', ''), ',' order by conname) from "
            "(select oid, replace(conname, right(p.relname, 7), '') "
            "as conname from pg_constraint where conrelid = p.oid) c)) from pg_class p where "
            "p.relispartition and p.relkind = 'r' and p.relname like 'postings_%'"),
        1);
    assert_int_equal(ask("select count(distinct (select count(*) from pg_trigger where "
                         "tgrelid = p.oid)) from pg_class p where p.relispartition and "
                         "p.relkind = 'r' and p.relname ~ '^(postings|transactions)_'"),
                     1);
}

static void test_a_token_is_somebodys(void **state)
{
    (void)state;
    char path[120];
    char body[200];
    struct client_call call = {0};
    struct population_member member = member_of(WALLETS - 1);
    struct population_member other = member_of(7);
    assert_int_equal(client_do(client, &call, "GET", "/v1/me", member.token, NULL, NULL), 200);
    assert_non_null(strstr(call.answer, member.wallet));
    assert_non_null(strstr(call.answer, member.phone));
    client_call_clear(&call);
    snprintf(path, sizeof path, "/v1/wallets/%s", other.wallet);
    assert_int_equal(client_do(client, &call, "GET", path, other.token, NULL, NULL), 200);
    client_call_clear(&call);
    assert_int_equal(client_do(client, &call, "GET", path, member.token, NULL, NULL), 404);
    client_call_clear(&call);
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", member.phone,
             member.password);
    assert_int_equal(client_do(client, &call, "POST", "/v1/sessions", NULL, NULL, body), 201);
    client_call_clear(&call);
    member.token[60] ^= 1;
    assert_int_equal(client_do(client, &call, "GET", "/v1/me", member.token, NULL, NULL), 401);
    client_call_clear(&call);
}

static int64_t number_of(const struct json *object, const char *name)
{
    const struct json *value = json_member(object, name);
    assert_non_null(value);
    return json_integer(value);
}

/* What a walk over a statement has seen so far. */
struct walk {
    int64_t lines;
    int64_t version, posted; /* expected of the next line; -1: not known yet */
    char newest[32], month[8];
    int months;
    int64_t opening;
};

static void walk_line(struct walk *walk, const struct json *line)
{
    char when[32];
    struct slice time = json_string(json_member(line, "created_at"));
    const struct json *after = json_member(line, "balance_after");
    snprintf(when, sizeof when, "%.*s", (int)time.length, time.at);
    if (walk->version >= 0) {
        assert_int_equal(number_of(line, "version"), walk->version);
        assert_int_equal(number_of(after, "posted"), walk->posted);
        assert_true(strcmp(when, walk->newest) <= 0);
    }
    walk->version = number_of(line, "version") - 1;
    walk->posted = number_of(after, "posted") - number_of(line, "change");
    walk->opening = number_of(line, "change");
    snprintf(walk->newest, sizeof walk->newest, "%s", when);
    if (strncmp(walk->month, when, 7) != 0)
        walk->months++;
    snprintf(walk->month, sizeof walk->month, "%.7s", when);
    walk->lines++;
}

/* One page; false: it was the last. */
static bool walk_page(struct walk *walk, const struct population_member *member, char after[200])
{
    char path[400];
    struct client_call call = {0};
    struct arena arena;
    struct json_error error;
    const struct json *line;
    size_t at = 0;
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=100%s%s", member->wallet,
             after[0] == '\0' ? "" : "&after=", after);
    assert_int_equal(client_do(client, &call, "GET", path, member->token, NULL, NULL), 200);
    arena_init(&arena);
    const struct json *page =
        json_parse((struct slice){call.answer, call.answer_length}, &arena, &error);
    while (json_next_element(json_member(page, "data"), &at, &line))
        walk_line(walk, line);
    const struct json *next = json_member(page, "next");
    bool more = json_kind(next) == JSON_STRING;
    if (more)
        snprintf(after, 200, "%.*s", (int)json_string(next).length, json_string(next).at);
    arena_release(&arena);
    client_call_clear(&call);
    return more;
}

/* The first wallet is a shop: its statement has thousands of lines, over all the months. */
static void test_a_statement_over_the_months(void **state)
{
    (void)state;
    char after[200] = "";
    struct walk walk = {.version = -1};
    struct population_member shop = member_of(0);
    while (walk_page(&walk, &shop, after))
        ;
    assert_true(walk.lines > TRANSFERS / 5 / 4); /* of two shops */
    assert_int_equal(walk.version, 0);
    assert_int_equal(walk.posted, 0);
    assert_int_equal(walk.opening, OPENING);
    assert_in_range(walk.months, 2, 3); /* two, when this month has just begun */
}

/* A seeded key has its receipt in its transaction, as the server's have. */
static void test_a_key_has_its_receipt(void **state)
{
    (void)state;
    char path[120];
    char text[UUID_TEXT_MAX];
    char sql[400];
    struct uuid id;
    struct client_call call = {0};
    struct population_member member = member_of(11);
    char hex[33];
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", member.wallet_uuid.bytes[i]);
    snprintf(
        sql, sizeof sql,
        "select encode(uuid_send(t.id), 'hex'), '\"amount\":' || t.amount || ',\"fee\":' || t.fee "
        "from transactions t join idempotency i on i.transaction_id = t.id and i.status = 201 "
        "and i.answer is null where t.from_account = '%s' order by t.id limit 1",
        hex);
    PGresult *result = PQexec(database, sql);
    assert_int_equal(PQntuples(result), 1);
    for (size_t i = 0; i < 16; i++) {
        char digits[3] = {PQgetvalue(result, 0, 0)[2 * i], PQgetvalue(result, 0, 0)[2 * i + 1], 0};
        id.bytes[i] = (uint8_t)strtol(digits, NULL, 16);
    }
    uuid_format(&id, "tx_", text);
    snprintf(path, sizeof path, "/v1/transactions/%s", text);
    assert_int_equal(client_do(client, &call, "GET", path, member.token, NULL, NULL), 200);
    assert_non_null(strstr(call.answer, PQgetvalue(result, 0, 1)));
    PQclear(result);
    client_call_clear(&call);
}

static int transfer(const struct population_member *from, const char *to, const char *key)
{
    char body[300];
    struct client_call call = {0};
    snprintf(body, sizeof body, "{\"from\":\"%s\",\"to\":%s,\"amount\":12345,\"currency\":\"ZAR\"}",
             from->wallet, to);
    int status = client_do(client, &call, "POST", "/v1/transfers", from->token, key, body);
    client_call_clear(&call);
    return status;
}

static void test_they_go_on_living(void **state)
{
    (void)state;
    char to[80];
    char key[40];
    for (size_t i = 0; i < 50; i++) {
        struct population_member from = member_of(i * 13 % WALLETS);
        struct population_member other = member_of((i * 13 + 1) % WALLETS);
        snprintf(to, sizeof to, i % 5 == 0 ? "{\"phone\":\"%s\"}" : "\"%s\"",
                 i % 5 == 0 ? other.phone : other.wallet);
        snprintf(key, sizeof key, "seed-test-%zu", i);
        assert_int_equal(transfer(&from, to, key), 201);
    }
    assert_verified();
}

static void test_again_adds_or_says_no(void **state)
{
    (void)state;
    char to[80];
    struct population_member old = member_of(3);
    assert_int_equal(seed("--data \"$DATA\" --wallets 2000", "is seeded already, with 2000"), 1);
    assert_int_equal(seed("--data \"$DATA\" --wallets 100", "is seeded already, with 2000"), 1);
    assert_int_equal(seed("--data \"$DATA\" --wallets 2001 --transactions 1", "takes two at least"),
                     1);
    assert_int_equal(seed("--data \"$DATA\" --wallets 2500 --transactions 3000 --months 4",
                          "seeded 500 wallets and 3000 transfers"),
                     0);
    assert_verified();
    struct population_member still = member_of(3);
    struct population_member fresh = member_of(2499);
    assert_string_equal(still.token, old.token);
    snprintf(to, sizeof to, "\"%s\"", fresh.wallet);
    assert_int_equal(transfer(&still, to, "seed-test-to-fresh"), 201);
    snprintf(to, sizeof to, "\"%s\"", still.wallet);
    assert_int_equal(transfer(&fresh, to, "seed-test-from-fresh"), 201);
    assert_verified();
}

/* Ended between the commit and the report: the announcement becomes the file. */
static void test_an_announcement_is_looked_into(void **state)
{
    (void)state;
    assert_int_equal(shell("mv \"$DATA/population.json\" \"$DATA/population.json.new\""), 0);
    assert_int_equal(seed("--data \"$DATA\" --wallets 3000", "has its 2500 wallets"), 1);
    assert_int_equal(shell("test -e \"$DATA/population.json\" -a ! -e "
                           "\"$DATA/population.json.new\""),
                     0);
    /* of a seeding of which nothing is there: no reason to stop */
    assert_int_equal(shell("tr 0-9a-f 1-9a-f0 <\"$DATA/population.json\" | sed -E "
                           "'s/\"wallets.*/\"wallets\":2600,\"since\":5}/; s/^[^:]*/{\"key\"/' "
                           ">\"$DATA/population.json.new\""),
                     0);
    assert_int_equal(seed("--data \"$DATA\" --wallets 2510", "seeded 10 wallets"), 0);
    assert_verified();
    /* the key is lost: whose wallets are these? */
    assert_int_equal(shell("mv \"$DATA/population.json\" \"$DATA/lost\""), 0);
    assert_int_equal(seed("--data \"$DATA\" --wallets 3000", "population.json is gone"), 1);
    assert_int_equal(shell("mv \"$DATA/lost\" \"$DATA/population.json\""), 0);
}

/* Some of its connections had committed, the last had not: transactions of nobody. The last test:
 * it leaves them behind. */
static void test_half_a_commit_is_told(void **state)
{
    (void)state;
    assert_int_equal(ask("with one as (insert into transactions select (jsonb_populate_record(t, "
                         "jsonb_build_object('id', uuid_floor(now()), 'to_account', "
                         "'00000000-0000-7000-8000-00000000dead'))).* from transactions t limit 1 "
                         "returning 1) select count(*) from one"),
                     1);
    assert_int_equal(shell("tr 0-9a-f 1-9a-f0 <\"$DATA/population.json\" | sed -E "
                           "'s/\"wallets.*/\"wallets\":2600,\"since\":5}/; s/^[^:]*/{\"key\"/' "
                           ">\"$DATA/population.json.new\""),
                     0);
    assert_int_equal(seed("--data \"$DATA\" --wallets 3000", "in the middle of its commit"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_understood_is_2),
        cmocka_unit_test(test_what_cannot_be_is_said_first),
        cmocka_unit_test(test_cut_off_it_leaves_nothing),
        cmocka_unit_test(test_seeding),
        cmocka_unit_test(test_the_database_knows_its_rows),
        cmocka_unit_test(test_a_token_is_somebodys),
        cmocka_unit_test(test_a_statement_over_the_months),
        cmocka_unit_test(test_a_key_has_its_receipt),
        cmocka_unit_test(test_they_go_on_living),
        cmocka_unit_test(test_again_adds_or_says_no),
        cmocka_unit_test(test_an_announcement_is_looked_into),
        cmocka_unit_test(test_half_a_commit_is_told),
    };
    if (!crypto_start())
        return 1;
    stack = stack_start(NULL);
    client = client_open(stack->port, stack->ca);
    database = PQconnectdb(stack->database);
    int failed = client == NULL || PQstatus(database) != CONNECTION_OK
                     ? 1
                     : cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(database);
    if (client != NULL)
        client_close(client);
    stack_stop(stack);
    return failed;
}
