#include "scripting/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/memory.h"
#include "scripting/fee_rule.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/scripting/folder.h"

static struct folder folder;
static struct bundle_report report;

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

/* A rule for one tier of one currency. */
static const char *rule(const char *id, const char *code, int tier)
{
    static char text[400];

    snprintf(text, sizeof text,
             "return fee { id = '%s', version = 1, owner = 'x', rounding = 'up', applies = { kind "
             "= 'transfer', currency = '%s', tiers = { %d } }, slabs = { { rate = pct '1' } } }\n",
             id, code, tier);
    return text;
}

static struct bundle *load(void)
{
    struct bundle *bundle = bundle_load(folder.path, &report);

    assert_int_equal(bundle == NULL, report.count > 0);
    return bundle;
}

static void expect(const char *file, const char *message)
{
    assert_null(load());
    assert_string_equal(report.findings[0].file, file);
    assert_string_equal(report.findings[0].message, message);
}

static void hash_of(uint8_t hash[32])
{
    struct bundle *bundle = load();

    assert_non_null(bundle);
    memcpy(hash, bundle_hash(bundle), 32);
    bundle_release(bundle);
}

static void test_the_rules_of_this_repository(void **state)
{
    (void)state;
    struct bundle *bundle = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);

    assert_non_null(bundle);
    assert_int_equal(bundle_rule_count(bundle), 2);
    assert_int_equal(bundle_product_count(bundle), 2);
    assert_string_equal(bundle_fee_rules(bundle)[0].file, "own.fee.lua");
    assert_string_equal(bundle_fee_rules(bundle)[1].file, "transfer.fee.lua");
    bundle_retain(bundle);
    bundle_release(bundle);
    assert_int_equal(bundle_rule_count(bundle), 2);
    bundle_release(bundle);
    bundle_release(NULL);
}

static void test_files_that_do_not_count(void **state)
{
    (void)state;
    uint8_t before[32], after[32];

    folder_put(&folder, "a.fee.lua", rule("a", "ZAR", 0));
    hash_of(before);
    folder_put(&folder, "README.md", "#");
    folder_put(&folder, ".a.fee.lua.swp", "\xff");
    folder_put(&folder, ".b.fee.lua", "nonsense");
    folder_put(&folder, "a.fee.lua~", "nonsense");
    folder_put(&folder, "a.fee.lua.bak", "nonsense");
    folder_put(&folder, "a_test.lua", "nonsense");
    folder_put(&folder, "a.fee_test.lua", "nonsense");
    assert_int_equal(mkdir(folder_file(&folder, "old"), 0700), 0);
    hash_of(after);
    assert_memory_equal(before, after, 32);
}

static void test_the_order_of_the_folder_does_not_matter(void **state)
{
    (void)state;
    static const char *const names[] = {"b.fee.lua", "a.fee.lua", "Z.fee.lua", "a-b.fee.lua"};
    uint8_t hashes[2][32];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            int n = round == 0 ? i : 3 - i;
            char id[2] = {(char)('a' + n), '\0'};

            unlink(folder_file(&folder, names[n]));
            folder_put(&folder, names[n], rule(id, "ZAR", n));
        }
        hash_of(hashes[round]);
    }
    assert_memory_equal(hashes[0], hashes[1], 32);

    struct bundle *bundle = load();

    assert_string_equal(bundle_fee_rules(bundle)[0].file, "Z.fee.lua");
    assert_string_equal(bundle_fee_rules(bundle)[3].file, "b.fee.lua");
    bundle_release(bundle);
}

/* Every byte of every file and every name is in the hash. Comments, so that all of it stays valid.
 */
static void test_every_byte_counts(void **state)
{
    (void)state;
    char text[600];
    uint8_t hashes[80][32];
    int count = 0;

    for (int at = 0; at < 64; at++) {
        memset(text, 'x', sizeof text);
        memcpy(text, "--", 2);
        text[2 + at] = 'y';
        snprintf(text + 66, sizeof text - 66, "\n%s", rule("a", "ZAR", 0));
        folder_put(&folder, "a.fee.lua", text);
        hash_of(hashes[count++]);
    }
    folder_put(&folder, "a.fee.lua", rule("a", "ZAR", 0));
    hash_of(hashes[count++]);
    assert_int_equal(unlink(folder_file(&folder, "a.fee.lua")), 0);
    folder_put(&folder, "b.fee.lua", rule("a", "ZAR", 0));
    hash_of(hashes[count++]);
    /* the same bytes, cut into files elsewhere */
    snprintf(text, sizeof text, "%s--", rule("a", "ZAR", 0));
    folder_put(&folder, "b.fee.lua", text);
    folder_put(&folder, "c.fee.lua", rule("b", "ZAR", 1));
    hash_of(hashes[count++]);
    snprintf(text, sizeof text, "--%s", rule("b", "ZAR", 1));
    folder_put(&folder, "b.fee.lua", rule("a", "ZAR", 0));
    text[2] = '\n';
    memcpy(text + 3, rule("b", "ZAR", 1), strlen(rule("b", "ZAR", 1)) + 1);
    folder_put(&folder, "c.fee.lua", text);
    hash_of(hashes[count++]);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(hashes[i], hashes[k], 32);
}

