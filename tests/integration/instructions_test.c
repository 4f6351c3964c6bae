/* ci/instructions: its bad inputs, and that a figure which is exceeded fails with both numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[] = "/tmp/moolah-instructions-test.XXXXXX";
static char out[16384]; /* what the last run has said */

/* A line of the shell in the source folder; its exit code. $S is the scratch folder. */
static int shell(const char *words)
{
    char command[1000];
    snprintf(command, sizeof command, "exec 2>&1; cd '%s'; S=%s; %s", MOOLAH_SOURCE_DIR, scratch,
             words);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_says(const char *what)
{
    if (strstr(out, what) == NULL)
        fail_msg("'%s' is not in: %s", what, out);
}

/* It fails at once, in one line that holds `what`. */
static void assert_fails(const char *words, const char *what)
{
    if (shell(words) != 1)
        fail_msg("%s did not fail with 1: %s", words, out);
    assert_says(what);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void test_bad_inputs(void **state)
{
    (void)state;
    assert_fails("ci/instructions --figures $S/none", "--record makes them");
    assert_fails("ci/instructions --figures", "--figures needs a file");
    assert_fails("ci/instructions --quick", "unknown option --quick");
    assert_fails("ci/instructions --record gate_reply", "name none");
    assert_fails("ci/instructions --record --figures $S/no/folder", "cannot be written");
    assert_fails("ci/instructions gate", "there is no piece 'gate'; there are: parse_and_route");
    assert_fails("mkdir $S/bin; ln -s $(command -v dirname) $S/bin; "
                 "PATH=$S/bin /bin/bash ci/instructions",
                 "there is no valgrind: ci/deps --test");
}

static void test_list(void **state)
{
    (void)state;
    assert_int_equal(shell("ci/instructions --list"), 0);
    assert_string_equal(
        out, "parse_and_route\ngate_reply\ndecide_batch\nfee_rule\nencode_batch\nwrite_response\n");
}

/* What the piece is measured as, against a figure of ours. */
static unsigned long measured(void)
{
    const char *at = strstr(out, "measured ");
    assert_non_null(at);
    return strtoul(at + strlen("measured "), NULL, 10);
}

static void test_figures(void **state)
{
    char words[300];
    (void)state;
    const char *run = "ci/instructions --figures $S/figures write_response";
    snprintf(words, sizeof words, "echo 'write_response 7 response' >$S/figures; %s", run);
    assert_int_equal(shell(words), 1);
    assert_says("FAILED: write_response");
    assert_says("recorded 7, measured ");
    assert_says("ci/instructions --record");
    assert_says("another toolchain");
    unsigned long count = measured();

    snprintf(words, sizeof words, "echo 'write_response %lu response' >$S/figures; %s",
             count * 985 / 1000, run); /* 1.5 % more than recorded */
    assert_int_equal(shell(words), 0);
    assert_says("1 instruction counts hold");

    snprintf(words, sizeof words, "echo 'write_response %lu response' >$S/figures; %s",
             count * 975 / 1000, run); /* 2.6 % more */
    assert_int_equal(shell(words), 1);

    snprintf(words, sizeof words, "echo 'write_response %lu response' >$S/figures; %s", count * 2,
             run);
    assert_int_equal(shell(words), 0);
    assert_says("has become cheaper");
}

static void test_broken_figures(void **state)
{
    (void)state;
    assert_int_equal(shell("printf 'gate_reply\\ngate_reply many replies\\n' >$S/figures; "
                           "ci/instructions --figures $S/figures write_response"),
                     1);
    assert_says("line 1 of the figures");
    assert_says("line 2 of the figures");
    assert_says("nothing is recorded");
}

/* What valgrind says of a piece that crashes is the reason; a valgrind of ours crashes. */
static void test_a_crash_has_its_reason(void **state)
{
    (void)state;
    int code =
        shell("mkdir $S/fake; printf '#!/bin/sh\necho \"==7== Process terminating: SIGSEGV\" "
              ">&2; exit 139\n' >$S/fake/valgrind; chmod +x $S/fake/valgrind; "
              "PATH=$S/fake:$PATH ci/instructions write_response");
    assert_true(code != 0);
    assert_says("write_response could not be measured");
    assert_says("==7== Process terminating: SIGSEGV");
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(scratch) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return shell("rm -rf \"$S\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_inputs),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_broken_figures),
        cmocka_unit_test(test_a_crash_has_its_reason),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
