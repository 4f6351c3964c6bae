/* Months out of the database and back: what is asked of them meanwhile, replays of their keys, the
 * verifier, what is refused, and files that somebody has touched.
 *
 * Covers: server/store/archive.c server/store/archive_answers.c server/store/archive_file.c
 *     server/store/archive_manifest.c server/store/archive_restore.c server/store/archive_state.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "support/talk.h"

static char month[8];      /* the old one: six months ago */
static char inside[40];    /* a moment in it, behind its movements */
static char behind[40];    /* a moment after it */
static char key[40];       /* of a transfer in it */
static char receipt[2048]; /* what a replay of it answers */
static char id[40];        /* of that transfer */
static int64_t balance[2]; /* at its end */
static char refunded[40];  /* a key: its refund finds the month away, and later back */
static char back[2048];    /* that refund's receipt */

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
    char command[1200];
    va_list arguments;
    setenv("MONTH", month, 1);
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return stack_shell(talk.stack, command);
}

/* moolah db COMMAND: its exit code; it must say `words`. */
static int moolah(const char *command, const char *words)
{
    setenv("WORDS", words, 1);
    return shell("$MOOLAH db %s >\"$DATA/said\" 2>&1; code=$?; grep -qF -- \"$WORDS\" "
                 "\"$DATA/said\" || { cat \"$DATA/said\"; exit 99; }; exit $code",
                 command);
}

/* All holds, but for the seals: what grew old by hand was changed behind their back, and they say
 * so. */
static void assert_verified(void)
{
    assert_int_equal(shell("$MOOLAH ledger verify >\"$DATA/said\"; "
                           "[ $(grep -c ^holds \"$DATA/said\") -ge 7 ] && "
                           "! grep ^BROKEN \"$DATA/said\" | grep -v '5 sealed' || "
                           "{ cat \"$DATA/said\"; exit 1; }"),
                     0);
}

static void replay(void)
{
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], key,
                              talk_transfer(0, 1, "1000", ",\"note\":\"old\"")),
                     201);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
}

static int ask(const char *what)
{
    char path[300];
    snprintf(path, sizeof path, "/v1/wallets/%s/%s", talk.stack->users[0].wallet, what);
    return talk_ask("GET", path, talk.tokens[0], NULL, NULL);
}

static int ask_at(const char *what, const char *moment)
{
    char text[200];
    snprintf(text, sizeof text, "%s%s", what, moment);
    return ask(text);
}

static int ask_transaction(void)
{
    char path[100];
    snprintf(path, sizeof path, "/v1/transactions/%s", id);
    return talk_ask("GET", path, talk.tokens[0], NULL, NULL);
}

static void expect_archived(int status)
{
    talk_expect(status, 410, "archived");
    assert_string_equal(talk_member("month"), month);
    assert_memory_equal(talk_member("archive"), "moolah-", 7);
}

static void move(const char *with)
{
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], with,
                              talk_transfer(0, 1, "1000", ",\"note\":\"old\"")),
                     201);
}

static void name_months(void)
{
    struct tm then;
    time_t now = time(NULL);
    gmtime_r(&now, &then);
    then.tm_mon -= 6;
    then.tm_mday = 1;
    then.tm_hour = then.tm_min = then.tm_sec = 0;
    timegm(&then);
    strftime(month, sizeof month, "%Y-%m", &then);
    strftime(inside, sizeof inside, "%Y-%m-20T00:00:00Z", &then);
    then.tm_mon += 1;
    timegm(&then);
    strftime(behind, sizeof behind, "%Y-%m-20T00:00:00Z", &then);
}

/* All that was booked so far, six months ago: on the 10th of that month. */
static void grow_old(void)
{
    char sql[2000];
    snprintf(
        sql, sizeof sql,
        "set session_replication_role = replica; "
        "select make_partitions('%s', 0); "
        "create function aged(uuid) returns uuid language sql immutable as $$ select "
        "(substr(uuid_floor('%s-10T00:00:00Z')::text, 1, 14) || substr($1::text, 15))::uuid $$;"
        " update transactions set id = aged(id), created_at = '%s-10T00:00:00Z'; "
        "update postings set transaction_id = aged(transaction_id); "
        "update idempotency set transaction_id = aged(transaction_id) where transaction_id is "
        "not null; update accounts set counters = null; drop function aged",
        inside, month, month);
    talk_sql(sql);
}

