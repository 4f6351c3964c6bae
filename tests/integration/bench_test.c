/* moolah-bench against a real Moolah: every scenario's audit passes, and an audit that must fail
 * does; faults, fixed rates, raw postings, the baseline.
 *
 * The load is small: this is about what is proven, not about speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/stack.h"

static struct stack *stack;

/* A command with BENCH (the program, on this stack) and OUT (a file) set; its exit code. */
static int shell(const char *command)
{
    char text[2000];
    snprintf(text, sizeof text,
             "bench=${MOOLAH%%/*}/moolah-bench; OUT=$DATA/bench.out; "
             "BENCH() { c=$1; shift; $bench $c --data $DATA \"$@\"; }; %s",
             command);
    return stack_shell(stack, text);
}

#define SMALL "--connections 4 --streams 4 --warm-up 0.2 --quiet"

static int begin(void **state)
{
    (void)state;
    stack = stack_start(NULL);
    return shell("BENCH seed --wallets 500 >$OUT 2>&1 || { cat $OUT; exit 1; }");
}

static int end(void **state)
{
    (void)state;
    stack_stop(stack);
    return 0;
}

static void must(const char *command)
{
    if (shell(command) != 0)
        fail_msg("failed: %s", command);
}

static void test_every_scenario_passes_its_audit(void **state)
{
    (void)state;
    must("for s in send_money popular_wallet mixed balance statement sign_in new_connections; do "
         "BENCH run $s " SMALL
         " --seconds 0.9 --audit --json $DATA/all.jsonl >$OUT 2>&1 && grep -q '^audit passed' $OUT "
         "|| { echo $s; cat $OUT; exit 1; }; done");
    must("BENCH run single_user --seconds 0.9 --warm-up 0.2 --quiet --audit >$OUT 2>&1 && "
         "grep -qE 'audit passed: [1-9]' $OUT || { cat $OUT; exit 1; }");
    must("sed 's/10000/60/' " MOOLAH_SOURCE_DIR "/benchmarks/scenarios/idle_connections.lua "
         ">$DATA/idle.lua; BENCH run $DATA/idle.lua " SMALL " --seconds 0.9 >$OUT 2>&1 || "
         "{ cat $OUT; exit 1; }");
}

/* Of moolahd's CPU the password pools' threads are told apart: sign-ins need them, balances don't.
 */
static void test_a_record_tells_what_the_pools_have_used(void **state)
{
    (void)state;
    must("of() { sed -n \"s/.*\\\"name\\\":\\\"$1\\\".*\\\"throughput\\\":\\([0-9.]*\\),"
         ".*\\\"pool_cores\\\":\\([0-9.]*\\),.*/\\1 \\2/p\" $DATA/all.jsonl; }; "
         "of sign_in | awk '{ exit !($1 < 3 || $2 > 0) }' && "
         "of balance | awk '{ exit $2 != 0 }' && [ \"$(of sign_in | wc -l)\" = 1 ] && "
         "[ \"$(of balance | wc -l)\" = 1 ] || { of sign_in; of balance; exit 1; }");
}

/* Arrivals every 5 ms, the 100th to the 399th in the measured time; what it was late for at the end
 * is not offered any more. */
static void test_an_open_loop_offers_its_rate(void **state)
{
    (void)state;
    must("rm -f $DATA/r.jsonl; BENCH run send_money --connections 4 --streams 8 --rate 200 "
         "--seconds 1.9975 --warm-up 0.4975 --quiet --audit --name fixed --json $DATA/r.jsonl "
         ">$OUT 2>&1; grep -qE '\"sent\":(29[0-9]|300),' $DATA/r.jsonl && "
         "grep -q '\"audit\":\"passed\"' $DATA/r.jsonl || { cat $OUT $DATA/r.jsonl; exit 1; }");
    must("printf 'baseline one_per_tx_1 10 1/s\\nbaseline one_per_tx_16 20 1/s\\nmachine cpu a "
         "b\\n' "
         ">$DATA/notes; sed 's/\"fixed\"/\"send_money_peak\"/; s/\"open\"/\"closed\"/' "
         "$DATA/r.jsonl >$DATA/peak.jsonl; "
         "$bench collect --runs $DATA/peak.jsonl --notes $DATA/notes --out $DATA/result.json >$OUT "
         "&& awk '$1 == \"send_money_peak\" { p = $2 } $1 == \"send_money_vs_one_per_tx\" "
         "{ r = $2 } END { exit !(p > 0 && r > p / 20 - 0.1 && r < p / 20 + 0.1) }' $OUT && "
         "grep -q '\"cpu\": \"a b\"' $DATA/result.json || { cat $OUT; exit 1; }");
    must("sed 's/\"passed\"/\"failed\"/' $DATA/peak.jsonl >$DATA/bad.jsonl; $bench collect --runs "
         "$DATA/bad.jsonl --notes $DATA/notes --out $DATA/result.json >$OUT && "
         "! grep send_money $OUT # money that went wrong has no speed");
}

