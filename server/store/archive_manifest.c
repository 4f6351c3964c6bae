#include "store/archive_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

const char *archive_manifest_table(int table)
{
    return table == ARCHIVE_TRANSACTIONS ? "transactions" : "postings";
}

const char *archive_manifest_file(int table)
{
    return table == ARCHIVE_TRANSACTIONS ? "transactions.copy.gz" : "postings.copy.gz";
}

static void write_hash(struct json_writer *json, const char *name, const uint8_t *hash)
{
    char hex[2 * CRYPTO_HASH_SIZE + 1];
    for (size_t i = 0; i < CRYPTO_HASH_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    json_write_key(json, name);
    json_write_text(json, hex);
}

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    json_write_key(json, name);
    json_write_text(json, text);
}

void archive_manifest_write(const struct archive_manifest *manifest, struct bytes *out)
{
    struct json_writer json;
    json_write_init(&json, out);
    json_write_object(&json);
    json_write_key(&json, "format");
    json_write_int(&json, ARCHIVE_FORMAT);
    write_text(&json, "month", manifest->month);
    json_write_key(&json, "tables");
    json_write_array(&json);
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        const struct archive_table *table = &manifest->tables[i];
        json_write_object(&json);
        write_text(&json, "table", archive_manifest_table(i));
        write_text(&json, "file", archive_manifest_file(i));
        write_text(&json, "columns", table->columns);
        json_write_key(&json, "rows");
        json_write_int(&json, table->sum.rows);
        write_text(&json, "first_id", table->first_id);
        write_text(&json, "last_id", table->last_id);
        write_hash(&json, "lines_sha256", table->sum.content);
        write_hash(&json, "file_sha256", table->sum.file);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    bytes_add_char(out, '\n');
}

static bool read_text(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_member(object, name);
    if (value == NULL || json_kind(value) != JSON_STRING || json_string(value).length >= size)
        return false;
    snprintf(out, size, "%.*s", (int)json_string(value).length, json_string(value).at);
    return true;
}

static bool read_hash(const struct json *object, const char *name, uint8_t *hash)
{
    char hex[2 * CRYPTO_HASH_SIZE + 1];
    if (!read_text(object, name, hex, sizeof hex) || strspn(hex, "0123456789abcdef") != 64)
        return false;
    for (size_t i = 0; i < CRYPTO_HASH_SIZE; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        hash[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

/* A name in double quotes, and further ones behind commas: it becomes part of a statement. */
static bool is_columns(const char *text)
{
    for (;;) {
        size_t length =
            text[0] == '"' ? strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
        if (length == 0 || text[length + 1] != '"')
            return false;
        text += length + 2;
        if (text[0] == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static bool is_id(const char *text)
{
    return text[0] == '\0' || (strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36);
}

static bool read_table(const struct json *object, int i, struct archive_table *table)
{
    char name[40];
    const struct json *rows = object == NULL ? NULL : json_member(object, "rows");
    if (rows == NULL || json_kind(rows) != JSON_INTEGER || json_integer(rows) < 0)
        return false;
    table->sum.rows = json_integer(rows);
    return read_text(object, "table", name, sizeof name) &&
           strcmp(name, archive_manifest_table(i)) == 0 &&
           read_text(object, "columns", table->columns, sizeof table->columns) &&
           is_columns(table->columns) &&
           read_text(object, "first_id", table->first_id, sizeof table->first_id) &&
           read_text(object, "last_id", table->last_id, sizeof table->last_id) &&
           is_id(table->first_id) && is_id(table->last_id) &&
           read_hash(object, "lines_sha256", table->sum.content) &&
           read_hash(object, "file_sha256", table->sum.file);
}

static bool read_all(const struct json *json, struct archive_manifest *manifest, char error[160])
{
    const struct json *format =
        json == NULL || json_kind(json) != JSON_OBJECT ? NULL : json_member(json, "format");
    if (format == NULL || json_kind(format) != JSON_INTEGER) {
        snprintf(error, 160, "it is no manifest");
        return false;
    }
    if (json_integer(format) != ARCHIVE_FORMAT) {
        snprintf(error, 160, "its format is %lld; this program knows %d",
                 (long long)json_integer(format), ARCHIVE_FORMAT);
        return false;
    }
    const struct json *tables = json_member(json, "tables");
    bool good = read_text(json, "month", manifest->month, sizeof manifest->month) &&
                tables != NULL && json_kind(tables) == JSON_ARRAY &&
                json_count(tables) == ARCHIVE_TABLES;
    for (int i = 0; good && i < ARCHIVE_TABLES; i++)
        good = json_kind(json_element(tables, (size_t)i)) == JSON_OBJECT &&
               read_table(json_element(tables, (size_t)i), i, &manifest->tables[i]);
    if (!good)
        snprintf(error, 160, "something is missing in it, or damaged");
    return good;
}

bool archive_manifest_read(struct slice text, struct archive_manifest *manifest, char error[160])
{
    struct arena arena;
    struct json_error where;
    memset(manifest, 0, sizeof *manifest);
    arena_init(&arena);
    bool good = read_all(json_parse(text, &arena, &where), manifest, error);
    arena_release(&arena);
    return good;
}
