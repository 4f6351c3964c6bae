#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "store/cache_entry.h"
#include "store/wallets.h"

static const uint8_t key[16] = {1, 2, 3};
static const struct cache_seal seal = {key, 5};
static const struct uuid mine = {{0x11}}, other = {{0x22}}, owner = {{0x33}};

static struct bytes out;

static int start(void **state)
{
    (void)state;
    bytes_init(&out, NULL);
    return crypto_start() ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    bytes_release(&out);
    return 0;
}

static void add_balance(const struct wallet *wallet, uint64_t revision)
{
    bytes_clear(&out);
    cache_entry_add_balance_head(&out, &seal, wallet, revision);
    assert_int_equal(out.length, CACHE_ENTRY_BALANCE_HEAD);
    cache_entry_add_balance_rest(&out, &seal, wallet);
    assert_false(out.failed);
}

static struct wallets_transaction line_of(int64_t version)
{
    return (struct wallets_transaction){
        .id = {{(uint8_t)version}},
        .kind = 2,
        .from = mine,
        .to = other,
        .amount = 100,
        .fee = 3,
        .currency = 710,
        .note = version % 2 == 0 ? SLICE("lunch") : (struct slice){NULL, 0},
        .reference = version % 3 == 0 ? SLICE("") : (struct slice){NULL, 0},
        .created_at = 1700000000000000 + version,
        .change = -103,
        .version = version,
        .posted_after = INT64_C(9007199254740991) - version,
        .held_after = version,
    };
}

static void add_page(int64_t version)
{
    const struct cache_page page = {mine, owner, version};
    bytes_clear(&out);
    cache_entry_add_page_head(&out, &seal, &page, 77);
    assert_int_equal(out.length, CACHE_ENTRY_PAGE_HEAD);
    for (size_t i = 0; i < cache_entry_lines(version); i++) {
        struct wallets_transaction line = line_of(version - (int64_t)i);
        cache_entry_add_line(&out, &seal, &mine, &line);
    }
    assert_false(out.failed);
}

static bool read_page_as(struct slice entry, const struct cache_seal *by, struct uuid wallet)
{
    struct wallets_transaction lines[CACHE_ENTRY_LINES];
    struct cache_page page = {.wallet = wallet};
    uint64_t revision;
    return cache_entry_read_page(entry, by, &page, &revision, lines);
}

static bool read_balance_as(struct slice entry, const struct cache_seal *by, struct uuid wallet)
{
    struct wallet read = {.id = wallet};
    uint64_t revision;
    return cache_entry_read_balance(entry, by, &read, &revision);
}

static const struct wallet sample = {
    .id = {{0x11}},
    .owner = {{0x33}},
    .label = SLICE("Main"),
    .currency = 710,
    .status = 2,
    .zone = 300,
    .posted = -5,
    .held = INT64_C(9007199254740991),
    .version = 300,
    .created_at = 1700000000000001,
};

static void test_a_balance_there_and_back(void **state)
{
    struct wallet read = {.id = mine};
    uint64_t revision;
    (void)state;
    add_balance(&sample, UINT64_C(1) << 51);
    assert_true(cache_entry_read_balance(bytes_view(&out), &seal, &read, &revision));
    assert_true(revision == UINT64_C(1) << 51);
    assert_true(uuid_equal(&read.owner, &sample.owner));
    assert_true(slice_equals(read.label, "Main"));
    assert_int_equal(read.currency, 710);
    assert_int_equal(read.status, 2);
    assert_int_equal(read.zone, 300);
    assert_int_equal(read.posted, -5);
    assert_int_equal(read.held, sample.held);
    assert_int_equal(read.version, 300);
    assert_int_equal(read.created_at, sample.created_at);
}