static void test_faults_lose_and_double_nothing(void **state)
{
    (void)state;
    must("BENCH run send_money --connections 4 --streams 8 --rate 200 --seconds 25 --warm-up 0.2 "
         "--quiet --chaos --json $DATA/chaos.jsonl >$OUT 2>&1 && grep -q '^audit passed' $OUT && "
         "[ $(grep -cE '^fault at [0-9.]+ s: .*, first success after it [0-9.]+ s, longest' $OUT) "
         "= 5 ] && [ $(grep -cE '^ +[0-9.]+ ---- ' $OUT) = 5 ] && "
         "awk '/ ---- master -9/ { seen = 1; next } seen && NF == 7 && $3 > 0 { after++ } "
         "END { exit after < 2 }' $OUT && "
         "grep -q 'worker -9.*FLUSHALL.*Redis -9.*PostgreSQL.*master -9' $DATA/chaos.jsonl || "
         "{ cat $OUT; exit 1; }");
    /* of processes that are others in the end there is no figure */
    must("! grep -E '^(cpu_(moolahd|postgres|redis)|batch_mean) ' $OUT && ! grep -E "
         "'\"(moolahd|postgres|redis|batch_mean)\":' $DATA/chaos.jsonl && "
         "grep -q '^cpu_bench ' $OUT || { cat $OUT; exit 1; }");
}

static void test_a_broken_scenario_is_explained(void **state)
{
    (void)state;
    must("printf 'return {\\n  calls = { { name = \"x\", weigth = 1 } } }' >$DATA/broken.lua; "
         "BENCH run $DATA/broken.lua >$OUT 2>&1; [ $? = 2 ] && grep -q 'broken.lua.*weigth' $OUT");
    must("printf 'return {\\n  calls = = 1 }' >$DATA/broken.lua; "
         "BENCH run $DATA/broken.lua >$OUT 2>&1; [ $? = 2 ] && grep -q 'broken.lua:2' $OUT");
    must("BENCH run balance --wallets 501 >$OUT 2>&1; [ $? = 2 ] && "
         "grep -q -e '--wallets 501: there are 500; moolah-bench seed --data' $OUT");
    must("BENCH run balance --json $DATA/none/r.jsonl >$OUT 2>&1; [ $? = 1 ] && "
         "grep -q -e '--json .*none/r.jsonl can.t be written: No such file' $OUT");
}

/* At once, not after a minute: nobody listens on port 1. */
static void test_a_server_that_is_not_there_is_named(void **state)
{
    (void)state;
    must("mkdir -p $DATA/off && sed 's/:[0-9][0-9]*\"/:1\"/' $DATA/demo.json >$DATA/off/demo.json "
         "&& "
         "cp $DATA/population.json $DATA/off/ && timeout 20 $bench run balance --data $DATA/off "
         ">$OUT 2>&1; [ $? = 1 ] && grep -q \"https://127.0.0.1:1, .*ci/up --data $DATA/off\" "
         "$OUT || { cat $OUT; exit 1; }");
    must("timeout 20 $bench run balance --data $DATA/none >$OUT 2>&1; [ $? = 1 ] && "
         "grep -q 'none/demo.json.*ci/up --data' $OUT || { cat $OUT; exit 1; }");
    must("BENCH run balance --port 1 >$OUT 2>&1; [ $? = 1 ] && grep -q '127.0.0.1:1 does' $OUT");
}

