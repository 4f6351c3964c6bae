/* Seals end to end: what is booked is sealed and proved, to its parties; a changed, missing or
 * added row of what was sealed is found and named, and so is a history that was rewritten whole;
 * killed servers, several at once, and an older database.
 *
 * Covers: server/store/seals.c server/store/sealer.c server/store/seal_round.c
 *         server/store/verify_seals.c server/store/tie_out.c server/api/show_proof.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/verify.h"
#include "store/verify_seals.h"
#include "support/second.h"
#include "support/talk.h"

#define TRIES 200       /* of 50 ms */
static char said[8192]; /* by the last command */
static PGconn *owner;

static int shell(const char *command)
{
    char path[200];
    char whole[3000];
    snprintf(whole, sizeof whole, "{ %s; } >\"$DATA/said\" 2>&1 </dev/null", command);
    int code = stack_shell(talk.stack, whole);
    snprintf(path, sizeof path, "%s/said", talk.stack->data);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return code;
}

static void expect(const char *command, int code, const char *what)
{
    int got = shell(command);
    if (got != code || strstr(said, what) == NULL)
        fail_msg("%s: %d instead of %d, '%s' expected: %s", command, got, code, what, said);
}

/* As the schema's owner, who may do anything: no trigger, no privilege keeps it from the rows. */
static int64_t number(const char *sql)
{
    PGresult *answer = PQexec(owner, sql);
    ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(owner));
    int64_t value = status == PGRES_TUPLES_OK && PQntuples(answer) > 0
                        ? strtoll(PQgetvalue(answer, 0, 0), NULL, 10)
                        : 0;
    PQclear(answer);
    return value;
}

/* Wait until it's true. */
static void await_sql(const char *condition)
{
    char sql[1000];
    snprintf(sql, sizeof sql, "select (%s)::integer", condition);
    for (int i = 0; i < TRIES; i++) {
        if (number(sql) == 1)
            return;
        usleep(20000);
    }
    fail_msg("it never came about: %s", condition);
}

static void await_all_sealed(void)
{
    await_sql("not exists (select from transactions where id > coalesce((select through_id from "
              "seals order by number desc limit 1), '00000000-0000-0000-0000-000000000000'))");
}

static void tamper(const char *sql)
{
    number("set session_replication_role = replica");
    number(sql);
    number("reset session_replication_role");
}

/* The verifier's word about the seals: nothing broken, or what it blames. `file`: of checkpoints,
 * or NULL. */
static void expect_chain(const char *file, const char *blamed)
{
    struct verify_line line = {.checked = true};
    char path[200];
    snprintf(path, sizeof path, "%s/proof/%s", talk.stack->data, file == NULL ? "" : file);
    const struct verify_seals_file seen = verify_seals_look(file == NULL ? NULL : path);
    number("begin isolation level repeatable read read only");
    if (!verify_seals_check((struct pg_conn *)owner, &seen, NULL, &line))
        fail_msg("%s", PQerrorMessage(owner));
    number("commit");
    if (blamed == NULL ? line.broken > 0 : strstr(line.first, blamed) == NULL)
        fail_msg("%s expected: %s", blamed == NULL ? "nothing" : blamed, line.first);
}

/* A transfer; its id. */
static const char *transfer(void)
{
    static char id[40];
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(),
                              talk_transfer(0, 1, "1000", "")),
                     201);
    snprintf(id, sizeof id, "%s", talk_member("id"));
    return id;
}

