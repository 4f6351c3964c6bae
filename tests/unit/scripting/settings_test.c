#include "scripting/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "tests/unit/scripting/folder.h"

struct sample {
    const char *name;
    const char *place;
    int64_t workers;
    double share;
    bool loud;
    const char **friends;
    int64_t first_rate, second_rate;
    const char *nobody;
};

#define AT(member) offsetof(struct sample, member)

static const struct settings_item items[] = {
    {"name", SETTINGS_TEXT, AT(name), NULL, 0, 0, "who it is"},
    {"place", SETTINGS_TEXT, AT(place), "'here'", 0, 0, "where it is"},
    {"workers", SETTINGS_INTEGER, AT(workers), "2", 0, 256, "how many"},
    {"share", SETTINGS_NUMBER, AT(share), "0.5", 0.25, 1, "how much"},
    {"loud", SETTINGS_BOOL, AT(loud), "false", 0, 0, "how it is"},
    {"friends", SETTINGS_LIST, AT(friends), "{}", 0, 0, "with whom"},
    {"first.rate", SETTINGS_INTEGER, AT(first_rate), "1", 1, 100, "one rate"},
    {"second.rate", SETTINGS_INTEGER, AT(second_rate), "2", 1, 100, "another"},
    {"nobody", SETTINGS_TEXT, AT(nobody), "nil", 0, 0, "may be missing"},
    {NULL, SETTINGS_TEXT, 0, NULL, 0, 0, NULL},
};

static struct folder folder;
static struct arena arena;
static struct sample sample;
static struct bundle_report report;

static int begin(void **state)
{
    (void)state;
    folder_make(&folder);
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    folder_remove(&folder);
    arena_release(&arena);
    return 0;
}

static bool read_file(const char *path)
{
    memset(&sample, 0, sizeof sample);

    bool good = settings_read(path, items, &sample, &arena, &report);

    assert_int_equal(good, report.count == 0);
    return good;
}

static bool read_text(const char *text)
{
    folder_put(&folder, "c.lua", text);
    return read_file(folder_file(&folder, "c.lua"));
}

static void test_everything(void **state)
{
    (void)state;
    assert_true(read_text("local n = 3\n"
                          "return { name = 'x' .. n, place = 'there', workers = n * 2, share = 1,\n"
                          "  loud = true, friends = { 'a', 'b' }, first = { rate = 7 },\n"
                          "  second = { rate = 0x10 }, nobody = 'here' }"));
    assert_string_equal(sample.name, "x3");
    assert_string_equal(sample.place, "there");
    assert_int_equal(sample.workers, 6);
    assert_true(sample.share >= 1 && sample.share <= 1);
    assert_true(sample.loud);
    assert_string_equal(sample.friends[0], "a");
    assert_string_equal(sample.friends[1], "b");
    assert_null(sample.friends[2]);
    assert_int_equal(sample.first_rate, 7);
    assert_int_equal(sample.second_rate, 16);
    assert_string_equal(sample.nobody, "here");
}

static void test_defaults(void **state)
{
    (void)state;
    assert_true(read_text("return { name = 'x' }"));
    assert_string_equal(sample.place, "here");
    assert_int_equal(sample.workers, 2);
    assert_true(sample.share > 0.49 && sample.share < 0.51);
    assert_false(sample.loud);
    assert_null(sample.friends[0]);
    assert_int_equal(sample.first_rate, 1);
    assert_int_equal(sample.second_rate, 2);
    assert_null(sample.nobody);
}

