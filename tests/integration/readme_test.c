/* The README's own commands, run as they stand there, against a running ci/up: only the folder and
 * the port are the test's. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/stack.h"

static struct stack *stack;

/* The sh blocks below a heading, with var/ and the port replaced, run by a strict shell; their
 * output goes to DATA/out. */
static int run_section(const char *heading)
{
    char command[1200];
    snprintf(
        command, sizeof command,
        "cd '" MOOLAH_SOURCE_DIR "' && awk -v want='## %s' '/^## / { on = ($0 == want) } "
        "/^```/ { if (on && $0 == \"```sh\") { inside = 1; next } inside = 0 } inside' README.md | "
        "grep -v 'host=/run/postgresql' | "
        "sed \"s|var/build|@BUILD@|g; s|var/|$DATA/|g; s|@BUILD@|" MOOLAH_BINARY_DIR
        "|g; s|localhost:8443|localhost:%d|\" "
        ">\"$DATA/section.sh\" && test -s \"$DATA/section.sh\" && "
        "sh -e \"$DATA/section.sh\" >\"$DATA/out\" 2>&1; r=$?; [ $r = 0 ] || cat \"$DATA/out\"; "
        "exit $r",
        heading, stack->port);
    return stack_shell(stack, command);
}

static int out_has(const char *text, int times)
{
    char command[300];
    snprintf(command, sizeof command,
             "[ $(grep -o '%s' \"$DATA/out\" | wc -l) = %d ] || { cat \"$DATA/out\"; exit 1; }",
             text, times);
    return stack_shell(stack, command);
}

static void test_the_tour(void **state)
{
    (void)state;
    assert_int_equal(run_section("A tour"), 0);
    assert_int_equal(out_has("\"amount\":10000,\"fee\":250,", 3),
                     0); /* twice told, once in the statement */
    assert_int_equal(out_has("idempotency-replayed: true", 1), 0);
    assert_int_equal(out_has("\"data\":\\[", 1), 0);
    assert_int_equal(out_has("\"pin\":\"4711 0815 2342\"", 1), 0);
    assert_int_equal(out_has("^event: wallet", 1), 0);
}

static void test_changing_a_fee(void **state)
{
    (void)state;
    assert_int_equal(run_section("Change a fee while it runs"), 0);
    assert_int_equal(out_has("total  *2.50", 1), 0);
    assert_int_equal(out_has("serves the newest rules", 2), 0);
}

static void test_verifying(void **state)
{
    (void)state;
    assert_int_equal(run_section("Is the money right?"), 0);
    assert_int_equal(out_has("^holds", 9), 0);
}

static void test_configuration(void **state)
{
    (void)state;
    assert_int_equal(run_section("Configuration"), 0);
    assert_int_equal(out_has("posting = {", 1), 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tour),
        cmocka_unit_test(test_changing_a_fee),
        cmocka_unit_test(test_verifying),
        cmocka_unit_test(test_configuration),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
