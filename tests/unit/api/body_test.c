/* Bodies: what is read is what was written, in whatever order and layout; the hash is equal exactly
 * when the fields are; every fault is told at its field. */
#include "api/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../base/chance.h"
#include "asked.h"
#include "base/memory.h"

enum { FIELDS = 7 };

struct order {
    struct slice note;
    struct slice secret;
    struct slice phone;
    int64_t amount;
    currency currency;
    struct uuid wallet;
    struct body_recipient to;
};

static const struct body_field fields[] = {
    {"note", BODY_TEXT, false, offsetof(struct order, note), 1, 8},
    {"secret", BODY_SECRET, true, offsetof(struct order, secret), 2, 8},
    {"phone", BODY_PHONE, true, offsetof(struct order, phone), 0, 0},
    {"amount", BODY_AMOUNT, true, offsetof(struct order, amount), 0, 0},
    {"currency", BODY_CURRENCY, true, offsetof(struct order, currency), 0, 0},
    {"wallet", BODY_WALLET, true, offsetof(struct order, wallet), 0, 0},
    {"to", BODY_RECIPIENT, true, offsetof(struct order, to), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct chance chance = {20261201};

/* Three values of each field, as JSON; each differs from the others. */
static const char *const values[FIELDS][3] = {
    {"\"rent\"", "\"r\\u00e9nt\"", "null"},
    {"\"hush\"", "\"hush2\"", "\"  \""},
    {"\"+27821234567\"", "\"+27821234568\"", "\"+12345678\""},
    {"1", "9007199254740991", "10000"},
    {"\"ZAR\"", "\"USD\"", "\"EUR\""},
    {"\"wal_01jb0000000000000000000000\"", "\"wal_01jb0000000000000000000001\"",
     "\"wal_01JB0000000000000000000002\""},
    {"\"wal_01jb0000000000000000000000\"", "{\"phone\":\"+27821234567\"}",
     "{ \"phone\" :\"+27821234568\" }"},
};

static void add_gap(struct bytes *text)
{
    static const char *const gaps[] = {"", " ", "\n\t", "\r\n  "};
    bytes_add_text(text, gaps[chance_below(&chance, 4)]);
}

/* The fields' chosen values in a random order, with random white space. */
static void write_body(struct bytes *text, const int choice[FIELDS])
{
    int order[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        int at = (int)chance_below(&chance, (uint64_t)i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    bytes_clear(text);
    add_gap(text);
    bytes_add_char(text, '{');
    for (int i = 0; i < FIELDS; i++) {
        add_gap(text);
        bytes_printf(text, "\"%s\"", fields[order[i]].name);
        add_gap(text);
        bytes_add_char(text, ':');
        add_gap(text);
        bytes_add_text(text, values[order[i]][choice[order[i]]]);
        add_gap(text);
        if (i < FIELDS - 1)
            bytes_add_char(text, ',');
    }
    bytes_add_char(text, '}');
    add_gap(text);
    bytes_add_char(text, '\0');
}

static void hash_of(const int choice[FIELDS], const char *path, uint8_t hash[32])
{
    struct asked asked;
    struct order order = {.note = {NULL, 0}};
    struct bytes text;
    bytes_init(&text, NULL);
    write_body(&text, choice);
    asked_start(&asked, path, text.at);
    if (!body_read(&asked.call, fields, &order))
        fail_msg("refused: %s", text.at);
    static const int64_t amounts[] = {1, INT64_C(9007199254740991), 10000};
    assert_int_equal(order.amount, amounts[choice[3]]);
    assert_true((order.note.at == NULL) == (choice[0] == 2));
    assert_true((order.to.phone.at == NULL) == (choice[6] == 0));
    body_hash(&asked.call, fields, &order, hash);
    asked_end(&asked);
    bytes_release(&text);
}

static void test_hash_is_equal_when_the_fields_are(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        uint8_t hash[3][32];
        int choice[2][FIELDS];
        bool differs = false;
        for (int i = 0; i < FIELDS; i++) {
            choice[0][i] = (int)chance_below(&chance, 3);
            choice[1][i] =
                chance_below(&chance, 5) == 0 ? (int)chance_below(&chance, 3) : choice[0][i];
            /* what is secret leaves no trace in what is stored */
            differs = differs || (choice[0][i] != choice[1][i] && i != 1);
        }
        hash_of(choice[0], "/v1/transfers", hash[0]);
        hash_of(choice[1], "/v1/transfers", hash[1]);
        hash_of(choice[0], "/v1/deposits", hash[2]);
        assert_int_equal(memcmp(hash[0], hash[1], 32) != 0, differs);
        assert_memory_not_equal(hash[0], hash[2], 32);
    }
}

/* A request without a token is the one that it was before anybody knew of the field; one that
 * brings it is another. */
static void test_an_absent_token_leaves_the_hash_alone(void **state)
{
    struct brought {
        int64_t amount;
        struct slice token;
    };
    static const struct body_field with[] = {
        {"amount", BODY_AMOUNT, true, offsetof(struct brought, amount), 0, 0},
        {"token", BODY_TOKEN, false, offsetof(struct brought, token), 1, 8},
        {NULL, BODY_TEXT, false, 0, 0, 0}};
    static const struct body_field without[] = {
        {"amount", BODY_AMOUNT, true, offsetof(struct brought, amount), 0, 0},
        {NULL, BODY_TEXT, false, 0, 0, 0}};
    static const char *const bodies[] = {
        "{\"amount\":1}", "{\"amount\":1}", "{\"amount\":1,\"token\":null}",
        "{\"amount\":1,\"token\":\"a\"}", "{\"amount\":1,\"token\":\"b\"}"};
    uint8_t hashes[5][32];
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct asked asked;
        struct brought brought = {0};
        const struct body_field *known = i == 0 ? without : with;
        asked_start(&asked, "/v1/transfers", bodies[i]);
        assert_true(body_read(&asked.call, known, &brought));
        body_hash(&asked.call, known, &brought, hashes[i]);
        asked_end(&asked);
    }
    assert_memory_equal(hashes[0], hashes[1], 32);
    assert_memory_equal(hashes[0], hashes[2], 32);
    assert_memory_not_equal(hashes[0], hashes[3], 32);
    assert_memory_not_equal(hashes[3], hashes[4], 32);
}

/* One member made wrong: told at its field, and at no other. */
static const struct {
    int field;
    const char *value;
    const char *code;
} wrong[] = {
    {0, "\"\"", "format"},
    {0, "\"123456789\"", "format"},
    {0, "\"a\\nb\"", "format"},
    {0, "\"\\u007f\"", "format"},
    {0, "7", "type"},
    {1, "\"x\"", "format"},
    {1, "null", "type"},
    {2, "\"27821234567\"", "format"},
    {2, "\"+0821234567\"", "format"},
    {2, "\"+1234567\"", "format"},
    {2, "\"+1234567890123456\"", "format"},
    {2, "\"+2782123456x\"", "format"},
    {2, "27821234567", "type"},
    {3, "0", "range"},
    {3, "-1", "range"},
    {3, "9007199254740992", "range"},
    {3, "9223372036854775807", "range"},
    {3, "9223372036854775808", "type"},
    {3, "1.0", "type"},
    {3, "1e2", "type"},
    {3, "-0", "type"},
    {3, "\"1\"", "type"},
    {3, "true", "type"},
    {3, "[1]", "type"},
    {4, "\"zar\"", "format"},
    {4, "\"ZARR\"", "format"},
    {4, "710", "type"},
    {5, "\"usr_01jb0000000000000000000000\"", "format"},
    {5, "\"wal_01jb000000000000000000000\"", "format"},
    {5, "{}", "type"},
    {6, "\"+27821234567\"", "format"},
    {6, "{}", "format"},
    {6, "{\"phone\":\"+27821234567\",\"x\":1}", "format"},
    {6, "{\"phone\":1}", "type"},
    {6, "[]", "type"},
};

static void expect_fault(const char *body, const char *pointer, const char *code)
{
    struct asked asked;
    struct order order = {.note = {NULL, 0}};
    asked_start(&asked, "/v1/transfers", body);
    assert_false(body_read(&asked.call, fields, &order));
    const struct problem *problem = &asked.call.problem;
    assert_true(asked.call.refused);
    assert_int_equal(problem->code, PROBLEM_INVALID_REQUEST);
    if (problem->field_count != 1 || !slice_equals(problem->fields[0].pointer, pointer) ||
        strcmp(problem->fields[0].code, code) != 0)
        fail_msg("%s: expected %s at %s, got %zu: %s at %.*s", body, code, pointer,
                 problem->field_count, problem->fields[0].code,
                 (int)problem->fields[0].pointer.length, problem->fields[0].pointer.at);
    asked_end(&asked);
}

/* All fields right, but for `field`, which has `value`, or is left out when that is NULL. */
static void write_wrong(struct bytes *text, int field, const char *value, const char *more)
{
    bytes_clear(text);
    bytes_add_char(text, '{');
    for (int i = 0; i < FIELDS; i++)
        if (i != field || value != NULL)
            bytes_printf(text, "\"%s\":%s,", fields[i].name, i == field ? value : values[i][0]);
    bytes_printf(text, "%s}", more);
    if (more[0] == '\0') { /* no comma before the end */
        text->length -= 2;
        bytes_add_char(text, '}');
    }
    bytes_add_char(text, '\0');
}

static void test_faults_are_told_at_their_field(void **state)
{
    struct bytes text;
    char pointer[32];
    (void)state;
    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(pointer, sizeof pointer, "/%s", fields[wrong[i].field].name);
        write_wrong(&text, wrong[i].field, wrong[i].value, "");
        expect_fault(text.at, pointer, wrong[i].code);
    }
    for (int i = 1; i < FIELDS; i++) { /* the first one is optional */
        snprintf(pointer, sizeof pointer, "/%s", fields[i].name);
        write_wrong(&text, i, NULL, "");
        expect_fault(text.at, pointer, "required");
    }
    write_wrong(&text, -1, NULL, "\"Note\":1");
    expect_fault(text.at, "/Note", "unknown");
    write_wrong(&text, -1, NULL, "\"\":1");
    expect_fault(text.at, "/", "unknown");
    write_wrong(&text, -1, NULL, "\"a/b~c\":1");
    expect_fault(text.at, "/a~1b~0c", "unknown");
    expect_fault("[]", "", "type");
    bytes_release(&text);
}

/* ---- lists of objects */

struct list {
    struct body_objects items;
    int64_t amount; /* beside it */
};

static const struct body_field list_fields[] = {
    {"items", BODY_OBJECTS, true, offsetof(struct list, items), 1, 3},
    {"amount", BODY_AMOUNT, false, offsetof(struct list, amount), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static const struct body_field item_fields[] = {
    {"amount", BODY_AMOUNT, true, offsetof(struct order, amount), 0, 0},
    {"note", BODY_TEXT, false, offsetof(struct order, note), 1, 8},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

/* `pointer`: NULL when it's good. */
static void read_list(const char *text, const char *pointer, uint8_t hash[32])
{
    struct asked asked;
    struct list list = {.items = {.fields = item_fields, .size = sizeof(struct order)}};
    asked_start(&asked, "/", text);
    bool good = body_read(&asked.call, list_fields, &list);
    assert_int_equal(good, pointer == NULL);
    if (good) {
        const struct order *orders = list.items.at;
        for (size_t i = 0; i < list.items.count; i++)
            assert_int_equal(orders[i].amount, i + 1);
        body_hash(&asked.call, list_fields, &list, hash);
    } else {
        assert_true(slice_equals(asked.call.problem.fields[0].pointer, pointer));
    }
    asked_end(&asked);
}

static void test_lists_of_objects(void **state)
{
    static const char *const good[] = {
        "{\"items\":[{\"amount\":1}]}", "{\"items\":[{\"amount\":1,\"note\":\"a\"}]}",
        "{\"items\":[{\"amount\":1},{\"amount\":2}]}",
        "{\"items\":[{\"amount\":1},{\"amount\":2,\"note\":\"a\"}]}",
        "{\"items\":[{\"amount\":1,\"note\":\"a\"},{\"amount\":2}],\"amount\":7}"};
    static const struct {
        const char *text;
        const char *pointer;
    } bad[] = {
        {"{\"items\":[]}", "/items"},
        {"{\"items\":{}}", "/items"},
        {"{\"items\":[1]}", "/items/0"},
        {"{\"items\":[{\"amount\":1},{\"amount\":0}]}", "/items/1/amount"},
        {"{\"items\":[{\"amount\":1},{\"amount\":2},{}]}", "/items/2/amount"},
        {"{\"items\":[{\"amount\":1,\"a/b\":0}]}", "/items/0/a~1b"},
        {"{\"items\":[{\"amount\":1},{\"amount\":2},{\"amount\":3},{\"amount\":4}]}", "/items"},
        {"{\"items\":[{\"amount\":1}],\"amount\":0}", "/amount"}, /* outside again */
    };
    enum { GOOD = sizeof good / sizeof good[0] };
    uint8_t hashes[GOOD][32];
    uint8_t again[32];
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        read_list(good[i], NULL, hashes[i]);
        read_list(good[i], NULL, again);
        assert_memory_equal(hashes[i], again, 32);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(hashes[i], hashes[k], 32);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        read_list(bad[i].text, bad[i].pointer, again);
}

static void test_many_faults_are_told_up_to_a_bound(void **state)
{
    struct asked asked;
    struct order order;
    (void)state;
    asked_start(&asked, "/v1/transfers", "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1}");
    assert_false(body_read(&asked.call, fields, &order));
    assert_int_equal(asked.call.problem.field_count, PROBLEM_FIELDS_MAX);
    asked_end(&asked);
}

static void test_content_types(void **state)
{
    static const struct {
        const char *type;
        bool good;
    } types[] = {
        {"application/json", true},
        {"APPLICATION/JSON", true},
        {"application/json;charset=utf-8", true},
        {"application/json ; charset=UTF-8", true},
        {"application/json;charset=utf-16", false},
        {"application/json+x", false},
        {"application/jso", false},
        {"text/json", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct asked asked;
        struct order order = {.note = {NULL, 0}};
        asked_start(&asked, "/", "{}");
        asked.request.content_type = slice_of(types[i].type);
        assert_false(body_read(&asked.call, fields, &order));
        assert_int_equal(asked.call.problem.code,
                         types[i].good ? PROBLEM_INVALID_REQUEST : PROBLEM_UNSUPPORTED_MEDIA_TYPE);
        asked_end(&asked);
    }
}

static void test_characters(void **state)
{
    (void)state;
    assert_int_equal(body_characters(SLICE("")), 0);
    assert_int_equal(body_characters(SLICE("r\xc3\xa9nt\xe2\x82\xac\xf0\x9f\x92\xb0")), 6);
    assert_int_equal(body_characters(SLICE("a\x1f")), -1);
    assert_int_equal(body_characters(SLICE("\x7f")), -1);
}

/* The n-th allocation fails: the body is read all the same or refused with 503, never with a lie
 * about the body; a hash that can't be computed equals nothing. */
static void test_memory_runs_out(void **state)
{
    struct bytes text;
    const int choice[FIELDS] = {0};
    bool good = false;
    long n = 0;
    (void)state;
    bytes_init(&text, NULL);
    write_body(&text, choice);
    for (; !good; n++) {
        struct asked asked;
        struct order order = {.note = {NULL, 0}};
        uint8_t hash[32];
        asked_start(&asked, "/", text.at);
        /* the block that the body lies in is used up first */
        memory_fail_after(0);
        while (arena_alloc(&asked.request.arena, 64) != NULL)
            ;
        memory_fail_after(n);
        bool read = body_read(&asked.call, fields, &order);
        if (read)
            body_hash(&asked.call, fields, &order, hash);
        good = !memory_failed();
        memory_fail_never();
        if (!read)
            assert_int_equal(asked.call.problem.code, PROBLEM_OVERLOADED);
        assert_true(read || !good);
        asked_end(&asked);
    }
    assert_true(n > 1);
    bytes_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_equal_when_the_fields_are),
        cmocka_unit_test(test_an_absent_token_leaves_the_hash_alone),
        cmocka_unit_test(test_faults_are_told_at_their_field),
        cmocka_unit_test(test_lists_of_objects),
        cmocka_unit_test(test_many_faults_are_told_up_to_a_bound),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
