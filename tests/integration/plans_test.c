/* Every statement that the server prepares has a plan that stays fast however large the ledger
 * grows: as the server's role, with its session's settings, on a database with months of history,
 * on the same one when nobody has ever analyzed it, and on a fresh one. A plan must read every
 * table by an index and its condition, sort nothing but what came with the question, and build no
 * hash tables; what is asked all day is run, too, and the buffers it touches are counted: they
 * don't depend on how fast the machine is.
 *
 * Statements needn't be entered here: they are taken from the lists that are prepared, and one in
 * the sources that is in no list fails.
 *
 * Covers: server/store/pool_statements.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "store/ledger_rows.h"
#include "store/outbox.h"
#include "store/pg_connection.h"
#include "store/pool_statements.h"
#include "store/seals.h"
#include "support/scratch.h"
#include "support/stack.h"

static struct stack *stack;
static PGconn *owner;
static char server[400]; /* the stack's database as moolah_server */

/* What a plan may have that others may not. Whoever adds a line says why it stays bounded. */
static const struct allowance {
    const char *statement;
    const char *node;
    const char *reason;
} allowances[] = {
    {"lock_accounts", "Sort", "the accounts of one batch"},
    {"snapshot_find", "Sort", "the accounts of one movement"},
    {"open_accounts", "Sort", "a system account per currency and kind"},
    {"search_of_account", "Sort", "what a page looks at"},
    {"search_of_time", "Sort", "what a page looks at"},
    {"tie_out_look", "WindowAgg", "the newest 65 postings of an account"},
    {"holds_links", "Sort", "what belongs to one transaction"},
    {"status_freeze", "Sort", "the wallets of one user"},
    {"status_set_tier", "Sort", "the wallets of one user"},
    {"outbox_note_since", "Seq Scan on webhook_cursor", "one row"},
    {"outbox_aim", "Seq Scan on webhook_cursor", "one row"},
    {"outbox_relay", "Seq Scan on webhook_cursor", "one row"},
    {"outbox_relay", "Sort", "a page of 5,000"},
    {"outbox_relay", "WindowAgg", "a page of 5,000"},
    {"outbox_relay", "Materialize", "a page of 5,000"},
    {"outbox_relay", "Index Only Scan using webhooks_active", "whether there is one"},
    {"outbox_relay", "Index Scan using webhooks_active", "10 a partner"},
    {"outbox_taken", "Sort", "12 of each webhook"},
    {"outbox_taken", "Index Scan using webhooks_active", "10 a partner"},
    {"outbox_relay", "Incremental Sort", "a page of 5,000"},
    {"outbox_again", "Incremental Sort", "a page of 500"},
    {"outbox_again", "Sort", "a page of 500"},
    {"outbox_again", "WindowAgg", "a page of 500"},
    {"outbox_again", "Index Scan using webhook_replays_pkey", "the first"},
    {"outbox_sweep_over", "Index", "a few webhooks that are over"},
    {"purchases_claim", "HashAggregate", "32 at a time"},
    {"outbox_sweep_old", "Seq Scan on webhooks", "10 a partner"},
    {"outbox_sweep_old", "Index", "10 a partner"},
    {"outbox_look", "Index Only Scan using webhook_deliveries_pending", "100,000 at most"},
    {"outbox_look", "Index Only Scan using webhooks_active", "10 a partner"},
};

static bool is_allowed(const char *statement, const char *line)
{
    for (size_t i = 0; i < sizeof allowances / sizeof allowances[0]; i++)
        if (strcmp(allowances[i].statement, statement) == 0 &&
            strncmp(line, allowances[i].node, strlen(allowances[i].node)) == 0)
            return true;
    return false;
}

static int complaints; /* about plans, so far: all are told */

/* ---- connections */

static PGconn *open_as(const char *conninfo, const char *setup)
{
    PGconn *conn = PQconnectdb(conninfo);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    PGresult *answer = PQexec(conn, setup);
    assert_true(PQresultStatus(answer) == PGRES_COMMAND_OK ||
                PQresultStatus(answer) == PGRES_TUPLES_OK);
    PQclear(answer);
    return conn;
}