static void test_a_month_grows_old(void **state)
{
    (void)state;
    name_months();
    snprintf(key, sizeof key, "%s", talk_key());
    move(key);
    for (int i = 0; i < 4; i++)
        move(talk_key());
    balance[0] = talk_balance(0);
    balance[1] = talk_balance(1);
    grow_old();
    replay();
    snprintf(receipt, sizeof receipt, "%s", talk.call.answer);
    snprintf(id, sizeof id, "%s", talk_member("id"));
    for (int i = 0; i < 3; i++)
        move(talk_key());
    assert_verified();
}

static void test_what_is_not_taken_out(void **state)
{
    (void)state;
    assert_int_equal(moolah("archive --month $(date -u +%Y-%m) --to \"$DATA\"", "is too young"), 1);
    assert_int_equal(moolah("archive --month 2011-01 --to \"$DATA\"", "there is no month 2011-01"),
                     1);
    assert_int_equal(moolah("archive --month 2011-13 --to \"$DATA\"", "must be like"), 1);
    assert_int_equal(moolah("archive --month x --to \"$DATA\"", "must be like"), 1);
    assert_int_equal(moolah("archive --month $MONTH --to /nowhere", "is no folder"), 1);
    assert_int_equal(moolah("archive --month $MONTH", "--to FOLDER"), 2);
    assert_int_equal(moolah("restore --from \"$DATA\"", "--month"), 2);
    assert_int_equal(moolah("restore --month 2011-01 --from \"$DATA\"", "was never taken out"), 1);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "is here already"), 0);
    assert_int_equal(shell("test ! -e \"$DATA/moolah-$MONTH/manifest.json\""), 0);
    assert_int_equal(ask_at("balance?at=", inside), 200);
    assert_int_equal(talk_number("balance.posted"), balance[0]);
}

/* Killed while it works, at any point: the ledger is as it was, or the month is out. */
static void test_killed_on_the_way(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        shell("timeout -s KILL 0.0%d $MOOLAH db archive --month $MONTH --to \"$DATA\" "
              ">/dev/null 2>&1",
              1 + 2 * i);
    assert_verified();
    replay();
    assert_string_equal(talk.call.answer, receipt);
}

/* The archivist's last look for others, since it's one; "": it hasn't looked. */
static const char *look(PGconn *owner, char text[64])
{
    PGresult *answer =
        PQexec(owner, "select max(query_start) from pg_stat_activity where usename "
                      "= 'archivist' and query like 'select count(*) from pg_locks%'");
    assert_int_equal(PQresultStatus(answer), PGRES_TUPLES_OK);
    snprintf(text, 64, "%s", PQgetvalue(answer, 0, 0));
    PQclear(answer);
    return text;
}

static PGconn *connect_as(const char *role)
{
    char conninfo[400];
    snprintf(conninfo, sizeof conninfo, "%s%s%s", talk.stack->database,
             role == NULL ? "" : " user=", role == NULL ? "" : role);
    PGconn *conn = PQconnectdb(conninfo);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    return conn;
}

/* Who owns the tables needn't be allowed to see when others' transactions began: they are waited
 * for all the same. */
static void test_others_are_waited_for(void **state)
{
    char first[64] = "";
    char now[64] = "";
    (void)state;
    talk_sql("create role reader login; create role archivist login; do $$ begin execute "
             "format('grant %I to archivist', current_user); end $$");
    PGconn *owner = connect_as(NULL);
    PGconn *reader = connect_as("reader");
    PQclear(PQexec(reader, "begin"));
    PQclear(PQexec(reader, "select 1"));
    shell("{ $MOOLAH db archive --database \"$MOOLAH_DATABASE user=archivist\" --month $MONTH "
          "--to \"$DATA\"; echo \"ended: $?\"; } >\"$DATA/waited\" 2>&1 </dev/null &");
    for (int i = 0; i < 1000 && (first[0] == '\0' || strcmp(first, now) == 0); i++) {
        snprintf(first, sizeof first, "%s", first[0] == '\0' ? now : first);
        assert_int_not_equal(shell("grep ended: \"$DATA/waited\""), 0);
        look(owner, now);
        usleep(20000);
    }
    assert_string_not_equal(first, now); /* it has looked, and again */
    PQclear(PQexec(owner, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                          "'archivist'"));
    assert_int_equal(shell("for i in $(seq 500); do grep -q ended: \"$DATA/waited\" && exit 0; "
                           "sleep 0.02; done; exit 1"),
                     0);
    PQfinish(reader);
    PQfinish(owner);
}

