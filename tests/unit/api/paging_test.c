/* Lists: limit and after as they may be, pages that end where they say. */
#include "api/paging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "asked.h"

static const char *read_colour(struct call *call, struct slice value)
{
    (void)call;
    return slice_equals(value, "a red") ? NULL : "must be a red";
}

static const struct paging_filter filters[] = {{"colour", "?colour", read_colour},
                                               {NULL, NULL, NULL}};

static bool reads(const char *query, const struct paging_filter *table, struct paging *page,
                  char pointer[16])
{
    struct asked asked;
    asked_start(&asked, "/", NULL);
    asked.request.query = slice_of(query);
    bool good = paging_read(&asked.call, page, table);
    pointer[0] = '\0';
    if (!good) {
        struct slice at = asked.call.problem.fields[0].pointer;
        assert_int_equal(asked.call.problem.code, PROBLEM_INVALID_REQUEST);
        memcpy(pointer, at.at, at.length);
        pointer[at.length] = '\0';
    }
    asked_end(&asked);
    return good;
}

static void test_queries(void **state)
{
    static const struct {
        const char *query;
        const char *pointer; /* of the fault; NULL: none */
        int limit;
    } queries[] = {
        {"", NULL, 20},
        {"limit=1", NULL, 1},
        {"limit=100", NULL, 100},
        {"l%69mit=7", NULL, 7},
        {"colour=a%20red&limit=3", NULL, 3},
        {"limit=0", "?limit", 0},
        {"limit=101", "?limit", 0},
        {"limit=", "?limit", 0},
        {"limit", "?limit", 0},
        {"limit=1.0", "?limit", 0},
        {"limit=+1", "?limit", 0},
        {"limit=99999999999999999999", "?limit", 0},
        {"limit=1&limit=1", "?limit", 0},
        {"colour=blue", "?colour", 0},
        {"colour=a%20red&colour=a%20red", "?colour", 0},
        {"after=x", "?after", 0},
        {"after=x&after=x", "?after", 0},
        {"Limit=1", "?", 0},
        {"x=1", "?", 0},
        {"limit=%1", "?", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct paging page = {.after = {.list = CURSOR_WALLETS}};
        char pointer[16];
        bool good = reads(queries[i].query, filters, &page, pointer);
        if (good != (queries[i].pointer == NULL) ||
            (!good && strcmp(pointer, queries[i].pointer) != 0) ||
            (good && page.limit != queries[i].limit))
            fail_msg("%s: %d %s %d", queries[i].query, good, pointer, page.limit);
        assert_true(!good || paging_before(&page) == NULL);
    }
    struct paging page = {.after = {.list = CURSOR_WALLETS}};
    char pointer[16];
    assert_false(reads("colour=a%20red", NULL, &page, pointer));
}

/* A list of numbers, read page by page through its own cursors: each once, in order. */
static void test_pages(void **state)
{
    (void)state;
    for (int total = 0; total <= 9; total++) {
        char query[80] = "limit=3";
        int64_t before = 100;
        int seen = 0;
        bool more = true;
        while (more) {
            struct asked asked;
            struct paging page = {.after = {.list = CURSOR_STATEMENT, .scope = {{9}}}};
            struct uuid last = {{0}};
            asked_start(&asked, "/", NULL);
            asked.request.query = slice_of(query);
            assert_true(paging_read(&asked.call, &page, NULL));
            if (paging_before(&page) != NULL)
                before = cursor_number(paging_before(&page));
            /* the numbers are total .. 1; read as a store does, one more than asked for */
            int64_t first = before > total ? total : before - 1;
            size_t count = first > 4 ? 4 : (size_t)first;
            struct json_writer *writer = paging_begin(&asked.call, &page);
            for (size_t i = 0; i < paging_count(&page, count); i++) {
                json_write_int(writer, first - (int64_t)i);
                last = cursor_position(first - (int64_t)i);
                seen++;
            }
            paging_end(&asked.call, &page, count, &last);
            assert_false(page.body.failed);
            struct json_error error;
            const struct json *answer =
                json_parse(bytes_view(&page.body), &asked.request.arena, &error);
            assert_non_null(answer);
            assert_int_equal(json_count(json_member(answer, "data")), paging_count(&page, count));
            const struct json *next = json_member(answer, "next");
            more = json_kind(next) == JSON_STRING;
            if (more)
                snprintf(query, sizeof query, "limit=3&after=%.*s", (int)json_string(next).length,
                         json_string(next).at);
            asked_end(&asked);
        }
        assert_int_equal(seen, total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