static PGresult *run(PGconn *conn, const char *sql)
{
    PGresult *answer = PQexec(conn, sql);
    if (PQresultStatus(answer) != PGRES_COMMAND_OK && PQresultStatus(answer) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    return answer;
}

static void prepare(PGconn *conn, const struct pg_statement *statement)
{
    PGresult *answer = PQprepare(conn, statement->name, statement->sql, 0, NULL);
    if (PQresultStatus(answer) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", statement->name, PQerrorMessage(conn));
    PQclear(answer);
}

static void prepare_list(PGconn *conn, const struct pg_statement *const *list)
{
    for (; *list != NULL; list++)
        prepare(conn, *list);
}

/* ---- the lists */

typedef void visitor(PGconn *conn, const struct pg_statement *statement);

static void visit_list(const char *conninfo, const char *setup,
                       const struct pg_statement *const *list, visitor *visit)
{
    PGconn *conn = open_as(conninfo, setup);
    for (; *list != NULL; list++) {
        prepare(conn, *list);
        visit(conn, *list);
    }
    PQfinish(conn);
}

static void visit_all(const char *conninfo, visitor *visit)
{
    complaints = 0;
    visit_list(conninfo, ledger_rows_setup, ledger_rows_statements, visit);
    visit_list(conninfo, pool_statements_setup, seals_statements, visit); /* the sealer's */
    visit_list(conninfo, outbox_setup, outbox_statements, visit);
    for (size_t i = 0; pool_statements_lists[i] != NULL; i++)
        visit_list(conninfo, pool_statements_setup, pool_statements_lists[i], visit);
    assert_int_equal(complaints, 0);
}

static bool list_has(const struct pg_statement *const *list, const char *name)
{
    while (*list != NULL && strcmp((*list)->name, name) != 0)
        list++;
    return *list != NULL;
}

static bool is_listed(const char *name)
{
    bool found = list_has(ledger_rows_statements, name) || list_has(seals_statements, name) ||
                 list_has(outbox_statements, name);
    for (size_t i = 0; pool_statements_lists[i] != NULL; i++)
        found = found || list_has(pool_statements_lists[i], name);
    return found;
}

/* Each definition in the sources, by the name in its first string. */
static void test_no_statement_is_in_no_list(void **state)
{
    (void)state;
    char line[200];
    int found = 0;
    FILE *names = popen("cd " MOOLAH_SOURCE_DIR "/server && find . -name '*.c' "
                        "! -name pg_connection.c -exec cat {} + | tr '\n' ' ' | "
                        "grep -oE 'struct pg_statement +[a-z_]+ = *\\{[^\"]*\"[^\"]*\"'",
                        "r");
    assert_non_null(names);
    for (; fgets(line, sizeof line, names) != NULL; found++) {
        char *name = strchr(line, '"') + 1;
        name[strcspn(name, "\"")] = '\0';
        if (!is_listed(name))
            fail_msg("%s is in no list of pool_statements.c or ledger_rows.c", name);
    }
    assert_int_equal(pclose(names), 0);
    assert_true(found > 30);
    /* and there is no other way to prepare one, or to ask without */
    assert_int_equal(stack_shell(stack, "! grep -rlE 'PQsend(Prepare|Query)|PQprepare' "
                                        "'" MOOLAH_SOURCE_DIR "/server' | "
                                        "grep -vE '/pg_connection\\.c$|/cli/'"),
                     0);
}

/* ---- plans */

/* Something of each type. Values don't change a generic plan, but an id says which months of it
 * are left: the next one, which the seeder has analyzed when it was empty. Such a month fills
 * before it is analyzed again, and the planner, taking it for empty, reads all of it when it may.
 */
static const char *literal_of(const char *type)
{
    static const char *const literals[][2] = {
        {"uuid", "p_coming()"},
        {"uuid[]", "p_batch()"},
        {"text", "'x'"},
        {"text[]", "array['x']"},
        {"bytea", "sha256('x')"},
        {"bytea[]", "array[sha256('x')]"},
        {"smallint", "1::smallint"},
        {"smallint[]", "array[1::smallint]"},
        {"integer", "1"},
        {"integer[]", "array[1]"},
        {"bigint", "1"},
        {"bigint[]", "array[1::bigint]"},
        {"boolean", "true"},
        {"timestamp with time zone", "now()"},
        {"timestamp with time zone[]", "array[now()]"},
    };
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++)
        if (strcmp(literals[i][0], type) == 0)
            return literals[i][1];
    fail_msg("a parameter's type that literal_of doesn't know: %s", type);
    return NULL;
}

/* "(a, b, c)" for its parameters; "" when it has none. */
static void write_arguments(PGconn *conn, const char *name, char *out, size_t size)
{
    const char *values[] = {name};
    PGresult *types = PQexecParams(conn,
                                   "select t::regtype::text from pg_prepared_statements, "
                                   "unnest(parameter_types) with ordinality as u(t, n) "
                                   "where name = $1 order by n",
                                   1, NULL, values, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(types), PGRES_TUPLES_OK);
    size_t length = 0;
    out[0] = '\0';
    for (int i = 0; i < PQntuples(types); i++) {
        length += (size_t)snprintf(out + length, size - length, "%s%s", i == 0 ? "(" : ", ",
                                   literal_of(PQgetvalue(types, i, 0)));
        assert_true(length + 2 < size);
    }
    if (length > 0)
        snprintf(out + length, size - length, ")");
    PQclear(types);
}

/* The node that begins in this line, without indentation and arrow; NULL: the line goes on with
 * the one before. */
static const char *node_of(const char *line, int row)
{
    const char *text = line + strspn(line, " ");
    if (strncmp(text, "->  ", 4) == 0)
        return text + 4;
    return row == 0 || strncmp(text, "CTE ", 4) == 0 || strncmp(text, "InitPlan", 8) == 0 ||
                   strncmp(text, "SubPlan", 7) == 0
               ? text
               : NULL;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Is there an "Index Cond:" before the next node? */
static bool has_condition(const PGresult *plan, int row)
{
    for (row++; row < PQntuples(plan) && node_of(PQgetvalue(plan, row, 0), row) == NULL; row++)
        if (strstr(PQgetvalue(plan, row, 0), "Index Cond:") != NULL)
            return true;
    return false;
}

/* What is wrong with the node in this row; NULL: nothing. */
static const char *complaint_about(const char *name, const PGresult *plan, int row)
{
    static const char *const forbidden[] = {
        "Seq Scan",    "Parallel",   "Sort",   "Incremental Sort", "Hash",
        "Materialize", "Merge Join", "Gather", "WindowAgg",        "Bitmap Heap Scan"};
    const char *node = node_of(PQgetvalue(plan, row, 0), row);
    if (node == NULL || is_allowed(name, node))
        return NULL;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (begins(node, forbidden[i]))
            return forbidden[i];
    if ((begins(node, "Index Scan") || begins(node, "Index Only Scan")) &&
        !has_condition(plan, row))
        return "a whole index is read";
    return NULL;
}

static bool is_utility(const struct pg_statement *statement)
{
    return strcmp(statement->sql, "begin") == 0 || strcmp(statement->sql, "commit") == 0 ||
           strcmp(statement->sql, "rollback") == 0;
}

/* The generic plan of a prepared statement. */
static PGresult *explain(PGconn *conn, const char *name)
{
    char arguments[1000];
    char sql[1200];
    write_arguments(conn, name, arguments, sizeof arguments);
    snprintf(sql, sizeof sql, "explain (costs off) execute %s%s", name, arguments);
    return run(conn, sql);
}

static const char *complaint_of(const char *name, const PGresult *plan)
{
    const char *complaint = NULL;
    for (int row = 0; complaint == NULL && row < PQntuples(plan); row++)
        complaint = complaint_about(name, plan, row);
    return complaint;
}

static void check_plan(PGconn *conn, const struct pg_statement *statement)
{
    if (is_utility(statement))
        return;
    PGresult *plan = explain(conn, statement->name);
    const char *complaint = complaint_of(statement->name, plan);
    for (int row = 0; complaint != NULL && row < PQntuples(plan); row++)
        print_error("  %s\n", PQgetvalue(plan, row, 0));
    if (complaint != NULL)
        print_error("%s: %s\n", statement->name, complaint);
    complaints += complaint != NULL;
    PQclear(plan);
}

/* ---- what a run touches */

static PGconn *asking[2]; /* a posting connection, one of the pool */

/* Buffers of one run, with all that its nodes have touched; what it wrote is undone. */
static int64_t count_buffers(const char *name, const char *arguments)
{
    char sql[2000];
    PGconn *conn = asking[list_has(ledger_rows_statements, name) ? 0 : 1];
    snprintf(sql, sizeof sql, "explain (analyze, buffers, costs off, timing off) execute %s%s",
             name, arguments);
    PQclear(run(conn, "begin"));
    PGresult *plan = run(conn, sql);
    int64_t buffers = 0;
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);
        const char *hit = strstr(line, " hit=");
        const char *read = strstr(line, " read=");
        if (strstr(line, "Buffers:") == NULL)
            continue;
        buffers += hit == NULL ? 0 : strtoll(hit + 5, NULL, 10);
        buffers += read == NULL ? 0 : strtoll(read + 6, NULL, 10);
        break; /* the first is the whole's */
    }
    PQclear(plan);
    PQclear(run(conn, "rollback"));
    return buffers;
}