static void test_wrong_answers_are_shown_and_fail(void **state)
{
    (void)state;
    must("sed 's/201/404/' " MOOLAH_SOURCE_DIR "/benchmarks/scenarios/send_money.lua "
         ">$DATA/wrong.lua; BENCH run $DATA/wrong.lua " SMALL " --seconds 0.9 >$OUT 2>&1; "
         "[ $? = 1 ] && grep -q 'WRONG answers: [0-9]*; the first: transfer was answered 201 "
         "{.*X-Request-Id req_' $OUT && grep -q 'not one answer was right' $OUT || "
         "{ cat $OUT; exit 1; }");
    must("printf 'return { calls = { { name = \"me\", method = \"GET\", path = \"/v1/me\", as = "
         "\"from\", expect = { 200 } }, { name = \"lost\", method = \"GET\", path = "
         "\"/v1/nothing\", as = \"from\", expect = { 200 } } } }' >$DATA/half.lua; "
         "BENCH run $DATA/half.lua " SMALL " --seconds 0.9 >$OUT 2>&1; [ $? = 1 ] && "
         "grep -q 'WRONG answers: [0-9]*; the first: lost was answered 404 {' $OUT && "
         "! grep 'not one' $OUT && grep -qE '^half_throughput [1-9]' $OUT && "
         "grep -qE '^me  +[1-9][0-9]* +[1-9]' $OUT && grep -qE '^lost  +[1-9][0-9]* +0 ' $OUT || "
         "{ cat $OUT; exit 1; }");
}

static void test_money_that_nobody_audits_has_no_throughput(void **state)
{
    (void)state;
    must("BENCH run send_money " SMALL " --seconds 0.9 >$OUT 2>&1 && ! grep _throughput $OUT && "
         "grep -q 'no throughput is printed.*--audit' $OUT || { cat $OUT; exit 1; }");
}

static void test_a_multiple_of_the_peak_is_an_open_loop(void **state)
{
    (void)state;
    must("rm -f $DATA/r.jsonl; BENCH run overload_2x " SMALL
         " --peak 100 --seconds 1.1975 --warm-up 0.1975 --audit "
         "--json $DATA/r.jsonl >$OUT 2>&1 && grep -q '\"mode\":\"open\".*\"rate\":\"200\"' "
         "$DATA/r.jsonl && grep -qE '\"sent\":(19[0-9]|200),' $DATA/r.jsonl && grep -q '^audit "
         "passed' $OUT "
         "|| { cat $OUT $DATA/r.jsonl; exit 1; }");
    must("BENCH run overload_2x --seconds 1 --peak 0 >$OUT 2>&1; [ $? = 2 ] && "
         "BENCH run balance --peak 5 >$OUT 2>&1; [ $? = 2 ] && grep -q overload_2x $OUT");
}

#define SQL                                                                          \
    "p=$(echo /usr/lib/postgresql/*/bin/psql | sed 's/.* //'); sql() { $p -qXAt -d " \
    "\"$MOOLAH_DATABASE\" -c \"$1\" >/dev/null; }; "

/* Ctrl-C after the first second: what was measured is told, and stays unrecorded. */
static void test_an_interrupted_run_tells_what_it_has(void **state)
{
    (void)state;
    must("rm -f $DATA/r.jsonl; $bench run balance --data $DATA --connections 4 --streams 4 "
         "--seconds 100 --warm-up 0.2 --audit --json $DATA/r.jsonl >$OUT 2>&1 & pid=$!; "
         "until grep -q '^ *1 s ' $OUT; do kill -0 $pid || exit 1; sleep 0.05; done; "
         "kill -INT $pid; wait $pid; [ $? = 130 ] && "
         "grep -q '^interrupted after [0-9.]* s.*no audit, no record' $OUT && "
         "grep -qE '^balance_throughput [1-9]' $OUT && grep -q '^status_200 ' $OUT && "
         "! grep '^audit' $OUT && [ ! -e $DATA/r.jsonl ] || { cat $OUT; exit 1; }");
}

#define LOCKS "from pg_locks where mode = 'AccessExclusiveLock' and relation = 'api_keys'::regclass"