static void test_taken_out(void **state)
{
    (void)state;
    assert_int_equal(moolah("archive --month $MONTH --to \"$DATA\"", "archived"), 0);
    assert_int_equal(moolah("archive --month $MONTH --to \"$DATA\"", "archived already"), 0);
    assert_int_equal(moolah("status", "moolah-"), 0);
    assert_verified();
    /* the key answers as ever; and it's booked once */
    replay();
    assert_string_equal(talk.call.answer, receipt);
    /* the files are what sha256sum says they are */
    assert_int_equal(shell("cd \"$DATA/moolah-$MONTH\" && for f in *.gz; do gzip -t $f && "
                           "grep -q $(sha256sum <$f | cut -c 1-64) manifest.json || exit 1; done"),
                     0);
    assert_int_equal(shell("test \"$(psql -qAtX \"$MOOLAH_DATABASE\" -c \"select "
                           "make_partitions('%s', 0)\")\" = 0",
                           inside),
                     0);
}

static void test_what_is_asked_meanwhile(void **state)
{
    char text[200];
    char next[64];
    (void)state;
    expect_archived(ask_at("balance?at=", inside));
    assert_int_equal(ask_at("balance?at=", behind), 200);
    assert_int_equal(talk_number("balance.posted"), balance[0]);
    assert_int_equal(ask("balance?at=2011-01-01T00:00:00Z"), 200);
    assert_int_equal(talk_number("version"), 0);
    expect_archived(ask_transaction());
    snprintf(text, sizeof text, "/v1/transactions/%s/proof", id);
    expect_archived(talk_ask("GET", text, talk.tokens[0], NULL, NULL));
    expect_archived(ask_at("statement?from=", inside));
    expect_archived(ask("statement?from=2011-01-01T00:00:00Z"));
    assert_int_equal(ask_at("statement?from=", behind), 200);
    snprintf(text, sizeof text, "\"opening balance\",,\"\",\"\",ZAR,0.00,0.00,0.00,%lld.%02d",
             (long long)balance[0] / 100, (int)(balance[0] % 100));
    assert_non_null(strstr(talk.call.answer, text));
    /* the list ends where the archive begins, and says so */
    assert_int_equal(ask("transactions"), 200);
    snprintf(next, sizeof next, "%s", talk_member("next"));
    assert_string_not_equal(next, "(null)");
    snprintf(text, sizeof text, "transactions?after=%s", next);
    expect_archived(ask(text));
    assert_int_equal(ask_at("transactions?kind=deposit&from=", behind), 200);
    assert_string_equal(talk_member("next"), "(null)");
    expect_archived(ask("transactions?kind=deposit"));
    snprintf(text, sizeof text, "/v1/transactions?wallet=%s&kind=deposit",
             talk.stack->users[0].wallet);
    char authorization[120];
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    expect_archived(talk_operator(text, authorization));
    snprintf(text, sizeof text, "/v1/transactions/%s", id);
    expect_archived(talk_operator(text, authorization));
    /* nothing of it is given back; what a key has done before is told all the same */
    snprintf(refunded, sizeof refunded, "%s", talk_key());
    snprintf(text, sizeof text, "/v1/transactions/%s/refunds", id);
    expect_archived(talk_ask("POST", text, talk.tokens[1], refunded, "{\"reason\":\"old\"}"));
    expect_archived(talk_ask("POST", text, talk.tokens[1], refunded, "{\"reason\":\"old\"}"));
    client_call_clear(&talk.call);
    snprintf(text, sizeof text, "/v1/transactions/%s/reversal", id);
    int status = client_do(talk.operators, &talk.call, "POST", text, talk.stack->operator_token,
                           talk_key(), "{\"reason\":\"old\"}");
    talk_note(&talk.call, false);
    expect_archived(status);
    /* money moves on */
    move(talk_key());
    assert_verified();
}

