/* An archive's manifest: what is written is read again; what isn't one, or has columns that would
 * be another statement, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/archive_manifest.h"

static char text[8192];

static void write_one(void)
{
    static struct archive_manifest manifest;
    struct bytes out;
    snprintf(manifest.month, sizeof manifest.month, "2024-01");
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        struct archive_table *table = &manifest.tables[i];
        snprintf(table->columns, sizeof table->columns, "\"id\",\"kind_%d\"", i);
        snprintf(table->last_id, sizeof table->last_id, "018cc251-f400-7000-8000-00000000000%d", i);
        table->sum.rows = 7 + i;
        memset(table->sum.content, 0xa0 + i, sizeof table->sum.content);
        memset(table->sum.file, 0x10 + i, sizeof table->sum.file);
    }
    bytes_init(&out, NULL);
    archive_manifest_write(&manifest, &out);
    assert_false(out.failed);
    snprintf(text, sizeof text, "%.*s", (int)out.length, out.at);
    bytes_release(&out);
}

static void test_written_and_read(void **state)
{
    static struct archive_manifest read;
    char error[160];
    (void)state;
    write_one();
    assert_true(archive_manifest_read(slice_of(text), &read, error));
    assert_string_equal(read.month, "2024-01");
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        const struct archive_table *table = &read.tables[i];
        assert_int_equal(table->columns[11], '0' + i);
        assert_int_equal(table->sum.rows, 7 + i);
        assert_int_equal(table->sum.content[31], 0xa0 + i);
        assert_int_equal(table->sum.file[0], 0x10 + i);
        assert_string_equal(table->first_id, "");
        assert_int_equal(table->last_id[35], '0' + i);
    }
}

/* Put `with` in place of the first `what`. */
static void change(const char *what, const char *with)
{
    char rest[sizeof text];
    char *at = strstr(text, what);
    assert_non_null(at);
    snprintf(rest, sizeof rest, "%s", at + strlen(what));
    snprintf(at, sizeof text - (size_t)(at - text), "%s%s", with, rest);
}

static void test_what_is_none(void **state)
{
    static const struct {
        const char *what, *with, *error;
    } bad[] = {
        {"\"format\":1", "\"format\":2", "knows 1"},
        {"\"format\":1", "\"format\":\"1\"", "no manifest"},
        {"{", "[", "no manifest"},
        {"\"2024-01\"", "\"2024-0100\"", "damaged"},
        {"\"table\":\"transactions\"", "\"table\":\"postings\"", "damaged"},
        {"\"rows\":7", "\"rows\":-7", "damaged"},
        {"\"rows\":7", "\"rows\":7.0", "damaged"},
        {"\\\"id\\\"", "\\\"id\\\") from program 'x'; --\\\"", "damaged"},
        {"\\\"id\\\"", "id", "damaged"},
        {"\\\"id\\\",", "\\\"id\\\"", "damaged"},
        {"\\\"id\\\",", "\\\"id\\\",,", "damaged"},
        {"\\\"id\\\"", "\\\"\\\"", "damaged"},
        {"018cc251-", "018cc251'", "damaged"},
        {"a0a0", "A0a0", "damaged"},
        {"a0a0", "a0", "damaged"},
        {"\"lines_sha256\"", "\"lines\"", "damaged"},
    };
    static struct archive_manifest read;
    char error[160];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_one();
        change(bad[i].what, bad[i].with);
        if (archive_manifest_read(slice_of(text), &read, error))
            fail_msg("taken: %s", text);
        if (strstr(error, bad[i].error) == NULL)
            fail_msg("%s instead of %s", error, bad[i].error);
    }
    assert_false(archive_manifest_read(slice_of(""), &read, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
