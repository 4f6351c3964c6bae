/* What docs/rules.md shows is true. Its blocks are done in their order, in a folder of their own: a
 * file is saved under the name in its first line, commands are run, and answer what stands behind
 * them, to the letter.
 *
 * Covers: scripting/rule_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/scripting/folder.h"

static struct folder folder;
static struct bytes block, answer;
static int files, commands, answers;

static int begin(void **state)
{
    char path[4096];

    (void)state;
    folder_make(&folder);
    bytes_init(&block, NULL);
    bytes_init(&answer, NULL);
    snprintf(path, sizeof path, MOOLAH_BINARY_DIR ":%s", getenv("PATH"));
    return setenv("PATH", path, 1);
}

static int end(void **state)
{
    (void)state;
    bytes_release(&block);
    bytes_release(&answer);
    folder_remove(&folder);
    return 0;
}

/* "-- send.fee.lua" */
static void save(void)
{
    char name[64];

    assert_int_equal(sscanf(block.at, "-- %63s\n", name), 1);
    assert_null(strchr(name, '/'));
    folder_put_bytes(&folder, name, block.at, block.length - 1);
    files++;
}

static void run(void)
{
    char command[2000], text[4096];

    snprintf(command, sizeof command, "cd '%s' && { %s } 2>&1 </dev/null", folder.path, block.at);

    FILE *pipe = popen(command, "re");

    assert_non_null(pipe);
    bytes_clear(&answer);
    for (size_t got; (got = fread(text, 1, sizeof text, pipe)) > 0;)
        bytes_add(&answer, text, got);
    bytes_add_char(&answer, '\0');
    pclose(pipe);
    commands++;
}

static void do_block(const char *kind)
{
    bytes_add_char(&block, '\0');
    assert_false(block.failed);
    if (strcmp(kind, "lua") == 0) {
        save();
    } else if (strcmp(kind, "sh") == 0) {
        run();
    } else if (strcmp(kind, "text") == 0) {
        assert_string_equal(answer.at, block.at);
        answers++;
    }
    bytes_clear(&block);
}

static void test_the_guide(void **state)
{
    (void)state;
    char line[1000], kind[20];
    bool inside = false;
    FILE *guide = fopen(MOOLAH_SOURCE_DIR "/docs/rules.md", "re");

    assert_non_null(guide);
    while (fgets(line, sizeof line, guide) != NULL) {
        if (strncmp(line, "```", 3) != 0) {
            if (inside)
                bytes_add_text(&block, line);
        } else if (inside) {
            do_block(kind);
            inside = false;
        } else {
            assert_int_equal(sscanf(line, "```%19s", kind), 1);
            inside = true;
        }
    }
    fclose(guide);
    assert_false(inside);
    assert_true(files >= 8 && commands >= 7 && answers == commands);
}

static bool holds(const char *path, const char *what)
{
    static char text[65536];
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return strstr(text, what) != NULL;
}

/* What an editor completes, a linter allows and the manual explains are the same words. */
static void test_the_words(void **state)
{
    (void)state;
    static const char *const words[] = {"fee",      "limit",    "product", "tests",    "example",
                                        "property", "sequence", "sale",    "pct",      "muldiv",
                                        "add",      "sub",      "min",     "max",      "assert",
                                        "error",    "ipairs",   "select",  "tostring", "type"};
    static const char *const keys[] = {"id",
                                       "version",
                                       "owner",
                                       "applies",
                                       "slabs",
                                       "mode",
                                       "minimum",
                                       "cap",
                                       "rounding",
                                       "refundable",
                                       "upto",
                                       "flat",
                                       "rate",
                                       "single",
                                       "daily",
                                       "daily_count",
                                       "weekly",
                                       "weekly_count",
                                       "monthly",
                                       "monthly_count",
                                       "balance",
                                       "rolling",
                                       "kinds",
                                       "tiers",
                                       "denominations",
                                       "range",
                                       "fields",
                                       "supplier",
                                       "may_exceed_amount"};
    char what[64];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        snprintf(what, sizeof what, "\nfunction %s(", words[i]);
        assert_true(holds(MOOLAH_SOURCE_DIR "/rules/.luals/moolah.lua", what));
        snprintf(what, sizeof what, "\"%s\"", words[i]);
        assert_true(holds(MOOLAH_SOURCE_DIR "/.luacheckrc", what));
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(what, sizeof what, "---@field %s", keys[i]);
        assert_true(holds(MOOLAH_SOURCE_DIR "/rules/.luals/moolah.lua", what));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_guide),
        cmocka_unit_test(test_the_words),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