/* What is asked all day, and how many buffers it may touch: a descent of an index is 3, a row 1,
 * and a statement's page asks the index of each of the 7 months. */
static const struct question {
    const char *statement;
    const char *arguments;
    int64_t most;
} questions[] = {
    {"gate_find_sign_in", "(p_token())", 8},
    {"gate_find_api_key", "(sha256('x'))", 8},
    {"users_find", "(p_owner())", 5},
    {"users_find_by_phone", "(p_phone())", 6},
    {"users_find_sign_in", "(p_phone())", 6},
    {"users_find_secrets", "(p_owner())", 6},
    {"users_find_answer", "('no such key', p_owner())", 5},
    {"users_list_sign_ins", "(p_owner(), null, 21)", 8},
    {"users_set_name", "(p_owner(), 'Another')", 40},
    {"wallets_find", "(p_wallet(), p_owner())", 10},
    {"wallets_list", "(p_owner(), null, 21)", 12},
    {"wallets_find_transaction", "(p_transaction())", 30},
    /* the newest page of a wallet like others, and of a shop with thousands of lines */
    {"wallets_statement",
     "(p_wallet(), p_owner(), 9223372036854775807, 0::smallint, '-infinity', 'infinity', 0, "
     "9223372036854775807, null, null, 21, 21)",
     150},
    {"wallets_statement",
     "(p_shop(), p_shop_owner(), 9223372036854775807, 0::smallint, '-infinity', 'infinity', 0, "
     "9223372036854775807, null, null, 21, 21)",
     150},
    /* one from the middle of it */
    {"wallets_statement",
     "(p_shop(), p_shop_owner(), 1000, 0::smallint, '-infinity', 'infinity', 0, "
     "9223372036854775807, null, null, 21, 21)",
     150},
    /* a filter that fits nothing, and looks at a hundred lines only */
    {"wallets_statement",
     "(p_shop(), p_shop_owner(), 9223372036854775807, 7::smallint, '-infinity', 'infinity', 0, "
     "9223372036854775807, null, null, 21, 100)",
     550},
    /* a balance months ago, of one with thousands of lines since: those are stepped over inside the
     * index, and later months aren't opened */
    {"history_as_of", "(p_shop(), p_shop_owner(), p_past(), now() - interval '2 months')", 150},
    {"history_as_of", "(p_wallet(), p_owner(), p_past(), now() - interval '2 months')", 150},
    {"history_lines", "(p_shop(), 100, 200, 50)", 300},
    {"history_seek_version", "(p_shop(), 100)", 8},
    {"history_seek_older", "(p_shop(), 100, p_past(), p_coming())", 8},
    {"history_seek_transaction", "(p_past())", 8},
    /* operators: bounded by what a page may look at, here 100 rows of thousands */
    {"search_of_account",
     "(p_shop(), 9223372036854775807, uuid_floor(now() - interval '1 year'), p_coming(), "
     "0::smallint, 0, 9223372036854775807, null, 'no such', 21, 100)",
     450},
    {"search_of_time",
     "(null, 0, uuid_floor(now() - interval '1 day'), p_coming(), 0::smallint, 0, "
     "9223372036854775807, null, 'no such', 21, 100)",
     500},
    {"lock_accounts", "(p_batch())", 512},
    {"read_keys", "(array_fill('x'::text, array[64]), p_batch())", 256},
    {"update_accounts",
     "(p_batch(), array_fill(1000::bigint, array[64]), array_fill(0::bigint, array[64]), "
     "array_fill(99::bigint, array[64]), array_fill(null::bytea, array[64]))",
     768},
};