/* A transfer, sealed; its id as clients have it, and in SQL as the function t(). */
static const char *sealed_transfer(void)
{
    const char *id = transfer();
    char hex[33];
    char sql[200];
    struct uuid uuid;
    assert_true(uuid_parse(slice_of(id), "tx_", &uuid));
    for (size_t i = 0; i < sizeof uuid.bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", uuid.bytes[i]);
    snprintf(sql, sizeof sql,
             "create or replace function t() returns uuid language sql immutable as "
             "'select ''%s''::uuid'",
             hex);
    number(sql);
    await_all_sealed();
    return id;
}

static int ask_proof(const char *id, const char *token)
{
    char path[100];
    snprintf(path, sizeof path, "/v1/transactions/%s/proof", id);
    return talk_ask("GET", path, token, NULL, NULL);
}

static void keep_answer(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", talk.stack->data, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(talk.call.answer, 1, talk.call.answer_length, file);
    fclose(file);
}

#define VERIFY "\"$MOOLAH\" proof verify \"$DATA/proof.json\" --key \"$DATA/proof/key.pub\""

static void test_a_transfer_is_proved_to_its_parties(void **state)
{
    char id[40];
    char tag[64];
    (void)state;
    snprintf(id, sizeof id, "%s", transfer());
    talk_expect(ask_proof(id, talk.tokens[0]), 409, "not_sealed_yet"); /* just now */
    assert_non_null(talk_header("retry-after"));
    await_all_sealed();
    for (int user = 0; user < 2; user++) {
        assert_int_equal(ask_proof(id, talk.tokens[user]), 200);
        assert_string_equal(talk_member("leaf.id"), id);
        assert_int_equal(talk_number("leaf.amount"), 1000);
        snprintf(tag, sizeof tag, "%s", talk_header("etag"));
        keep_answer("proof.json");
        expect(VERIFY, 0, "signed by this key");
        /* each sees the own posting and nobody else's */
        expect("grep -o posted_after \"$DATA/proof.json\" | wc -l", 0, "1\n");
        char command[200];
        snprintf(command, sizeof command, "grep -c '\"posted_after\":%lld,' \"$DATA/proof.json\"",
                 (long long)talk_balance(user));
        expect(command, 0, "1\n");
    }
    struct client_call again;
    char path[100];
    snprintf(path, sizeof path, "/v1/transactions/%s/proof", id);
    again = (struct client_call){.method = "GET", .path = path, .token = talk.tokens[1]};
    talk_extra(&again, "if-none-match", tag);
    assert_int_equal(talk_send(&again), 304);
    talk_expect(ask_proof(id, talk.tokens[2]), 404, "transaction_not_found");
    talk_expect(ask_proof(id, talk.stack->partner_key), 404, "transaction_not_found");
    talk_expect(ask_proof("tx_00000000000000000000000000", talk.tokens[0]), 404,
                "transaction_not_found");
    talk_expect(ask_proof("tx_x", talk.tokens[0]), 404, "transaction_not_found");
    talk_expect(ask_proof(id, "mlt_x"), 401, "unauthenticated");
    talk_expect(talk_ask("GET", "/v1/transactions/tx_00000000000000000000000000/proof?x=1",
                         talk.tokens[0], NULL, NULL),
                400, "invalid_request");
}

static void test_the_command_line_checks_proofs(void **state)
{
    (void)state;
    assert_int_equal(ask_proof(sealed_transfer(), talk.tokens[0]), 200);
    keep_answer("proof.json");
    expect(VERIFY " --json", 0, "\"good\":true,\"verdict\":\"good\"");
    expect("\"$MOOLAH\" proof verify - --key \"$DATA/proof/key.pub\"", 1, "no proof");
    expect("\"$MOOLAH\" proof verify \"$DATA/proof.json\" --key \"$(cat \"$DATA/proof/key.pub\")\"",
           0, "signed by this key");
    expect("rm -f \"$DATA/other\"; \"$MOOLAH\" proof key \"$DATA/other\" >\"$DATA/other.pub\" && "
           "stat -c %a \"$DATA/other\"",
           0, "600");
    expect("\"$MOOLAH\" proof key \"$DATA/other\"", 1, "new file only");
    expect("\"$MOOLAH\" proof public \"$DATA/other\" | cmp - \"$DATA/other.pub\"", 0, "");
    expect("\"$MOOLAH\" proof verify \"$DATA/proof.json\" --key \"$DATA/other.pub\"", 1,
           "NOT PROVED: it is signed by another key");
    expect("sed 's/\"amount\":1000/\"amount\":9000/' \"$DATA/proof.json\" >\"$DATA/altered.json\"; "
           "\"$MOOLAH\" proof verify \"$DATA/altered.json\" --key \"$DATA/proof/key.pub\"",
           1, "NOT PROVED: the transaction's fields are not those that were sealed");
    expect("\"$MOOLAH\" --json proof verify \"$DATA/altered.json\" --key \"$DATA/proof/key.pub\"",
           1, "\"good\":false,\"verdict\":\"leaf_differs\"");
    expect("\"$MOOLAH\" proof verify \"$DATA/proof.json\"", 2, "--key");
    expect("\"$MOOLAH\" proof verify \"$DATA/proof.json\" --key abc", 2, "no public key");
    expect("\"$MOOLAH\" proof verify \"$DATA/nothing\" --key \"$DATA/proof/key.pub\"", 2,
           "nothing");
    expect("\"$MOOLAH\" proof status", 0, "demo");
}

/* ---- the verifier */

static const struct {
    const char *sql, *undo;
    const char *blamed; /* %s: the transaction */
} crimes[] = {
    {"update transactions set note = 'other' where id = t()",
     "update transactions set note = null where id = t()", "%s or a posting of it was changed"},
    {"update transactions set facts = facts || ' ' where id = t()",
     "update transactions set facts = rtrim(facts) where id = t()",
     "%s or a posting of it was changed"},
    {"update transactions set caller = to_account where id = t()",
     "update transactions set caller = (select caller from stolen) where id = t()",
     "%s or a posting of it was changed"},
    {"update postings set posted_after = posted_after + 1 where transaction_id = t() and amount > "
     "0",
     "update postings set posted_after = posted_after - 1 where transaction_id = t() and amount > "
     "0",
     "%s or a posting of it was changed"},
    {"update postings set hold = 1 where transaction_id = t() and amount < 0",
     "update postings set hold = 0 where transaction_id = t()",
     "%s or a posting of it was changed"},
    {"delete from postings where transaction_id = t() and amount > 0",
     "insert into postings select * from stolen_legs where amount > 0",
     "%s or a posting of it was changed"},
    {"insert into postings select account, version + 1000000, transaction_id, amount, "
     "posted_after, held_after from stolen_legs limit 1",
     "delete from postings where version > 1000000 and transaction_id = t()",
     "%s or a posting of it was changed"},
    {"delete from transactions where id = t()", "insert into transactions select * from stolen",
     "%s is missing"},
    {"insert into transactions select (substr(id::text, 1, 32) || '0000')::uuid, kind, currency, "
     "amount, fee, from_account, to_account, from_version, to_version, caller, note, reference, "
     "bundle, pricing, facts, trace_id, created_at, written_by from stolen",
     "delete from transactions where id = (substr(t()::text, 1, 32) || '0000')::uuid",
     "was added to what was sealed"},
    {"update seals set leaves = set_byte(leaves, 47, 255 - get_byte(leaves, 47)) where number = 2",
     "update seals set leaves = set_byte(leaves, 47, 255 - get_byte(leaves, 47)) where number = 2",
     "seal 2: its leaves were changed"},
    {"update seals set at = at + interval '1 second' where number = 2",
     "update seals set at = at - interval '1 second' where number = 2", "seal 2 was changed"},
    {"update seals set signature = set_byte(signature, 0, 255 - get_byte(signature, 0)) "
     "where number = 2",
     "update seals set signature = set_byte(signature, 0, 255 - get_byte(signature, 0)) "
     "where number = 2",
     "seal 2: its signature is wrong"},
    {"create table hidden as select * from seals where number = 2; "
     "update seals set key = null, signature = null where number = 2",
     "delete from seals where number = 2; insert into seals select * from hidden; "
     "drop table hidden",
     "seal 2 is not signed, and one before it is"},
    {"create table hidden as select * from seals where number = 3; "
     "delete from seals where number = 3",
     "insert into seals select * from hidden; drop table hidden",
     "seal 4 does not follow from seal 2"},
};

static void test_what_was_done_to_sealed_rows_is_named(void **state)
{
    char id[40];
    char blamed[160];
    (void)state;
    snprintf(id, sizeof id, "%s", sealed_transfer());
    number("create table stolen as select * from transactions where id = t(); "
           "create table stolen_legs as select account, version, transaction_id, amount, "
           "posted_after, held_after from postings where transaction_id = t()");
    for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++) {
        tamper(crimes[i].sql);
        snprintf(blamed, sizeof blamed, crimes[i].blamed, id);
        expect_chain("checkpoints", blamed);
        tamper(crimes[i].undo);
    }
    number("drop table stolen, stolen_legs");
    expect("\"$MOOLAH\" ledger verify --checkpoints \"$DATA/nowhere\"", 2, "the checkpoints: ");
    expect("\"$MOOLAH\" ledger verify --checkpoints \"$DATA/proof/checkpoints\"", 0,
           "holds    5 sealed");
}

