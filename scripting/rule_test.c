#include "scripting/rule_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/arena.h"
#include "scripting/rule_test_case.h"
#include "scripting/rule_test_fee.h"
#include "scripting/rule_test_limit.h"
#include "scripting/rule_test_sale.h"
#include "scripting/rule_test_words.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

#define TAIL "_test.lua"
#define TESTS_MAX 1000 /* of one file */

/* A file of tests. */
struct run {
    const char *file;
    struct slice source;
    const struct bundle *bundle;
    struct rule_coverage *coverage;
    struct rule_test_result *result;
    struct sandbox *sandbox;
    struct arena arena; /* of the test that runs: Lua's errors jump over whoever would free it */
};

/* The source from a line on, up to another (0: to the end). */
static struct slice lines_from(struct slice source, int first, int until)
{
    const char *from = source.at;
    const char *end = source.at + source.length;
    int line = 1;
    for (const char *at = source.at; at < end; at++) {
        if (*at != '\n')
            continue;
        line++;
        if (line == first)
            from = at + 1;
        if (line == until)
            end = at + 1;
    }
    return (struct slice){from, (size_t)(end - from)};
}

/* The tests' list is at `list`: the line of the next one that stands below `line`; 0: none does. */
static int next_line(lua_State *lua, int list, int count, int line)
{
    int next = 0;
    for (int i = 1; i <= count; i++, lua_pop(lua, 1)) {
        enum rule_test_word word;
        int at;
        lua_rawgeti(lua, list, i);
        if (lua_type(lua, -1) == LUA_TTABLE && rule_test_words_read(lua, -1, &word, &at) &&
            at > line && (next == 0 || at < next))
            next = at;
    }
    return next;
}

static void run_word(struct rule_test_case *test, enum rule_test_word word)
{
    if (word != RULE_TEST_SEQUENCE && lua_rawlen(test->reader.lua, test->items) > 0)
        rule_test_case_fault(test, "", "only the name stands without a key here: key = value");
    switch (word) {
    case RULE_TEST_EXAMPLE:
        rule_test_fee_example(test);
        break;
    case RULE_TEST_PROPERTY:
        rule_test_fee_property(test);
        break;
    case RULE_TEST_SEQUENCE:
        rule_test_limit_sequence(test);
        break;
    case RULE_TEST_SALE:
        rule_test_sale_run(test);
        break;
    }
}

static int column_of(struct slice source)
{
    size_t at = 0;
    while (at < source.length && (source.at[at] == ' ' || source.at[at] == '\t'))
        at++;
    return (int)at + 1;
}

/* Findings were told by the lines of the test alone, and without its name. */
static void place_findings(const struct rule_test_case *test, size_t from, int line)
{
    struct bundle_report *report = test->reader.report;
    for (size_t i = from; i < report->count; i++) {
        struct bundle_finding *finding = &report->findings[i];
        char message[sizeof finding->message];
        memcpy(message, finding->message, sizeof message);
        finding->column = finding->line > 0 ? finding->column : column_of(test->reader.source);
        finding->line = finding->line > 0 ? finding->line + line - 1 : line;
        snprintf(finding->message, sizeof finding->message, "'%.60s': %.130s", test->name, message);
    }
}

/* Lua's stack, at the top: the test. */
static void run_test(struct run *run, enum rule_test_word word, int line, int until)
{
    lua_State *lua = sandbox_lua(run->sandbox);
    struct bundle_report *report = &run->result->report;
    struct rule_test_case test = {
        .reader = {.file = run->file,
                   .source = lines_from(run->source, line, until),
                   .report = report,
                   .lua = lua},
        .sandbox = run->sandbox,
        .bundle = run->bundle,
        .coverage = run->coverage,
        .arena = &run->arena,
    };
    size_t before = report->count;
    int top = lua_gettop(lua);
    rule_reader_push(&test.reader, top, "name");
    snprintf(test.name, sizeof test.name, "%s",
             lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "?");
    test.from = top + 2;
    test.items = top + 3;
    if (rule_reader_push(&test.reader, top, "from") != LUA_TTABLE ||
        rule_reader_push(&test.reader, top, "items") != LUA_TTABLE) {
        rule_test_case_fault(&test, "", "it was changed after it was made");
    } else {
        run_word(&test, word);
        arena_release(&run->arena);
        arena_init(&run->arena);
    }
    place_findings(&test, before, line);
    lua_settop(lua, top);
    run->result->failed += test.reader.wrong;
    run->result->passed += !test.reader.wrong;
}