static void test_a_page_there_and_back(void **state)
{
    static const int64_t versions[] = {0, 1, 20, 21, 22, 250};
    struct wallets_transaction lines[CACHE_ENTRY_LINES];
    (void)state;
    for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
        struct cache_page page = {.wallet = mine};
        uint64_t revision;
        add_page(versions[v]);
        assert_true(cache_entry_read_page(bytes_view(&out), &seal, &page, &revision, lines));
        assert_int_equal(page.version, versions[v]);
        assert_true(uuid_equal(&page.owner, &owner));
        assert_int_equal(revision, 77);
        for (size_t i = 0; i < cache_entry_lines(versions[v]); i++) {
            struct wallets_transaction line = line_of(versions[v] - (int64_t)i);
            assert_true(slice_equal(lines[i].note, line.note));
            assert_int_equal(lines[i].note.at == NULL, line.note.at == NULL);
            assert_int_equal(lines[i].reference.at == NULL, line.reference.at == NULL);
            lines[i].note = line.note;
            lines[i].reference = line.reference;
            assert_memory_equal(&lines[i], &line, sizeof line);
        }
    }
}

/* Each byte another one, each shorter length, one byte more: nothing of it is an entry. */
static void expect_nothing_else(bool (*read)(struct slice, const struct cache_seal *, struct uuid))
{
    const struct cache_seal later = {key, 6};
    const uint8_t foreign[16] = {9};
    const struct cache_seal stranger = {foreign, 5};
    struct slice entry = bytes_view(&out);
    assert_true(read(entry, &seal, mine));
    assert_false(read(entry, &later, mine));
    assert_false(read(entry, &stranger, mine));
    assert_false(read(entry, &seal, other));
    for (size_t i = 0; i < entry.length; i++) {
        out.at[i] ^= 1;
        assert_false(read(entry, &seal, mine));
        out.at[i] ^= 1;
        char *cut = malloc(i == 0 ? 1 : i); /* of its own: reading past it is seen */
        memcpy(cut, entry.at, i);
        assert_false(read((struct slice){cut, i}, &seal, mine));
        free(cut);
    }
    assert_false(read((struct slice){NULL, 0}, &seal, mine));
    bytes_add_char(&out, 'x');
    assert_false(read(bytes_view(&out), &seal, mine));
}

static void test_nothing_else_is_a_balance(void **state)
{
    (void)state;
    add_balance(&sample, 1);
    expect_nothing_else(read_balance_as);
}

static void test_nothing_else_is_a_page(void **state)
{
    (void)state;
    add_page(4);
    expect_nothing_else(read_page_as);
}

/* Pieces of ours, each signed, put together wrongly. */
static void test_lines_in_disorder(void **state)
{
    struct wallets_transaction lines[] = {line_of(3), line_of(2), line_of(1), line_of(2)};
    const struct cache_page page = {mine, owner, 3};
    static const size_t wrong[][3] = {{1, 0, 2}, {0, 2, 1}, {0, 1, 3}, {1, 1, 2}};
    (void)state;
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        bytes_clear(&out);
        cache_entry_add_page_head(&out, &seal, &page, 1);
        for (size_t i = 0; i < 3; i++)
            cache_entry_add_line(&out, &seal, &mine, &lines[wrong[w][i]]);
        assert_false(read_page_as(bytes_view(&out), &seal, mine));
    }
    add_balance(&sample, 1);
    assert_false(read_page_as(bytes_view(&out), &seal, mine));
    add_page(2);
    assert_false(read_balance_as(bytes_view(&out), &seal, mine));
}

static void test_texts_too_long(void **state)
{
    static char text[70000];
    struct wallets_transaction line = line_of(1);
    (void)state;
    memset(text, 'x', sizeof text);
    bytes_clear(&out);
    line.note = (struct slice){text, 560}; /* the longest note and reference: four bytes each */
    line.reference = (struct slice){text, 256};
    cache_entry_add_line(&out, &seal, &mine, &line);
    assert_false(out.failed);
    static const size_t too_long[] = {2000, 65535, 70000};
    for (size_t i = 0; i < 3; i++) {
        bytes_clear(&out);
        line.note.length = too_long[i];
        cache_entry_add_line(&out, &seal, &mine, &line);
        assert_true(out.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_balance_there_and_back, start, stop),
        cmocka_unit_test_setup_teardown(test_a_page_there_and_back, start, stop),
        cmocka_unit_test_setup_teardown(test_nothing_else_is_a_balance, start, stop),
        cmocka_unit_test_setup_teardown(test_nothing_else_is_a_page, start, stop),
        cmocka_unit_test_setup_teardown(test_lines_in_disorder, start, stop),
        cmocka_unit_test_setup_teardown(test_texts_too_long, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
