/* The catalogue, and problems as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"
#include "tests/unit/base/dies.h"
#include "tests/unit/http/pair.h"

static void test_the_catalogue_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        const char *name = problem_name(code);
        assert_true(problem_status(code) >= 400 && problem_status(code) < 600);
        assert_true(strlen(problem_title(code)) > 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, problem_name((enum problem_code)k));
    }
}

static void test_the_docs_name_each(void **state)
{
    struct bytes page;
    char heading[60];
    (void)state;
    bytes_init(&page, NULL);
    problem_write_docs(&page);
    bytes_add_char(&page, '\0');
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        snprintf(heading, sizeof heading, "\n## %s\n\n%d: ", problem_name((enum problem_code)i),
                 problem_status((enum problem_code)i));
        assert_non_null(strstr(page.at, heading));
    }
    bytes_release(&page);
}

static struct arena arena;
static struct bytes body;

static const struct json *write_and_parse(const struct problem *problem)
{
    const struct uuid id = uuid_new(1700000000000000);
    struct json_error error;
    bytes_init(&body, &arena);
    problem_write(problem, &id, &body);
    assert_false(body.failed);
    return json_parse(bytes_view(&body), &arena, &error);
}

static bool says(const struct json *object, const char *member, const char *text)
{
    const struct json *value = json_member(object, member);
    return value != NULL && json_kind(value) == JSON_STRING &&
           slice_equals(json_string(value), text);
}

/* Whatever is put in comes out as JSON that says it. */
static void test_a_problem_with_everything(void **state)
{
    struct problem problem = {.code = PROBLEM_LIMIT_EXCEEDED, .detail = "a \"quoted\"\nline"};
    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < PROBLEM_FIELDS_MAX; i++)
        problem.fields[problem.field_count++] =
            (struct problem_field){SLICE("/a~1b"), "range", "1 to 2"};
    problem.extras[problem.extra_count++] = (struct problem_extra){"limit", NULL, INT64_MAX};
    problem.extras[problem.extra_count++] = (struct problem_extra){"resets_at", "tomorrow", 0};
    const struct json *json = write_and_parse(&problem);
    assert_non_null(json);
    assert_true(says(json, "type", "https://moolah.dev/problems/limit_exceeded"));
    assert_true(says(json, "title", "A limit would be exceeded"));
    assert_true(says(json, "detail", "a \"quoted\"\nline"));
    assert_true(says(json, "code", "limit_exceeded"));
    assert_int_equal(json_integer(json_member(json, "status")), 422);
    assert_memory_equal(json_string(json_member(json, "request_id")).at, "req_", 4);
    const struct json *errors = json_member(json, "errors");
    assert_int_equal(json_count(errors), PROBLEM_FIELDS_MAX);
    assert_true(says(json_element(errors, 7), "pointer", "/a~1b"));
    assert_true(says(json_element(errors, 7), "code", "range"));
    assert_true(json_integer(json_member(json, "limit")) == INT64_MAX);
    assert_true(says(json, "resets_at", "tomorrow"));
    arena_release(&arena);
}

static void test_a_problem_with_nothing(void **state)
{
    const struct problem problem = {.code = PROBLEM_NOT_FOUND};
    (void)state;
    arena_init(&arena);
    const struct json *json = write_and_parse(&problem);
    assert_true(says(json, "detail", problem_title(PROBLEM_NOT_FOUND)));
    assert_null(json_member(json, "errors"));
    arena_release(&arena);
}

static void write_too_many(void *with)
{
    const struct problem problem = {.field_count = PROBLEM_FIELDS_MAX + 1};
    const struct uuid id = {0};
    (void)with;
    bytes_init(&body, NULL);
    problem_write(&problem, &id, &body);
}

static void test_too_many_fields(void **state)
{
    (void)state;
    assert_true(dies(write_too_many, NULL));
}

static struct pair pair;

static struct request *ask(void)
{
    pair.keeps = true;
    assert_true(pair_open(&pair, &session_limits_default, 65535, false));
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    return pair.kept[--pair.kept_count];
}

static bool answers_with(const struct problem *problem, const char *header)
{
    struct request *request = ask();
    problem_answer(request, problem);
    pair_run(&pair);
    assert_int_equal(pair.answers[1].status, problem_status(problem->code));
    bytes_add_char(&pair.answers[1].headers, '\0');
    bool found = strstr(pair.answers[1].headers.at, header) != NULL;
    pair_close(&pair);
    return found;
}

static void test_when_to_come_again(void **state)
{
    const struct problem limited = {.code = PROBLEM_RATE_LIMITED};
    const struct problem later = {.code = PROBLEM_RATE_LIMITED, .retry_after_s = 90};
    const struct problem busy = {.code = PROBLEM_OVERLOADED};
    const struct problem absent = {.code = PROBLEM_NOT_FOUND};
    (void)state;
    assert_true(answers_with(&limited, "\nretry-after: 1\n"));
    assert_true(answers_with(&later, "\nretry-after: 90\n"));
    assert_true(answers_with(&busy, "\nretry-after: 1\n"));
    assert_false(answers_with(&absent, "retry-after"));
    assert_true(answers_with(&absent, "content-type: application/problem+json\n"));
}

/* Without memory the status still tells. */
static void test_no_memory(void **state)
{
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        struct request *request = ask();
        memory_fail_after(n);
        problem_answer_code(request, PROBLEM_FORBIDDEN, "no");
        failed = memory_failed();
        memory_fail_never();
        pair_run(&pair);
        assert_true(pair.answers[1].status == 403 || pair.answers[1].status == 0);
        assert_true(pair.answers[1].closed || !pair_expire(&pair, 0));
        pair_close(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_catalogue_is_sound),
        cmocka_unit_test(test_the_docs_name_each),
        cmocka_unit_test(test_a_problem_with_everything),
        cmocka_unit_test(test_a_problem_with_nothing),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_when_to_come_again),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