/* Who hasn't the key signs with another one: only who says whose it must be sees that. */
static void test_whose_signature_it_must_be(void **state)
{
    (void)state;
#define CHECK_BY "\"$MOOLAH\" ledger verify --checkpoints \"$DATA/proof/checkpoints\" --key "
    expect("cp \"$DATA/proof/key.pub\" \"$DATA/ours\"; "
           "\"$MOOLAH\" proof key \"$DATA/stranger.key\" >\"$DATA/theirs\"; " CHECK_BY
           "\"$DATA/ours\"",
           0, "holds    5 sealed");
    expect(CHECK_BY "$(cat \"$DATA/theirs\")", 1, "first: seal 1 is signed by another key");
    expect("cat \"$DATA/theirs\" \"$DATA/ours\" >\"$DATA/both\"; " CHECK_BY "\"$DATA/both\"", 0,
           "holds    5 sealed");
    expect("sed '2s/,\"key\":.*}/}/' \"$DATA/proof/checkpoints\" >\"$DATA/stripped\"; "
           "\"$MOOLAH\" ledger verify --checkpoints \"$DATA/stripped\"",
           1, "first: the checkpoint of seal 2 is not signed, and one before it is");
    expect(CHECK_BY "nonsense", 2, "is no public key");
#undef CHECK_BY
}

