/* Rules made by somebody who wants to hold a worker, or get out of it: every one is refused, within
 * its budget, by a process that stays small and goes on with what it had. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/zone.h"
#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test.h"
#include "scripting/sandbox.h"
#include "tests/attack/rule_scripts.h"
#include "tests/unit/scripting/folder.h"

static struct folder folder;

static int begin(void **state)
{
    (void)state;
    folder_make(&folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* `before`, `part` again and again up to `size` bytes, `after`: in `files` files. */
struct abuse {
    const char *before, *part, *after;
    size_t size;
    int files;
};

static void write_files(const struct abuse *abuse)
{
    struct bytes text;

    bytes_init(&text, NULL);
    bytes_add_text(&text, abuse->before);
    while (text.length + strlen(abuse->part) + strlen(abuse->after) <= abuse->size)
        bytes_add_text(&text, abuse->part);
    bytes_add_text(&text, abuse->after);
    assert_false(text.failed);
    for (int i = 0; i < abuse->files; i++) {
        char name[40];

        snprintf(name, sizeof name, "r%d.fee.lua", i);
        folder_put_bytes(&folder, name, text.at, text.length);
    }
    bytes_release(&text);
}

/* In a process of its own with no more memory than a worker's rules may need. The exit code. */
static int load_in_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        const struct rlimit memory = {256 << 20, 256 << 20};
        struct bundle_report report;

        setrlimit(RLIMIT_AS, &memory);

        int64_t began = sandbox_cpu_us();
        struct bundle *bundle = bundle_load(folder.path, &report);
        int64_t took = sandbox_cpu_us() - began;

        if (bundle != NULL || report.count == 0)
            _exit(1);
        if (took > 5000000) { /* under the 10 s after which the master takes a worker for dead */
            fprintf(stderr, "%.3f s: %s\n", (double)took / 1e6, report.findings[0].message);
            _exit(2);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void refuse(const struct abuse *abuse)
{
    write_files(abuse);
    assert_int_equal(load_in_child(), 0);
}

static void test_endless_files(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"while true do end", "", "", 0, BUNDLE_FILES_MAX});
}

static void test_slow_instructions(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"local s = 'x' for i = 1, 20 do s = s .. s end "
                                 "while true do local t = s .. 'y' end",
                                 "", "", 0, BUNDLE_FILES_MAX});
}

static void test_colliding_keys(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"local t = {} for i = 1, 0x7fffffff do t[i * 65535] = 1 end", "",
                                 "", 0, BUNDLE_FILES_MAX});
}

/* Each just within its bounds, and no finding ends it early: only all together are too much. */
static void test_slow_to_compile(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"local _ = nil", " or nil",
                                 " return fee { id = 'x', version = 1, owner = 'x', rounding = "
                                 "'up', slabs = { { rate = pct '1' } }, applies = { kind = "
                                 "'transfer', currency = 'ZAR' } }",
                                 BUNDLE_FILE_SIZE_MAX, 120});
}

static void test_memory(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"local t = {} while true do t = { t, t, t, t } end", "", "", 0,
                                 BUNDLE_FILES_MAX});
    refuse(&(const struct abuse){"local s = 'x' while true do s = s .. s end", "", "", 0,
                                 BUNDLE_FILES_MAX});
}

static void test_huge_files(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"--", "x", "", 64 << 20, 2});
}

/* A terabyte, or as much as this file system takes: far more than is read of a file either way. */
static void test_an_immense_sparse_file(void **state)
{
    int64_t size = INT64_C(1) << 40;
    (void)state;
    folder_put(&folder, "r.fee.lua", "return fee {}");
    while (truncate(folder_file(&folder, "r.fee.lua"), size) != 0 && size > 0)
        size /= 2;
    assert_true(size > INT64_C(1000) * BUNDLE_FILE_SIZE_MAX);
    assert_int_equal(load_in_child(), 0);
}

static void test_as_much_as_fits_into_a_bundle(void **state)
{
    (void)state;
    refuse(&(const struct abuse){"return fee {", "a={},", "}", BUNDLE_FILE_SIZE_MAX, 120});
    refuse(&(const struct abuse){"", "(", "", BUNDLE_FILE_SIZE_MAX, 120});
    refuse(&(const struct abuse){"return ", "{", "", BUNDLE_FILE_SIZE_MAX, 200});
}

enum { SCRIPTS = sizeof scripts / sizeof scripts[0], CHECKS = sizeof checks / sizeof checks[0] };