static const struct fault {
    const char *text;
    int line, column;
    const char *message;
} faults[] = {
    {"return {}", 0, 0, "name is required: who it is"},
    {"return {\n  name = 5 }", 2, 3, "name must be a text"},
    {"return {\n  name = 'a\\0b' }", 2, 3, "name must be a text without NUL"},
    {"return { name = 'x',\nworkers = '4' }", 2, 1, "workers must be an integer from 0 to 256"},
    {"return { name = 'x',\nworkers = 4.0 }", 2, 1, "workers must be an integer from 0 to 256"},
    {"return { name = 'x',\nworkers = -1 }", 2, 1, "workers must be an integer from 0 to 256"},
    {"return { name = 'x',\nworkers = 257 }", 2, 1, "workers must be an integer from 0 to 256"},
    {"return { name = 'x',\nworkers = {} }", 2, 1, "workers must be an integer from 0 to 256"},
    {"return { name = 'x',\nshare = 0.2 }", 2, 1, "share must be a number from 0.25 to 1"},
    {"return { name = 'x',\nshare = 0/0 }", 2, 1, "share must be a number from 0.25 to 1"},
    {"return { name = 'x',\nshare = 1/0 }", 2, 1, "share must be a number from 0.25 to 1"},
    {"return { name = 'x',\nshare = '1' }", 2, 1, "share must be a number from 0.25 to 1"},
    {"return { name = 'x',\nloud = 1 }", 2, 1, "loud must be true or false"},
    {"return { name = 'x',\nloud = 'true' }", 2, 1, "loud must be true or false"},
    {"return { name = 'x',\nfriends = 'a' }", 2, 1, "friends must be a list of texts: { \"...\" }"},
    {"return { name = 'x',\nfriends = { 1 } }", 2, 1,
     "friends must be a list of texts: { \"...\" }"},
    {"return { name = 'x',\nfriends = { 'a', nil, 'b' } }", 2, 1,
     "friends must be a list of texts: { \"...\" }"},
    {"return { name = 'x',\nfriends = { first = 'a' } }", 2, 1,
     "friends must be a list of texts: { \"...\" }"},
    {"return { name = 'x',\nfriends = { 'a\\0' } }", 2, 1, "friends must be a text without NUL"},
    {"return { name = 'x',\nfriend = {} }", 2, 1,
     "friend is not a known setting; did you mean friends?"},
    {"return { name = 'x',\ncolour = 'red' }", 2, 1,
     "colour is not a known setting: see moolahd --describe-config"},
    {"return { name = 'x', 5 }", 0, 0,
     "[...] is not a known setting: see moolahd --describe-config"},
    {"return { name = 'x',\nfirst = 5 }", 2, 1, "first must be a table"},
    {"return { name = 'x', first = { rate = 1 },\nsecond = { rate = 0 } }", 2, 12,
     "second.rate must be an integer from 1 to 100"},
    {"return { name = 'x', first = { rate = 1 },\nsecond = { rat = 3 } }", 2, 12,
     "second.rat is not a known setting; did you mean second.rate?"},
    {"return { name = 'x', first = { 7 } }", 1, 22,
     "first.[...] is not a known setting: see moolahd --describe-config"},
    {"return { name = 'x', ['first.rate'] = 7 }", 0, 0,
     "first.rate is not a known setting; did you mean first.rate?"},
    {"return 5", 0, 0, "the file must return one table"},
    {"", 0, 0, "the file must return one table"},
    {"return {\nname = }", 2, 1, "unexpected symbol near '}'"},
    {"\n\nreturn { name = nothing.x }", 3, 1, "attempt to index a nil value (global 'nothing')"},
    {"\n\nwhile true do end", 3, 1, "the rule used up its instruction budget"},
    {"return { name = 'x',\nplace = env 'MOOLAH_NO_SUCH' }", 2, 1,
     "the environment has no MOOLAH_NO_SUCH"},
    {"return { name = 'x',\nplace = env {} }", 2, 1,
     "bad argument #1 to 'env' (string expected, got table)"},
    {"return { name = 'x',\nplace = file '/nowhere' }", 2, 1,
     "/nowhere cannot be read: No such file or directory"},
    {"return { name = 'x',\nplace = file '/tmp' }", 2, 1,
     "/tmp cannot be read: it is no regular file"},
    {"return { name = 'x',\nplace = file '/dev/zero' }", 2, 1,
     "/dev/zero cannot be read: it is no regular file"},
    {"\x1bLua", 0, 0, "attempt to load a binary chunk (mode is 't')"},
};

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    int surprises = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct bundle_finding *finding = &report.findings[0];

        assert_false(read_text(faults[i].text));
        assert_string_equal(finding->file, folder_file(&folder, "c.lua"));
        if (finding->line == faults[i].line && finding->column == faults[i].column &&
            strcmp(finding->message, faults[i].message) == 0)
            continue;
        print_error("%s: %d:%d %s\n", faults[i].text, finding->line, finding->column,
                    finding->message);
        surprises++;
    }
    assert_int_equal(surprises, 0);
}

static void test_all_is_said_at_once(void **state)
{
    (void)state;
    assert_false(read_text("return {\n workers = 'x',\n share = {},\n loud = 3,\n color = 1\n}"));
    assert_int_equal(report.count, 5); /* and name is missing */
}

