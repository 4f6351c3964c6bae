/* Rules while the server runs: whatever happens to the folder, to the workers, or to both, every
 * transfer is priced, and by the last bundle that was good.
 *
 * Covers: server/rule_keeper.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/client.h"
#include "support/stack.h"

static struct stack *stack;
static char rules[] = "/tmp/moolah-rules-XXXXXX";
static char token[96];
static int serial;

static void sign_in(void)
{
    char body[200];
    struct client_call call = {0};
    struct client *client = client_open(stack->port, stack->ca);

    assert_non_null(client);
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", stack->users[0].phone,
             stack->users[0].password);
    assert_int_equal(client_do(client, &call, "POST", "/v1/sessions", NULL, NULL, body), 201);

    const char *at = strstr(call.answer, "\"token\":\"");

    assert_non_null(at);
    snprintf(token, sizeof token, "%.68s", at + 9);
    client_call_clear(&call);
    client_close(client);
}

/* One transfer on a connection of its own: its fee, or minus its status; 0 when a worker died under
 * it, or has no database yet. */
static int fee_now(void)
{
    char body[300];
    char key[40];
    struct client_call call = {0};
    struct client *client = client_open(stack->port, stack->ca);

    if (client == NULL)
        return 0;
    snprintf(key, sizeof key, "rules-%d-%d", (int)getpid(), ++serial);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[0].wallet, stack->users[1].wallet);

    int status = client_do(client, &call, "POST", "/v1/transfers", token, key, body);
    const char *fee = status == 201 ? strstr(call.answer, "\"fee\":") : NULL;
    int result = fee == NULL ? -status : (int)strtol(fee + 6, NULL, 10);

    if (status == 503 && strstr(call.answer, "\"rule_failed\"") == NULL)
        result = 0;
    client_call_clear(&call);
    client_close(client);
    return result;
}

/* 12 transfers in a row cost `fee`: connections go to both workers. On the way there they may cost
 * `before`, nothing else, and none is refused by a rule. Within 20 s. */
static void await_fee(int fee, int before)
{
    int64_t deadline = clock_monotonic() + 20 * CLOCK_SECOND;

    for (int in_a_row = 0; in_a_row < 12;) {
        int now = fee_now();

        if (now != fee && now != before && now != 0)
            print_error("a transfer cost %d instead of %d\n", now, fee);
        assert_true(now == fee || now == before || now == 0);
        assert_true(clock_monotonic() < deadline);
        in_a_row = now == fee ? in_a_row + 1 : 0;
    }
}

static int shell(const char *command)
{
    return stack_shell(stack, command);
}

/* Until a shell command succeeds, for at most 20 s. */
static void await_shell(const char *command)
{
    int64_t deadline = clock_monotonic() + 20 * CLOCK_SECOND;

    while (shell(command) != 0) {
        if (clock_monotonic() > deadline)
            print_error("in vain: %s\n", command);
        assert_true(clock_monotonic() < deadline);
        usleep(50000);
    }
}

/* The rule for others, at so many cents; saved aside and moved, as editors do. */
static void save(int cents)
{
    char command[400];

    snprintf(command, sizeof command,
             "sed 's/ZAR \"2.50\"/ZAR \"%d.%02d\"/; s/version = 3/version = %d/' "
             "\"$MOOLAH_RULES/transfer.fee.lua\" >\"$RULES/.new\" && mv \"$RULES/.new\" "
             "\"$RULES/transfer.fee.lua\"",
             cents / 100, cents % 100, cents);
    assert_int_equal(shell(command), 0);
}

#define REFUSED_BY(count)                                                                         \
    "[ $($MOOLAH rules status | grep -cE "                                                        \
    "\"REFUSED.*transfer.fee.lua:14:5: unknown key 'minimun'; did you mean 'minimum'\") = " count \
    " ]"

static void save_bad(void)
{
    assert_int_equal(shell("sed -i 's/minimum = /minimun = /; 5s/^/\\n/' "
                           "\"$RULES/transfer.fee.lua\""),
                     0);
}

/* Kill the nth worker and wait until another one is in its place. */
static void kill_worker(int nth)
{
    int64_t deadline = clock_monotonic() + 10 * CLOCK_SECOND;
    pid_t worker = stack_pid(stack, STACK_WORKER, nth);

    assert_true(worker > 0);
    kill(worker, SIGKILL);
    for (bool back = false; !back;) {
        pid_t first = stack_pid(stack, STACK_WORKER, 0);
        pid_t second = stack_pid(stack, STACK_WORKER, 1);

        back = first > 0 && second > 0 && first != worker && second != worker;
        assert_true(clock_monotonic() < deadline);
    }
}

static void test_a_worker_that_starts_while_the_folder_is_bad(void **state)
{
    (void)state;
    save(300);
    await_fee(300, 250);
    save_bad();
    await_shell(REFUSED_BY("2"));
    for (int round = 0; round < 4; round++) {
        kill_worker(round % 2);
        await_fee(300, 300);
    }
    /* each of them says so, and both serve the same */
    await_shell(REFUSED_BY("2"));
    assert_int_equal(shell("[ $($MOOLAH rules status | grep -oE 'sha256:[0-9a-f]{64}' | sort -u | "
                           "wc -l) = 1 ]"),
                     0);
}