static void test_what_is_no_rule_file(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *file, *message;
    } cases[] = {
        {"a.lua", "", "a.lua",
         "unknown kind of rule file: known are *.fee.lua, *.limit.lua and *.product.lua"},
        {"a.limit.lua", "", "a.limit.lua", "the file must end in: return limit { ... }"},
        {"fee.lua", "", "fee.lua",
         "unknown kind of rule file: known are *.fee.lua, *.limit.lua and *.product.lua"},
        {"a b.fee.lua", "", "rules",
         "a file name is made of letters, digits, '.', '_' and '-', not 'a b.fee.lua'"},
        {"a\n\033[1m\xff.fee.lua", "", "rules",
         "a file name is made of letters, digits, '.', '_' and '-', not 'a??[1m?.fee.lua'"},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffff.fee.lua", "",
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffff.fee.lua",
         "the name is over 63 characters"},
        {"a.fee.lua", "\xef\xbb\xbfreturn fee {}", "a.fee.lua",
         "begins with a byte order mark: save it as UTF-8 without one"},
        {"a.fee.lua", "-- caf\xe9", "a.fee.lua", "is no text in UTF-8"},
        {"a.fee.lua", "\x1bLua", "a.fee.lua", "attempt to load a binary chunk (mode is 't')"},
        {"a.fee.lua", "", "a.fee.lua", "the file must end in: return fee { ... }"},
        {"A.FEE.LUA", "error '\\27[2J\\0\\255 caf\xc3\xa9\\n'", "A.FEE.LUA",
         "?[2J"}, /* to a terminal, as text */
        {"a.fee.lua", "error '\\27[2J\\255 caf\xc3\xa9\\n'", "a.fee.lua", "?[2J? caf\xc3\xa9?"},
    };

    expect(folder.path, "holds no rule file (*.fee.lua, *.limit.lua)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        folder_put(&folder, cases[i].name, cases[i].text);
        expect(cases[i].file, cases[i].message);
        assert_int_equal(unlink(folder_file(&folder, cases[i].name)), 0);
    }
    folder_put_bytes(&folder, "a.fee.lua", "--\0", 3);
    expect("a.fee.lua", "is no text in UTF-8");
}