static void check_questions(void)
{
    asking[0] = open_as(server, ledger_rows_setup);
    prepare_list(asking[0], ledger_rows_statements);
    asking[1] = open_as(server, pool_statements_setup);
    for (size_t i = 0; pool_statements_lists[i] != NULL; i++)
        prepare_list(asking[1], pool_statements_lists[i]);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        const struct question *q = &questions[i];
        int64_t buffers = count_buffers(q->statement, q->arguments);
        if (getenv("PLANS_SHOW") != NULL)
            print_message("%s %lld of %lld\n", q->statement, (long long)buffers,
                          (long long)q->most);
        if (buffers > q->most)
            fail_msg("%s%s touched %lld buffers, %lld at most were expected", q->statement,
                     q->arguments, (long long)buffers, (long long)q->most);
        assert_true(buffers > 0);
    }
    PQfinish(asking[0]);
    PQfinish(asking[1]);
}

/* ---- the databases */

/* Functions without arguments that name rows to ask for: EXECUTE takes no subqueries. */
static const char names[] =
    "create function p_coming() returns uuid language sql as $$ select uuid_floor(date_trunc("
    "'month', now()) + interval '1 month 1 day') $$; "
    "create function p_past() returns uuid language sql as $$ select uuid_floor(now() - interval "
    "'2 months') $$; "
    "create function p_owner() returns uuid language sql as $$ select owner from wallets "
    "order by id desc offset 20 limit 1 $$; "
    "create function p_wallet() returns uuid language sql as $$ select coalesce(max(id::text), "
    "gen_random_uuid()::text)::uuid from wallets where owner = p_owner() $$; "
    "create function p_phone() returns text language sql as $$ select phone from users "
    "where id = p_owner() $$; "
    "create function p_token() returns bytea language sql as $$ select token_hash from sign_ins "
    "where user_id = p_owner() limit 1 $$; "
    "create function p_shop() returns uuid language sql as $$ select id from accounts "
    "where kind = 1 order by version desc limit 1 $$; "
    "create function p_shop_owner() returns uuid language sql as $$ select owner from accounts "
    "where id = p_shop() $$; "
    "create function p_transaction() returns uuid language sql as $$ select id from transactions "
    "where kind = 2 order by id desc offset 1000 limit 1 $$; "
    "create function p_batch() returns uuid[] language sql as $$ select array(select id from "
    "accounts where kind = 1 order by id limit 64) $$";