/* ---- the sealer */

static void reconnect(void)
{
    client_close(talk.client);
    client_close(talk.operators);
    talk.client = client_open(talk.stack->port, talk.stack->ca);
    talk.operators = client_open(talk.stack->port + 1, talk.stack->ca);
    assert_non_null(talk.client);
    assert_non_null(talk.operators);
}

static void kill_workers(void)
{
    for (int i = 0; i < 2; i++) {
        pid_t worker = stack_pid(talk.stack, STACK_WORKER, i);
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    reconnect();
}

/* In the order of their numbers, a checkpoint for each seal, in this server's file. */
static void expect_checkpoints(const char *file)
{
    char command[400];
    snprintf(command, sizeof command,
             "for i in $(seq 200); do psql -XAtq \"$MOOLAH_DATABASE\" -c \"select number || ' ' || "
             "encode(hash, 'hex') from seals order by number\" >\"$DATA/want\"; "
             "sed 's/.*\"seal\":\\([0-9]*\\),\"hash\":\"\\([0-9a-f]*\\).*/\\1 \\2/' "
             "\"$DATA/proof/%s\" >\"$DATA/have\"; cmp -s \"$DATA/want\" \"$DATA/have\" && exit; "
             "sleep 0.05; done; diff \"$DATA/want\" \"$DATA/have\"",
             file);
    expect(command, 0, "");
}

static void test_killed_again_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        transfer();
        if (i % 2 == 0)
            await_all_sealed(); /* just when the checkpoint is due */
        kill_workers();
    }
    await_all_sealed();
    expect_checkpoints("checkpoints");
    expect_chain("checkpoints", NULL);
}

/* One of them seals, both keep the checkpoints. */
static void test_two_servers(void **state)
{
    struct second second;
    (void)state;
    second_start(&second, talk.stack, talk.stack->port + 10, 1,
                 "s#proof/checkpoints#proof/checkpoints-2#");
    for (int i = 0; i < 3; i++) {
        transfer();
        await_all_sealed();
    }
    expect_checkpoints("checkpoints");
    expect_checkpoints("checkpoints-2");
    assert_int_equal(number("select count(*) - max(number) from seals"), 0);
    kill_workers(); /* the other one goes on */
    transfer();
    await_all_sealed();
    expect_checkpoints("checkpoints-2");
    expect_chain("checkpoints", NULL);
    assert_int_equal(second_stop(&second), 0);
}