static void test_a_path_of_any_length(void **state)
{
    (void)state;
    char name[160];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    folder_put(&folder, name, "return {\n name = nil + 1 }");
    assert_false(read_file(folder_file(&folder, name)));
    assert_string_equal(report.findings[0].file, folder_file(&folder, name));
    assert_int_equal(report.findings[0].line, 2);
    assert_string_equal(report.findings[0].message, "attempt to perform arithmetic on a nil value");
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    char *large = malloc(262144);
    const char *path = folder_file(&folder, "fifo");

    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: it must not wait */
    assert_false(read_file(path));
    assert_string_equal(report.findings[0].message, "cannot be read: it is no regular file");
    assert_false(read_file(folder.path));
    assert_string_equal(report.findings[0].message, "cannot be read: it is no regular file");
    assert_false(read_file("/nowhere"));
    assert_string_equal(report.findings[0].message, "cannot be read: No such file or directory");
    memset(large, ' ', 262144);
    memcpy(large, "return { name = 'x' }", 21);
    folder_put_bytes(&folder, "large", large, 262143);
    assert_true(read_file(folder_file(&folder, "large")));
    folder_put_bytes(&folder, "large", large, 262144);
    assert_false(read_file(folder_file(&folder, "large")));
    assert_string_equal(report.findings[0].message, "cannot be read: it is too large");
    free(large);
}

static void test_secrets(void **state)
{
    (void)state;
    char text[300];
    char secret[4200];

    setenv("MOOLAH_TEST_SECRET", "from outside", 1);
    assert_true(read_text("return { name = env 'MOOLAH_TEST_SECRET' }"));
    assert_string_equal(sample.name, "from outside");
    snprintf(text, sizeof text, "return { name = file '%s/secret' }", folder.path);
    folder_put(&folder, "secret", "  hush \r\n\n");
    assert_true(read_text(text));
    assert_string_equal(sample.name, "  hush ");
    folder_put(&folder, "secret", "");
    assert_true(read_text(text));
    assert_string_equal(sample.name, "");
    memset(secret, 's', sizeof secret);
    folder_put_bytes(&folder, "secret", secret, 4096);
    assert_true(read_text(text));
    assert_int_equal(strlen(sample.name), 4096);
    folder_put_bytes(&folder, "secret", secret, 4097); /* never half of one */
    assert_false(read_text(text));
    assert_non_null(strstr(report.findings[0].message, "it is too large"));
    folder_put_bytes(&folder, "secret", "a\0b", 3);
    assert_false(read_text(text));
    assert_non_null(strstr(report.findings[0].message, "without NUL"));
}

/* There is nothing in the file to reach out with. */
static void test_the_file_can_only_compute(void **state)
{
    (void)state;
    assert_true(read_text("assert(not (os or io or require or load or debug or package or pcall or "
                          "string or table))\nreturn { name = 'x' }"));
}

static void test_the_description_is_a_file_that_works(void **state)
{
    (void)state;
    struct bytes text;

    bytes_init(&text, NULL);
    settings_describe(items, &text);
    bytes_add_char(&text, '\0');
    assert_true(read_text(text.at));
    assert_string_equal(sample.name, "...");
    assert_string_equal(sample.place, "here");
    for (const struct settings_item *item = items; item->path != NULL; item++)
        assert_non_null(strstr(text.at, item->help));
    /* and what is commented out is the default */
    for (char *at = text.at; (at = strstr(at, "-- ")) != NULL; at += 3)
        if (strstr(at, " = ") != NULL && strchr(at, '\n') > strstr(at, " = "))
            memcpy(at, "   ", 3);
    assert_true(read_text(text.at));
    assert_int_equal(sample.second_rate, 2);
    bytes_release(&text);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;
    long n = 0;

    folder_put(&folder, "c.lua",
               "return { name = 'x', place = 'a long way from here, so that it needs room', "
               "friends = { 'a', 'b' }, first = { rate = 7 } }");
    for (; failed; n++) {
        memory_fail_after(n);

        bool good = settings_read(folder_file(&folder, "c.lua"), items, &sample, &arena, &report);

        failed = memory_failed();
        memory_fail_never();
        assert_true(good || failed);
        assert_int_equal(good, report.count == 0);
        if (good) {
            assert_string_equal(sample.name, "x");
            assert_string_equal(sample.friends[1], "b");
        }
        arena_release(&arena);
        assert_true(n < 5000);
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything, begin, end),
        cmocka_unit_test_setup_teardown(test_defaults, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_and_where, begin, end),
        cmocka_unit_test_setup_teardown(test_all_is_said_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_path_of_any_length, begin, end),
        cmocka_unit_test_setup_teardown(test_files_that_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(test_secrets, begin, end),
        cmocka_unit_test_setup_teardown(test_the_file_can_only_compute, begin, end),
        cmocka_unit_test_setup_teardown(test_the_description_is_a_file_that_works, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