static void test_a_server_does_not_start_with_a_bad_folder(void **state)
{
    (void)state;
    static const char wanted[] =
        "2>&1 >/dev/null | grep -qF \"transfer.fee.lua:14:5: unknown key 'minimun'\"";
    char command[400];

    assert_int_equal(shell("$MOOLAH_D --config \"$DATA/moolahd.lua\" --check >/dev/null 2>&1"), 1);
    assert_int_equal(shell("$MOOLAH_D --config \"$DATA/moolahd.lua\" >/dev/null 2>&1"), 1);
    snprintf(command, sizeof command, "$MOOLAH_D --config \"$DATA/moolahd.lua\" --check %s",
             wanted);
    assert_int_equal(shell(command), 0);
    snprintf(command, sizeof command, "$MOOLAH_D --config \"$DATA/moolahd.lua\" %s", wanted);
    assert_int_equal(shell(command), 0);
}

static void test_a_good_file_ends_it(void **state)
{
    (void)state;
    save(325);
    await_fee(325, 300);
    await_shell("[ $($MOOLAH rules status | grep -c 'serves the newest rules') = 2 ]");
}

static void test_the_folder_vanishes(void **state)
{
    (void)state;
    assert_int_equal(shell("mv \"$RULES\" \"$RULES-away\""), 0);
    await_shell("[ $($MOOLAH rules status | grep -c 'REFUSED.*No such file or directory') = 2 ]");
    await_fee(325, 325);
    kill_worker(0);
    kill_worker(1);
    await_fee(325, 325);
    assert_int_equal(shell("$MOOLAH_D --config \"$DATA/moolahd.lua\" --check 2>&1 >/dev/null | "
                           "grep -q \"$RULES: cannot be read: No such file\""),
                     0);
    assert_int_equal(shell("mv \"$RULES-away\" \"$RULES\""), 0);
    await_shell("[ $($MOOLAH rules status | grep -c 'serves the newest rules') = 2 ]");
    await_fee(325, 325);
}

/* A good file that stands for a moment only is seen by both workers, by one, or by none: in the end
 * both serve the same. */
static void test_a_moment_is_seen_by_all_or_none(void **state)
{
    int before = 325;

    (void)state;
    for (int round = 0; round < 4; round++) {
        int fee = 400 + round;

        save(fee);
        usleep((useconds_t)(150000 + round * 70000)); /* a person saves again, sooner or later */
        save_bad();
        await_shell(REFUSED_BY("2"));
        await_shell("[ $($MOOLAH rules status | grep -oE 'sha256:[0-9a-f]{64}' | sort -u | wc -l) "
                    "= 1 ]");

        int now = fee_now();

        assert_true(now == fee || now == before);
        before = now;
        await_fee(now, now);
    }
    save(350);
    await_fee(350, before);
}

/* A file that is being written, again and again: only whole ones price. */
static void test_half_a_file_never_prices(void **state)
{
    (void)state;
    assert_int_equal(
        shell("cp \"$RULES/transfer.fee.lua\" \"$DATA/whole\"; for i in $(seq 40); do head -c "
              "$((i * 17)) \"$DATA/whole\" >\"$RULES/transfer.fee.lua\"; sleep 0.05; done & "
              "echo $! >\"$DATA/writer\""),
        0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(fee_now(), 350);
    await_shell("! kill -0 $(cat \"$DATA/writer\") 2>/dev/null");
    assert_int_equal(fee_now(), 350);
    assert_int_equal(shell("cp \"$DATA/whole\" \"$RULES/transfer.fee.lua\""), 0);
    await_shell("[ $($MOOLAH rules status | grep -c 'serves the newest rules') = 2 ]");
    await_fee(350, 350);
}

/* What priced a transaction can be read: its bundle's files are kept. */
static void test_every_price_can_be_explained(void **state)
{
    (void)state;
    await_shell("[ \"$(psql -XAt \"$MOOLAH_DATABASE\" -c 'select count(*) > 0 and count(*) = "
                "count(b.hash) from (select distinct bundle from transactions where bundle is not "
                "null) t left join rule_bundles b on b.hash = t.bundle')\" = t ]");
    assert_int_equal(
        shell("psql -XAt \"$MOOLAH_DATABASE\" -c 'select files from rule_bundles' | grep -q "
              "'\"transfer.fee.lua\":.*ZAR ..3.50'"),
        0);
}

static int set_up(void **state)
{
    char command[200];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(rules) == NULL)
        return -1;
    snprintf(command, sizeof command, "chmod 755 %s; cp %s/*.lua %s", rules,
             MOOLAH_SOURCE_DIR "/rules", rules);
    if (system(command) != 0)
        return -1;
    setenv("RULES", rules, 1);
    setenv("MOOLAH_RULES", MOOLAH_SOURCE_DIR "/rules", 1);
    setenv("MOOLAH_D", MOOLAH_BINARY_DIR "/moolahd", 1);
    stack = stack_start(rules);
    sign_in();
    return 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    stack_stop(stack);
    snprintf(command, sizeof command, "rm -rf %s %s-away", rules, rules);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_worker_that_starts_while_the_folder_is_bad),
        cmocka_unit_test(test_a_server_does_not_start_with_a_bad_folder),
        cmocka_unit_test(test_a_good_file_ends_it),
        cmocka_unit_test(test_the_folder_vanishes),
        cmocka_unit_test(test_a_moment_is_seen_by_all_or_none),
        cmocka_unit_test(test_half_a_file_never_prices),
        cmocka_unit_test(test_every_price_can_be_explained),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