/* Ctrl-C while the audit waits for a table that the load has no need of. */
static void test_an_interrupted_audit_tells_what_was_measured(void **state)
{
    (void)state;
    must(
        SQL
        "rm -f $DATA/r.jsonl; sql 'begin; lock table api_keys; select pg_sleep(60)' 2>$DATA/lock & "
        "n=1000; until sql \"select 1 / count(*) " LOCKS "\" 2>$OUT; do "
        "[ $((n -= 1)) -gt 0 ] || { cat $OUT $DATA/lock; exit 1; }; sleep 0.02; done; "
        "$bench run send_money --data $DATA " SMALL " --seconds 0.9 --audit --json "
        "$DATA/r.jsonl >$OUT 2>&1 & pid=$!; until grep -q 'then its invariants' $OUT; do "
        "kill -0 $pid || break; sleep 0.02; done; kill -INT $pid; wait $pid; code=$?; "
        "sql \"select pg_terminate_backend(pid) " LOCKS "\"; [ $code = 1 ] && "
        "grep -q '^the audit was interrupted: what follows is UNAUDITED' $OUT && "
        "grep -q '^status_201 ' $OUT && ! grep -E '_throughput|^audit ' $OUT && "
        "[ ! -e $DATA/r.jsonl ] || { cat $OUT; exit 1; }");
}

static void test_steps_have_a_line_each(void **state)
{
    (void)state;
    must("rm -f $DATA/r.jsonl; BENCH run balance --connections 4 --streams 8 --rate "
         "200:0.5,400:0.5,100-300:0.5 --warm-up 0.1 --quiet --json $DATA/r.jsonl >$OUT 2>&1 && "
         "grep -qE '^200/s +0.4 +[12][0-9.]+ +[0-9.]+ +0 +[0-9]+ +-$' $OUT && "
         "[ $(grep -cE '^[0-9]+(-[0-9]+)?/s ' $OUT) = 7 ] && grep -qE '^latency_p99.99 - us' $OUT "
         "&& "
         "grep -q '\"p99.99\":null,\"max\":[0-9]' $DATA/r.jsonl && "
         "grep -q '\"steps\":\\[{\"from\":200.000' $DATA/r.jsonl || { cat $OUT $DATA/r.jsonl; exit "
         "1; }");
}

static void test_raw_postings_and_the_baseline_leave_a_whole_ledger(void **state)
{
    (void)state;
    must("for l in bare keys postings rules limits gate; do BENCH raw --level $l --batch 32 "
         "--seconds 0.3 "
         ">$OUT 2>&1 && grep -qE \"^raw_$l [1-9]\" $OUT || { echo $l; cat $OUT; exit 1; }; done");
    must("pg=$(echo /usr/lib/postgresql/*/bin | sed 's/.* //'); b=" MOOLAH_SOURCE_DIR
         "/benchmarks/baselines; $pg/psql -qX -v wallets=500 -d \"$MOOLAH_DATABASE\" -f "
         "$b/one_per_tx.sql >$OUT 2>&1 && $pg/pgbench -n -M prepared -c 4 -t 25 -D wallets=500 "
         "-f $b/one_per_tx.pgbench \"$MOOLAH_DATABASE\" >>$OUT 2>&1 && "
         "[ $($pg/psql -qXAt -d \"$MOOLAH_DATABASE\" -c \"select count(*) from idempotency where "
         "key like 'b-one-per-tx-%'\") = 100 ] || { cat $OUT; exit 1; }");
    must("mkdir -p $DATA/fees && cp " MOOLAH_SOURCE_DIR "/rules/transfer.fee.lua $DATA/fees/ && "
         "BENCH raw --level limits --rules $DATA/fees >$OUT 2>&1; [ $? = 1 ] && "
         "grep -q 'fees has no .*limit.lua' $OUT || { cat $OUT; exit 1; }");
    must("$MOOLAH ledger verify >$OUT 2>&1 || { cat $OUT; exit 1; }");
    must("! $(echo /usr/lib/postgresql/*/bin/psql | sed 's/.* //') -qXAt -d \"$MOOLAH_DATABASE\" "
         "-c 'select datname from pg_database' | grep moolah_raw");
}

