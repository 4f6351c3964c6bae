/* Folders of rules made by somebody who wants to hold a worker: every one is refused, within
 * seconds, by a process that stays small and goes on. What a single script may try is in
 * tests/unit/scripting/sandbox_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "scripting/bundle.h"
#include "scripting/sandbox.h"
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