static int64_t ask(const char *sql)
{
    PGresult *answer = run(owner, sql);
    int64_t number = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return number;
}

static void test_a_database_with_a_past(void **state)
{
    (void)state;
    /* what is counted below must be much less than what there is */
    assert_true(ask("select count(*) from pg_inherits where inhparent = 'postings'::regclass") >=
                6);
    assert_true(ask("select min(pages) from (select sum(relpages) as pages from pg_class where "
                    "relkind = 'r' and relname ~ '^(accounts|users|transactions|postings|"
                    "idempotency)' group by substr(relname, 1, 5)) p") > 50);
    assert_true(ask("select max(version) from accounts where kind = 1") > 2000);
    visit_all(server, check_plan);
    check_questions();
}

/* Statistics as of three thousand times the rows: where an index in order costs something, a plan
 * that reads all there is and sorts it, by several processes, begins to look cheap. */
static void test_the_same_as_if_it_were_huge(void **state)
{
    (void)state;
    PQclear(run(owner, "update pg_class set reltuples = reltuples * 3000 where reltuples > 0 and "
                       "relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"));
    visit_all(server, check_plan);
    check_questions();
    PQclear(run(owner, "update pg_class set reltuples = reltuples / 3000 where reltuples > 0 and "
                       "relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"));
}