static void test_drift_is_told(void **state)
{
    (void)state;
    sealed_transfer();
    tamper("update accounts set posted = posted + 1 where id = "
           "(select from_account from transactions where id = t())");
    assert_true(talk_logged("\"drift\".*balance is not what the last posting left"));
    tamper("update accounts set posted = posted - 1 where id = "
           "(select from_account from transactions where id = t())");
    tamper("update postings set amount = amount - 1 where transaction_id = t() and amount < 0");
    assert_true(talk_logged("\"drift\".*posting doesn't follow"));
    tamper("update postings set amount = amount + 1 where transaction_id = t() and amount < 0");
    char authorization[120];
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    assert_int_equal(talk_operator("/metrics", authorization), 200);
    const char *drift = strstr(talk.call.answer, "moolah_drift_total{of=\"balance\"} ");
    assert_non_null(drift);
    assert_true(strtol(strchr(drift, ' '), NULL, 10) >= 2);
    assert_non_null(strstr(talk.call.answer, "\nmoolah_seal_lag_seconds "));
    assert_non_null(strstr(talk.call.answer, "\nmoolah_sealing_stopped 0"));
}

static void test_without_its_key_a_server_does_not_seal(void **state)
{
    struct second second;
    (void)state;
    second_start(&second, talk.stack, talk.stack->port + 10, 1,
                 "s#proof/key#proof/nokey#; s#proof/checkpoints#proof/checkpoints-3#");
    assert_true(talk_logged("sealing_stopped.*the key.*nokey"));
    assert_int_equal(second_stop(&second), 0);
}

/* An id of the past, written now: a server's clock is behind. It is sealed late, and found. */
static void test_who_comes_late_is_sealed_late(void **state)
{
    (void)state;
    sealed_transfer();
    number("insert into transactions select (substr(id::text, 1, 32) || '0000')::uuid, kind, "
           "currency, amount, fee, from_account, to_account, from_version, to_version, caller, "
           "'late', reference, bundle, pricing, facts, trace_id, created_at from transactions "
           "where id = t(); insert into postings select account, version, "
           "(substr(transaction_id::text, 1, 32) || '0000')::uuid, amount, posted_after, "
           "held_after, hold from postings where transaction_id = t()");
    kill_workers(); /* a new sealer looks at once */
    await_sql("exists (select from seal_late)");
    expect_chain("checkpoints", NULL);
    tamper("update transactions set note = 'never' where note = 'late'");
    expect_chain("checkpoints", "or a posting of it was changed");
    tamper("delete from postings where transaction_id = (select id from transactions where note = "
           "'never'); delete from transactions where note = 'never'");
    expect_chain("checkpoints", "is missing");
    tamper("delete from seal_late"); /* and the ledger goes on without it */
    expect_chain("checkpoints", "1 transactions were sealed late, 0 of them are there");
}

/* A database that is older than the checkpoints, and then another history in its place: sound in
 * itself, its seals signed by the right key. */
static void test_another_history_is_found(void **state)
{
    struct second second;
    (void)state;
    tamper("delete from seals; delete from seal_late; delete from seal_cursors");
    assert_true(talk_logged("sealing_stopped.*ahead of the database"));
    expect_chain("checkpoints", "the checkpoints know seal ");
    tamper("update transactions set note = 'rewritten' where id = t()");
    second_start(&second, talk.stack, talk.stack->port + 10, 1, "s#, checkpoints = \"[^\"]*\"##");
    await_all_sealed();
    assert_int_equal(second_stop(&second), 0);
    expect_chain(NULL, NULL);
    expect_chain("checkpoints", "seal 1 is not the one of the checkpoint: history was rewritten");
}

static int begin(void **state)
{
    if (talk_start(state) != 0)
        return -1;
    owner = PQconnectdb(talk.stack->database);
    return PQstatus(owner) == CONNECTION_OK ? 0 : -1;
}

static int end(void **state)
{
    PQfinish(owner);
    return talk_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transfer_is_proved_to_its_parties),
        cmocka_unit_test(test_the_command_line_checks_proofs),
        cmocka_unit_test(test_what_was_done_to_sealed_rows_is_named),
        cmocka_unit_test(test_whose_signature_it_must_be),
        cmocka_unit_test(test_killed_again_and_again),
        cmocka_unit_test(test_two_servers),
        cmocka_unit_test(test_drift_is_told),
        cmocka_unit_test(test_without_its_key_a_server_does_not_seal),
        cmocka_unit_test(test_who_comes_late_is_sealed_late),
        cmocka_unit_test(test_another_history_is_found),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