/* A script's or a test's CPU time: a tenth of a second to run, as much again to compile. */
#define BUDGET_US 400000

static struct bundle *serving;
static uint8_t served[32];

/* What serves, and goes on, whatever comes after it. */
static void serve(void)
{
    struct bundle_report report;

    folder_put(&folder, "good.fee.lua", GOOD);
    serving = bundle_load(folder.path, &report);
    assert_non_null(serving);
    memcpy(served, bundle_hash(serving), sizeof served);
}

static void assert_it_serves(void)
{
    const struct fee_facts facts = {
        .kind = "transfer", .amount = 12345, .currency = CURRENCY_ZAR, .tier = 1};
    struct fee_decision decision;

    fee_price(serving, &facts, &decision);
    assert_int_equal(decision.outcome, FEE_OK);
    assert_int_equal(decision.total, 124);
    assert_memory_equal(bundle_hash(serving), served, sizeof served);
}

static int begin_serving(void **state)
{
    begin(state);
    serve();
    return zone_open() != NULL;
}

static int end_serving(void **state)
{
    bundle_release(serving);
    return end(state);
}

static void assert_printable(const struct bundle_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        for (const char *at = report->findings[i].message; *at != '\0'; at++)
            assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
}

static void write_script(const struct script *script)
{
    struct bytes text;

    bytes_init(&text, NULL);
    bytes_add_text(&text, script->before);
    while (script->size > 0 &&
           text.length + strlen(script->part) + strlen(script->after) <= script->size)
        bytes_add_text(&text, script->part);
    bytes_add_text(&text, script->after);
    folder_put_bytes(&folder, "x.fee.lua", text.at == NULL ? "" : text.at, text.length);
    bytes_release(&text);
}

static void test_scripts(void **state)
{
    (void)state;
    assert_true(SCRIPTS >= 60);
    for (size_t i = 0; i < SCRIPTS; i++) {
        struct bundle_report report;

        write_script(&scripts[i]);

        int64_t began = sandbox_cpu_us();
        struct bundle *bundle = bundle_load(folder.path, &report);
        int64_t took = sandbox_cpu_us() - began;

        if (bundle != NULL || strcmp(report.findings[0].file, "x.fee.lua") != 0 ||
            strstr(report.findings[0].message, scripts[i].told) == NULL || took > BUDGET_US)
            fail_msg("%.80s%.20s: %.3f s, %s", scripts[i].before, scripts[i].part,
                     (double)took / 1e6, bundle != NULL ? "good" : report.findings[0].message);
        assert_printable(&report);
        assert_it_serves();
    }
}

/* The same script is told the same every time: nothing of the machine, the order of a hash or what
 * ran before gets into it. But what ran out of time did so somewhere. */
static void test_the_same_every_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCRIPTS; i++) {
        struct bundle_report reports[2];

        if (strcmp(scripts[i].told, SPENT) == 0)
            continue;
        write_script(&scripts[i]);
        for (int k = 0; k < 2; k++)
            assert_null(bundle_load(folder.path, &reports[k]));
        assert_int_equal(reports[0].count, reports[1].count);
        assert_string_equal(reports[0].findings[0].message, reports[1].findings[0].message);
        assert_int_equal(reports[0].findings[0].line, reports[1].findings[0].line);
    }
}

static void test_checks(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < CHECKS; i++) {
        char text[500];
        struct rule_coverage coverage;
        struct rule_test_result result;

        snprintf(text, sizeof text,
                 "local seen = 0 return tests { property { 'a', kind = 'transfer', amount = { ZAR "
                 "'1', ZAR '500' }, check = function(tx, q) %s end } }",
                 checks[i]);
        folder_put(&folder, "good.fee_test.lua", text);
        assert_true(rule_coverage_init(&coverage, serving, &arena));

        int64_t began = sandbox_cpu_us();

        rule_test_run(folder.path, serving, &coverage, &result);

        int64_t took = sandbox_cpu_us() - began;

        if (result.good || result.report.count == 0 || took > BUDGET_US)
            fail_msg("%s: %.3f s, %zu passed", checks[i], (double)took / 1e6, result.passed);
        assert_printable(&result.report);
        assert_it_serves();
    }
    arena_release(&arena);
}