static void fault(struct run *run, int line, const char *message)
{
    run->result->good = false;
    bundle_report_add(&run->result->report, run->file, line, line > 0, "%s", message);
}

/* The tests' list is at the top of the stack. */
static void run_list(struct run *run)
{
    lua_State *lua = sandbox_lua(run->sandbox);
    int list = lua_gettop(lua);
    int count = (int)lua_rawlen(lua, list);
    if (count == 0 || count > TESTS_MAX)
        fault(run, 1, count == 0 ? "tests { } holds no test" : "more than 1000 tests in one file");
    for (int i = 1; i <= count && count <= TESTS_MAX; i++, lua_pop(lua, 1)) {
        enum rule_test_word word;
        int line;
        lua_rawgeti(lua, list, i);
        if (lua_type(lua, -1) != LUA_TTABLE || !rule_test_words_read(lua, -1, &word, &line))
            fault(run, 1,
                  "tests { } holds example { }, property { }, sequence { } and sale { }, "
                  "nothing else");
        else
            run_test(run, word, line, next_line(lua, list, count, line));
    }
}

/* Lua's stack: the chunk, a light userdata with the struct run. */
static int run_protected(lua_State *lua)
{
    struct run *run = lua_touserdata(lua, 2);
    lua_settop(lua, 1);
    vocabulary_open(lua);
    rule_test_words_open(lua);
    lua_call(lua, 0, 1);
    if (rule_test_words_is_tests(lua, -1))
        run_list(run);
    else
        fault(run, 1, "the file must end in: return tests { ... }");
    return 0;
}

static void run_source(struct run *run)
{
    struct sandbox_fault wrong;
    arena_init(&run->arena);
    run->sandbox = sandbox_new();
    if (run->sandbox == NULL) {
        fault(run, 0, "out of memory");
        return;
    }
    lua_State *lua = sandbox_lua(run->sandbox);
    lua_pushcfunction(lua, run_protected);
    bool good = sandbox_load(run->sandbox, run->source, &wrong);
    if (good) {
        sandbox_budget(run->sandbox, RULE_READER_INSTRUCTIONS);
        lua_pushlightuserdata(lua, run);
        good = sandbox_call(run->sandbox, 2, 0, &wrong);
    }
    if (!good)
        fault(run, wrong.line, wrong.message);
    sandbox_free(run->sandbox);
    arena_release(&run->arena);
}

static int is_tests(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t tail = strlen(TAIL);
    return entry->d_name[0] != '.' && length > tail &&
           strcasecmp(entry->d_name + length - tail, TAIL) == 0;
}

/* Whose tests they are. */
static void check_subject(int directory, struct run *run)
{
    char subject[BUNDLE_PATH_MAX];
    char message[120 + BUNDLE_NAME_MAX];
    snprintf(subject, sizeof subject, "%.*s.lua", (int)(strlen(run->file) - strlen(TAIL)),
             run->file);
    snprintf(message, sizeof message, "there is no %.*s beside it, which it tests", BUNDLE_NAME_MAX,
             subject);
    if (faccessat(directory, subject, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        fault(run, 0, message);
}

static void run_file(int directory, struct run *run)
{
    char text[BUNDLE_FILE_SIZE_MAX + 1];
    size_t before = run->result->report.count;
    ssize_t length = bundle_read_file(directory, run->file, text, &run->result->report);
    run->result->files++;
    check_subject(directory, run);
    run->source = (struct slice){text, length < 0 ? 0 : (size_t)length};
    if (length >= 0)
        run_source(run);
    run->source = (struct slice){NULL, 0};
    if (run->result->report.count > before)
        run->result->good = false;
}

void rule_test_run(const char *directory, const struct bundle *bundle,
                   struct rule_coverage *coverage, struct rule_test_result *result)
{
    struct dirent **entries = NULL;
    struct run run = {.bundle = bundle, .coverage = coverage, .result = result};
    *result = (struct rule_test_result){.good = true};
    int count = scandir(directory, &entries, is_tests, alphasort);
    DIR *folder = count < 0 ? NULL : opendir(directory);
    if (folder == NULL) {
        run.file = directory;
        fault(&run, 0, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        run.file = entries[i]->d_name;
        if (folder != NULL)
            run_file(dirfd(folder), &run);
        free(entries[i]);
    }
    free(entries);
    if (folder != NULL)
        closedir(folder);
    result->good = result->good && result->failed == 0;
}