/* Statistics as of a table that nobody has ever looked at: the same plans, the same buffers. */
static void test_the_same_never_analyzed(void **state)
{
    (void)state;
    PQclear(run(owner, "alter system set autovacuum = off"));
    PQclear(run(owner, "select pg_reload_conf()"));
    PQclear(run(owner, "delete from pg_statistic where starelid in (select oid from pg_class where "
                       "relnamespace = 'public'::regnamespace)"));
    PQclear(run(owner,
                "update pg_class set reltuples = -1, relpages = 0, relallvisible = 0 where "
                "relkind in ('r', 'p', 'i', 'I') and relnamespace = 'public'::regnamespace"));
    visit_all(server, check_plan);
    check_questions();
}

/* The instrument itself: what it must not let pass. */
static void test_bad_plans_are_seen(void **state)
{
    static const struct {
        const char *breaking; /* by its owner */
        struct pg_statement statement;
        const char *complaint;
    } bad[] = {
        {"select 1",
         {"bad_order", "select * from postings order by posted_after limit 10"},
         "Sort"},
        {"select 1", {"bad_filter", "select * from users where name = $1::text"}, "Seq Scan"},
        {"select 1",
         {"bad_walk", "select id from wallets where label = $1::text order by id limit 10"},
         "a whole index is read"},
        {"drop index wallets_of_owner",
         {"bad_list", "select id from wallets where owner = $1::uuid order by id desc limit 10"},
         "a whole index is read"},
        {"alter table sign_ins drop constraint sign_ins_token_hash_key",
         {"bad_gate", "select * from sign_ins where token_hash = $1::bytea"},
         "Seq Scan"},
    };
    struct scratch *fresh = scratch_new(stack, true);
    (void)state;
    scratch_run(fresh, "%s", names);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        scratch_run(fresh, "%s", bad[i].breaking);
        PGconn *conn = open_as(fresh->server, pool_statements_setup);
        prepare(conn, &bad[i].statement);
        PGresult *plan = explain(conn, bad[i].statement.name);
        const char *complaint = complaint_of(bad[i].statement.name, plan);
        assert_string_equal(complaint == NULL ? bad[i].statement.name : complaint,
                            bad[i].complaint);
        PQclear(plan);
        PQfinish(conn);
    }
    scratch_free(fresh);
}

static void test_a_fresh_database(void **state)
{
    (void)state;
    struct scratch *fresh = scratch_new(stack, true);
    scratch_run(fresh, "%s", names);
    visit_all(fresh->server, check_plan);
    scratch_free(fresh);
}

static int set_up(void **state)
{
    (void)state;
    stack = stack_start(NULL);
    if (stack_shell(stack,
                    "\"$(dirname \"$MOOLAH\")/moolah-bench\" seed --data \"$DATA\" --wallets "
                    "4000 --transactions 40000 --months 6 >\"$DATA/seed.out\"") != 0)
        return -1;
    snprintf(server, sizeof server, "%s user=moolah_server", stack->database);
    owner = open_as(stack->database, names);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(owner);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_statement_is_in_no_list),
        cmocka_unit_test(test_a_database_with_a_past),
        cmocka_unit_test(test_the_same_as_if_it_were_huge),
        cmocka_unit_test(test_the_same_never_analyzed), /* it stays so */
        cmocka_unit_test(test_a_fresh_database),
        cmocka_unit_test(test_bad_plans_are_seen),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