/* What stands there instead of a good file. */
static void put_nothing_good(int which)
{
    const char *path = folder_file(&folder, "x.fee.lua");
    static char noise[100000];

    switch (which) {
    case 0: /* half of a save */
        folder_put_bytes(&folder, "x.fee.lua", GOOD, strlen(GOOD) / 2);
        break;
    case 1: /* 10 MB */
        folder_put(&folder, "x.fee.lua", GOOD);
        assert_int_equal(truncate(path, 10000000), 0);
        break;
    case 2: /* no text */
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)(i * 2654435761u >> 13);
        folder_put_bytes(&folder, "x.fee.lua", noise, 30000);
        break;
    case 3: /* out of the folder */
        assert_int_equal(symlink("/etc/passwd", path), 0);
        break;
    case 4: /* to nowhere */
        assert_int_equal(symlink("/nowhere", path), 0);
        break;
    case 5: /* in a circle */
        assert_int_equal(symlink("x.fee.lua", path), 0);
        break;
    case 6: /* one that waits for a writer */
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    case 7: /* a folder */
        assert_int_equal(mkdir(path, 0700), 0);
        break;
    case 8: /* two with one id */
        folder_put(&folder, "x.fee.lua", GOOD);
        break;
    case 9: /* one that may not be read; root may read everything */
        folder_put(&folder, "x.fee.lua", GOOD);
        assert_int_equal(chmod(path, 0), 0);
        break;
    case 10: /* nothing in it */
        folder_put(&folder, "x.fee.lua", "");
        break;
    default: /* a name that says nothing */
        folder_put(&folder, "x.fees.lua", GOOD);
    }
}

enum { BAD_FILES = 12 };

static void test_bad_files(void **state)
{
    (void)state;
    for (int i = 0; i < BAD_FILES; i++) {
        struct bundle_report report;

        put_nothing_good(i);
        assert_null(bundle_load(folder.path, &report));
        assert_true(report.count > 0);
        assert_true(strncmp(report.findings[0].file, "x.fee", 5) == 0);
        assert_true(report.findings[0].message[0] != '\0');
        assert_printable(&report);
        assert_it_serves();
        assert_int_equal(remove(folder_file(&folder, i == 11 ? "x.fees.lua" : "x.fee.lua")), 0);
    }

    /* put right, it is what it was */
    struct bundle_report report;
    struct bundle *again = bundle_load(folder.path, &report);

    assert_non_null(again);
    assert_memory_equal(bundle_hash(again), served, sizeof served);
    bundle_release(again);
}

/* Somebody makes and removes files while they are read: what is loaded is good, or refused. */
static void test_gone_while_it_is_read(void **state)
{
    (void)state;
    int refused = 0, good = 0;
    pid_t child = fork();

    if (child == 0)
        for (prctl(PR_SET_PDEATHSIG, SIGKILL);;) {
            folder_put(&folder, "y.limit.lua", "return limit {}");
            unlink(folder_file(&folder, "y.limit.lua"));
            mkdir(folder_file(&folder, "y.limit.lua"), 0700);
            rmdir(folder_file(&folder, "y.limit.lua"));
        }
    for (int i = 0; i < 20000 && (refused == 0 || good == 0 || i < 300); i++) {
        struct bundle_report report;
        struct bundle *bundle = bundle_load(folder.path, &report);

        refused += bundle == NULL;
        good += bundle != NULL;
        assert_true(bundle != NULL || strcmp(report.findings[0].file, "y.limit.lua") == 0);
        if (bundle != NULL)
            assert_memory_equal(bundle_hash(bundle), served, sizeof served);
        bundle_release(bundle);
        assert_it_serves();
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(refused > 0 && good > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_endless_files, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_instructions, begin, end),
        cmocka_unit_test_setup_teardown(test_colliding_keys, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_to_compile, begin, end),
        cmocka_unit_test_setup_teardown(test_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_huge_files, begin, end),
        cmocka_unit_test_setup_teardown(test_an_immense_sparse_file, begin, end),
        cmocka_unit_test_setup_teardown(test_as_much_as_fits_into_a_bundle, begin, end),
        cmocka_unit_test_setup_teardown(test_scripts, begin_serving, end_serving),
        cmocka_unit_test_setup_teardown(test_the_same_every_time, begin_serving, end_serving),
        cmocka_unit_test_setup_teardown(test_checks, begin_serving, end_serving),
        cmocka_unit_test_setup_teardown(test_bad_files, begin_serving, end_serving),
        cmocka_unit_test_setup_teardown(test_gone_while_it_is_read, begin_serving, end_serving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