/* As after ci/up has ended: its files are there, nobody listens. */
static void test_raw_says_who_does_not_answer(void **state)
{
    (void)state;
    must("mkdir -p $DATA/down && cp $DATA/population.json $DATA/down && d=$(echo $bench raw --data "
         "$DATA/down --seconds 0.3 --level); "
         "sed \"s/\\(host=[^/]*\\)[^' ]*/\\1\\/nowhere/\" $DATA/demo.json "
         ">$DATA/down/demo.json; for l in bare rules gate; do timeout 20 $d $l >$OUT 2>&1; "
         "[ $? = 1 ] && grep -q 'PostgreSQL does not answer.*nowhere.*ci/up --data .*/down' $OUT "
         "|| { cat $OUT $DATA/down/demo.json; exit 1; }; done; "
         "sed 's/unix:[^\"]*/unix:\\/nowhere\\/redis.sock/' $DATA/demo.json "
         ">$DATA/down/demo.json; timeout 20 $d gate >$OUT 2>&1; [ $? = 1 ] && "
         "grep -q 'Redis does not run.*ci/up --data .*/down' $OUT || { cat $OUT; exit 1; }");
}

/* Does the audit say `words`, and no throughput is printed? */
#define AUDIT_FAILS(words)                                                                        \
    "BENCH run send_money " SMALL " --seconds 0.9 --audit >$OUT 2>&1; code=$?; [ $code = 1 ] && " \
    "grep -q 'audit FAILED' $OUT && grep -qE '" words "' $OUT && ! grep -q throughput $OUT || "   \
    "{ cat $OUT; bad=1; }; "

/* Money appears from nowhere in an account that no call touches. */
static void test_the_audit_sees_a_wrong_balance(void **state)
{
    (void)state;
    must(SQL
         "sql \"update accounts set posted = posted + 1 where id = (select id from "
         "accounts where kind = 3 order by id limit 1)\"; " AUDIT_FAILS(
             "invariant") "sql \"update accounts set posted = posted - 1 where id = (select id "
                          "from accounts where kind = 3 order by id limit 1)\"; [ -z \"$bad\" ]");
}

/* A trigger of the superuser's changes some transactions on their way in: their clients were told
 * something else. */
static void test_the_audit_sees_other_bytes(void **state)
{
    (void)state;
    must(SQL
         "sql \"create function tamper() returns trigger language plpgsql as 'begin if new.amount "
         "% 10 = 7 then new.note := ''x''; end if; return new; end'; create trigger tamper "
         "before insert on transactions for each row execute function tamper()\"; " AUDIT_FAILS(
             "differ|other bytes") "sql 'drop trigger tamper on transactions; drop function "
                                   "tamper()'; [ -z \"$bad\" ]");
}

/* Some acknowledged keys are never remembered. The ledger is broken afterwards: the last test. */
static void test_the_audit_sees_a_forgotten_key(void **state)
{
    (void)state;
    must(SQL "sql \"create function tamper() returns trigger language plpgsql as 'begin if new.key "
             "like ''b-%7'' then return null; end if; return new; end'; create trigger tamper "
             "before insert on idempotency for each row execute function tamper()\"; " AUDIT_FAILS(
                 "differ|knows nothing|invariant") "[ -z \"$bad\" ]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_scenario_passes_its_audit),
        cmocka_unit_test(test_a_record_tells_what_the_pools_have_used),
        cmocka_unit_test(test_an_open_loop_offers_its_rate),
        cmocka_unit_test(test_faults_lose_and_double_nothing),
        cmocka_unit_test(test_a_broken_scenario_is_explained),
        cmocka_unit_test(test_a_server_that_is_not_there_is_named),
        cmocka_unit_test(test_wrong_answers_are_shown_and_fail),
        cmocka_unit_test(test_money_that_nobody_audits_has_no_throughput),
        cmocka_unit_test(test_a_multiple_of_the_peak_is_an_open_loop),
        cmocka_unit_test(test_an_interrupted_run_tells_what_it_has),
        cmocka_unit_test(test_an_interrupted_audit_tells_what_was_measured),
        cmocka_unit_test(test_steps_have_a_line_each),
        cmocka_unit_test(test_raw_postings_and_the_baseline_leave_a_whole_ledger),
        cmocka_unit_test(test_raw_says_who_does_not_answer),
        cmocka_unit_test(test_the_audit_sees_a_wrong_balance),
        cmocka_unit_test(test_the_audit_sees_other_bytes),
        cmocka_unit_test(test_the_audit_sees_a_forgotten_key),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