static void test_special_files(void **state)
{
    (void)state;
    const char *path = folder_file(&folder, "a.fee.lua");

    assert_int_equal(symlink("/etc/passwd", path), 0);
    expect("a.fee.lua", "cannot be read: links are not followed, copy the file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: it must not wait */
    expect("a.fee.lua", "is no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect("a.fee.lua", "is no regular file");
    assert_int_equal(rmdir(path), 0);
    if (getuid() != 0) {
        folder_put(&folder, "a.fee.lua", "");
        assert_int_equal(chmod(path, 0), 0);
        expect("a.fee.lua", "cannot be read: Permission denied");
    }
    assert_null(bundle_load("/nowhere/at/all", &report));
    assert_string_equal(report.findings[0].file, "/nowhere/at/all");
    assert_string_equal(report.findings[0].message, "cannot be read: No such file or directory");
}

static void test_sizes(void **state)
{
    (void)state;
    char *large = malloc(BUNDLE_FILE_SIZE_MAX + 1);
    char name[40];
    uint8_t hash[32];

    memset(large, ' ', BUNDLE_FILE_SIZE_MAX + 1);
    memcpy(large, rule("a", "ZAR", 0), strlen(rule("a", "ZAR", 0)));
    folder_put_bytes(&folder, "a.fee.lua", large, BUNDLE_FILE_SIZE_MAX);
    hash_of(hash);
    folder_put_bytes(&folder, "a.fee.lua", large, BUNDLE_FILE_SIZE_MAX + 1);
    expect("a.fee.lua", "is over 32 KiB: rule files are small");
    for (int i = 0; i <= BUNDLE_SIZE_MAX / BUNDLE_FILE_SIZE_MAX; i++) {
        snprintf(name, sizeof name, "a%d.fee.lua", i);
        folder_put_bytes(&folder, name, large, BUNDLE_FILE_SIZE_MAX);
    }
    assert_int_equal(unlink(folder_file(&folder, "a.fee.lua")), 0);
    expect(folder.path, "holds over 4 MiB of rule files");
    free(large);
}

static void test_too_many_files(void **state)
{
    (void)state;
    for (int i = 0; i <= BUNDLE_FILES_MAX; i++) {
        char name[40];

        snprintf(name, sizeof name, "r%d.fee.lua", i);
        folder_put(&folder, name, "");
    }
    assert_null(load());
    assert_string_equal(report.findings[0].message, "more than 500 rule files");
}

/* Facts are priced by one rule at most, whatever the files are called. */
static void test_rules_that_get_in_each_others_way(void **state)
{
    (void)state;
    folder_put(&folder, "a.fee.lua", rule("a", "ZAR", 0));
    folder_put(&folder, "b.fee.lua", rule("b", "ZAR", 1));
    folder_put(&folder, "c.fee.lua", rule("ab", "USD", 0));
    bundle_release(load());
    assert_int_equal(report.count, 0);
    folder_put(&folder, "d.fee.lua", rule("d", "ZAR", 1));
    expect("d.fee.lua",
           "applies to the same movements as b.fee.lua: tell them apart by tiers or own");
    folder_put(&folder, "d.fee.lua", rule("a", "ZAR", 3));
    expect("d.fee.lua", "its id is taken by a.fee.lua");
    folder_put(&folder, "d.fee.lua", rule("a.", "ZAR", 3));
    bundle_release(load());
    assert_int_equal(report.count, 0);
}

/* The same rule, effective from one day to another of December 2026; 0: that end is open. */
static const char *dated(int version, int from, int to)
{
    static char text[500];
    char begin[40] = "";
    char end[40] = "";

    if (from > 0)
        snprintf(begin, sizeof begin, "from = '2026-12-%02d 00:00', ", from);
    if (to > 0)
        snprintf(end, sizeof end, "to = '2026-12-%02d 00:00', ", to);
    snprintf(text, sizeof text,
             "return fee { id = 'a', version = %d, owner = 'x', rounding = 'up', applies = { kind "
             "= 'transfer', currency = 'ZAR' }, slabs = { { flat = ZAR '%d' } }, effective = { %s%s"
             "zone = 'Africa/Johannesburg' } }\n",
             version, version, begin, end);
    return text;
}

static int64_t price_on(const struct bundle *bundle, int64_t at)
{
    const struct fee_facts facts = {
        .kind = "transfer", .amount = 100000, .currency = CURRENCY_ZAR, .at = at};
    struct fee_decision decision;

    fee_price(bundle, &facts, &decision);
    return decision.outcome == FEE_OK ? decision.total : -1;
}

/* One id, several versions: each has its time, to the microsecond. */
static void test_versions_follow_each_other(void **state)
{
    (void)state;
    const int64_t second = INT64_C(1796076000000000); /* 2026-12-01 00:00 in Johannesburg */
    const int64_t day = INT64_C(86400000000);

    folder_put(&folder, "a1.fee.lua", dated(1, 0, 1));
    folder_put(&folder, "a2.fee.lua", dated(2, 1, 5));
    folder_put(&folder, "a3.fee.lua", dated(3, 8, 0));

    struct bundle *bundle = load();

    assert_non_null(bundle);
    assert_int_equal(price_on(bundle, 0), 100);
    assert_int_equal(price_on(bundle, second - 1), 100);
    assert_int_equal(price_on(bundle, second), 200);
    assert_int_equal(price_on(bundle, second + 4 * day - 1), 200);
    assert_int_equal(price_on(bundle, second + 4 * day), -1); /* a gap is refused, never free */
    assert_int_equal(price_on(bundle, second + 7 * day), 300);
    assert_int_equal(price_on(bundle, INT64_MAX - 1), 300);
    bundle_release(bundle);
    folder_put(&folder, "a3.fee.lua", dated(3, 4, 0));
    expect("a3.fee.lua", "two versions effective at once, the other is a2.fee.lua: let one end "
                         "(effective.to) when the other begins");
    folder_put(&folder, "a3.fee.lua", dated(2, 8, 0));
    expect("a3.fee.lua", "a2.fee.lua has the same id and version: raise it");
    folder_put(&folder, "a3.fee.lua", rule("b", "ZAR", 0));
    assert_null(load());
    assert_int_equal(report.count, 2); /* it applies to the same movements as both others */
}

static void test_an_image_is_the_bundle_again(void **state)
{
    (void)state;
    folder_put(&folder, "a.fee.lua", rule("a", "ZAR", 0));
    folder_put(&folder, "b.fee.lua", rule("b", "ZAR", 1));

    struct bundle *bundle = load();
    struct bundle *again = bundle_from_image(bundle_image(bundle), &report);

    assert_non_null(again);
    assert_memory_equal(bundle_hash(bundle), bundle_hash(again), 32);
    assert_int_equal(bundle_rule_count(again), 2);
    assert_memory_equal(bundle_fee_rules(bundle), bundle_fee_rules(again),
                        2 * sizeof(struct fee_rule));
    bundle_release(bundle);
    assert_string_equal(bundle_fee_rules(again)[1].name, "b@1");
    bundle_release(again);
}

static void test_the_files_are_kept_whole(void **state)
{
    (void)state;
    struct arena arena;
    struct bytes out;
    struct json_error error;
    char text[600];

    snprintf(text, sizeof text, "-- \"caf\xc3\xa9\" \\ \t \x01\r\n%s", rule("a", "ZAR", 0));
    folder_put(&folder, "a.fee.lua", text);

    struct bundle *bundle = load();

    assert_non_null(bundle);
    arena_init(&arena);
    bytes_init(&out, &arena);
    bundle_write_files(bundle, &out);

    const struct json *files = json_parse(bytes_view(&out), &arena, &error);

    assert_non_null(files);
    assert_int_equal(json_count(files), 1);
    assert_true(slice_equals(json_string(json_member(files, "a.fee.lua")), text));
    arena_release(&arena);
    bundle_release(bundle);
}

static void test_a_report(void **state)
{
    (void)state;
    struct bytes out;

    bytes_init(&out, NULL);
    report.count = 0;
    bundle_report_add(&report, "a.fee.lua", 3, 7, "no %s", "good");
    bundle_report_add(&report, "b.fee.lua", 0, 0, "bad");
    bundle_report_write(&report, &out);
    bytes_add_char(&out, '\0');
    assert_string_equal(out.at, "a.fee.lua:3:7: no good\nb.fee.lua: bad\n");
    for (int i = 0; i < 40; i++) {
        assert_int_equal(bundle_report_is_full(&report), report.count == BUNDLE_FINDINGS_MAX);
        bundle_report_add(&report, "c", 0, 0, "more");
    }
    bytes_release(&out);
}

/* A message is cut to its size, never in the middle of a character, and has no control characters.
 */
static void test_messages_can_be_shown(void **state)
{
    (void)state;
    struct chance chance = {8};

    for (int i = 0; i < 20000; i++) {
        char text[260];
        size_t length = 1 + chance_below(&chance, sizeof text - 1);

        for (size_t k = 0; k < length; k++)
            text[k] = chance_below(&chance, 3) == 0 ? (char)(1 + chance_below(&chance, 255))
                                                    : "\xf0\x9f\x92\xb0"[k % 4];
        text[length - 1] = '\0';
        report.count = 0;
        bundle_report_add(&report, "x", 0, 0, "%s", text);

        struct slice message = slice_of(report.findings[0].message);

        assert_true(json_write_is_utf8(message));
        for (size_t k = 0; k < message.length; k++)
            assert_true((unsigned char)message.at[k] >= ' ' && message.at[k] != 0x7f);
    }
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;
    long n = 0;

    folder_put(&folder, "a.fee.lua", rule("a", "ZAR", 0));
    folder_put(&folder, "b.fee.lua", rule("b", "ZAR", 1));
    for (; failed; n++) {
        memory_fail_after(n);

        struct bundle *bundle = bundle_load(folder.path, &report);

        failed = memory_failed();
        memory_fail_never();
        assert_true(bundle != NULL || failed);
        assert_int_equal(bundle == NULL, report.count > 0);
        if (bundle == NULL)
            assert_non_null(strstr(report.findings[0].message, "memory"));
        bundle_release(bundle);
        assert_true(n < 5000);
    }
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rules_of_this_repository),
        cmocka_unit_test_setup_teardown(test_files_that_do_not_count, begin, end),
        cmocka_unit_test_setup_teardown(test_the_order_of_the_folder_does_not_matter, begin, end),
        cmocka_unit_test_setup_teardown(test_every_byte_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_rule_file, begin, end),
        cmocka_unit_test_setup_teardown(test_special_files, begin, end),
        cmocka_unit_test_setup_teardown(test_sizes, begin, end),
        cmocka_unit_test_setup_teardown(test_too_many_files, begin, end),
        cmocka_unit_test_setup_teardown(test_rules_that_get_in_each_others_way, begin, end),
        cmocka_unit_test_setup_teardown(test_versions_follow_each_other, begin, end),
        cmocka_unit_test_setup_teardown(test_an_image_is_the_bundle_again, begin, end),
        cmocka_unit_test_setup_teardown(test_the_files_are_kept_whole, begin, end),
        cmocka_unit_test(test_a_report),
        cmocka_unit_test(test_messages_can_be_shown),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