/* The verifier sees what was done to what is left of a month. */
static void test_the_verifier_looks_at_it(void **state)
{
    static const char *const breaking[][2] = {
        {"update archive_balances set posted = posted + 1 where posted > 0",
         "update archive_balances set posted = posted - 1 where posted > 1"},
        {"update archives set transactions = transactions + 1",
         "update archives set transactions = transactions - 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof breaking / sizeof breaking[0]; i++) {
        talk_sql(breaking[i][0]);
        assert_int_equal(shell("$MOOLAH ledger verify >/dev/null"), 1);
        talk_sql(breaking[i][1]);
    }
    assert_verified();
}

static void test_files_that_are_not_as_written(void **state)
{
    (void)state;
    assert_int_equal(shell("cp -a \"$DATA/moolah-$MONTH\" \"$DATA/kept\"; mkdir \"$DATA/empty\""),
                     0);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA/empty\"", "there is no"), 1);
    assert_int_equal(
        shell("sed -i 's/\"rows\":/\"rows\": /' \"$DATA/moolah-$MONTH/manifest.json\""), 0);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "is not the one"), 1);
    assert_int_equal(shell("cp \"$DATA/kept/manifest.json\" \"$DATA/moolah-$MONTH/\"; "
                           "cd \"$DATA/moolah-$MONTH\" && zcat postings.copy.gz | sed '$d' | gzip "
                           ">x && mv x postings.copy.gz"),
                     0);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "is not what its manifest"),
                     1);
    assert_int_equal(shell("head -c 200 \"$DATA/kept/postings.copy.gz\" "
                           ">\"$DATA/moolah-$MONTH/postings.copy.gz\""),
                     0);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "postings.copy.gz"), 1);
    assert_int_equal(shell("cp \"$DATA/kept/postings.copy.gz\" \"$DATA/moolah-$MONTH/\""), 0);
    expect_archived(ask_transaction());
    assert_verified();
}

static void test_brought_back(void **state)
{
    (void)state;
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "is back"), 0);
    assert_int_equal(moolah("restore --month $MONTH --from \"$DATA\"", "is here already"), 0);
    assert_int_equal(ask_at("balance?at=", inside), 200);
    assert_int_equal(talk_number("balance.posted"), balance[0]);
    assert_int_equal(ask("statement?from=2011-01-01T00:00:00Z"), 200);
    assert_int_equal(ask_transaction(), 200);
    assert_string_equal(talk.call.answer, receipt);
    replay();
    assert_string_equal(talk.call.answer, receipt);
    assert_int_equal(shell("test \"$(psql -qAtX \"$MOOLAH_DATABASE\" -c 'select (select count(*) "
                           "from archives) + (select count(*) from archive_balances)')\" = 0"),
                     0);
    assert_verified(); /* triggers and privileges are those of any month */
    char path[100];
    snprintf(path, sizeof path, "/v1/transactions/%s/refunds", id);
    assert_int_equal(talk_ask("POST", path, talk.tokens[1], refunded, "{\"reason\":\"old\"}"), 201);
    snprintf(back, sizeof back, "%s", talk.call.answer);
    /* and out again, over the old files; not over another ledger's of that month */
    assert_int_equal(shell("cd \"$DATA/moolah-$MONTH\" && cp manifest.json ../own.json && sed -i "
                           "'s/\"first_id\":\"......../\"first_id\":\"00000000/' manifest.json && "
                           "sha256sum * >../before"),
                     0);
    assert_int_equal(moolah("archive --month $MONTH --to \"$DATA\"", "is not of this ledger"), 1);
    assert_int_equal(shell("cd \"$DATA/moolah-$MONTH\" && sha256sum -c --quiet ../before && "
                           "mv ../own.json manifest.json"),
                     0);
    assert_int_equal(ask_at("balance?at=", inside), 200);
    assert_int_equal(moolah("archive --month $MONTH --to \"$DATA\" --json", "\"archived\""), 0);
    assert_verified();
    assert_int_equal(talk_ask("POST", path, talk.tokens[1], refunded, "{\"reason\":\"old\"}"), 201);
    assert_string_equal(talk.call.answer, back);
}

/* A partition that somebody detached and left behind with its name: the month gets another one. */
static void test_a_name_that_is_taken(void **state)
{
    (void)state;
    talk_sql("do $$ begin execute format('alter table transactions detach partition %s', "
             "month_partition('transactions', date_trunc('month', now() at time zone 'UTC') at "
             "time zone 'UTC' + interval '2 months')); end $$");
    assert_int_equal(shell("test \"$(psql -qAtX \"$MOOLAH_DATABASE\" -c 'select "
                           "make_partitions(now(), 2)')\" = 1"),
                     0);
    assert_int_equal(shell("test \"$(psql -qAtX \"$MOOLAH_DATABASE\" -c 'select "
                           "make_partitions(now(), 2)')\" = 0"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_month_grows_old),
        cmocka_unit_test(test_what_is_not_taken_out),
        cmocka_unit_test(test_killed_on_the_way),
        cmocka_unit_test(test_others_are_waited_for),
        cmocka_unit_test(test_taken_out),
        cmocka_unit_test(test_what_is_asked_meanwhile),
        cmocka_unit_test(test_the_verifier_looks_at_it),
        cmocka_unit_test(test_files_that_are_not_as_written),
        cmocka_unit_test(test_brought_back),
        cmocka_unit_test(test_a_name_that_is_taken),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
