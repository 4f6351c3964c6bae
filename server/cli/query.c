/* Ask the database one question and show the answer. */
#include <assert.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/currency.h"
#include "base/json.h"
#include "base/uuid.h"
#include "cli/cli.h"

#define COLUMNS_MAX 16
#define CELL_MAX 512

/* "posted:money" is name and kind. */
struct column {
    char name[40];
    char kind[16]; /* "" when there is none */
};

struct answer {
    PGresult *result;
    struct column columns[COLUMNS_MAX];
    int currency_column; /* -1: none */
    bool json;
};

static void name_columns(struct answer *answer)
{
    assert(PQnfields(answer->result) <= COLUMNS_MAX);
    answer->currency_column = -1;
    for (int i = 0; i < PQnfields(answer->result); i++) {
        const char *name = PQfname(answer->result, i);
        size_t length = strcspn(name, ":");
        snprintf(answer->columns[i].name, sizeof answer->columns[i].name, "%.*s", (int)length,
                 name);
        snprintf(answer->columns[i].kind, sizeof answer->columns[i].kind, "%s",
                 name[length] == ':' ? name + length + 1 : "");
        if (strcmp(answer->columns[i].kind, "currency") == 0)
            answer->currency_column = i;
    }
}

static currency row_currency(const struct answer *answer, int row)
{
    if (answer->currency_column < 0)
        return 0;
    return (currency)strtoul(PQgetvalue(answer->result, row, answer->currency_column), NULL, 10);
}

static void format_id(const char *text, const char *prefix, char out[CELL_MAX])
{
    struct uuid id = {{0}};
    char formatted[UUID_TEXT_MAX];
    size_t digits = 0;
    for (; *text != '\0' && digits < 32; text++) {
        unsigned digit = *text >= 'a' ? (unsigned)(*text - 'a' + 10) : (unsigned)(*text - '0');
        if (*text == '-')
            continue;
        id.bytes[digits / 2] = (uint8_t)((unsigned)id.bytes[digits / 2] << 4 | digit);
        digits++;
    }
    uuid_format(&id, prefix, formatted);
    snprintf(out, CELL_MAX, "%s", formatted);
}

/* "2026-11-24 23:38:09.123456+00" (the session's zone is UTC) is "2026-11-24T23:38:09.123456Z" for
 * machines, without the fraction for people. */
static void format_time(const char *text, bool json, char out[CELL_MAX])
{
    size_t date = strcspn(text, " ");
    size_t seconds = strcspn(text, ".+");
    size_t zone = strcspn(text, "+");
    if (text[date] == '\0' || seconds < date || text[zone] == '\0')
        snprintf(out, CELL_MAX, "%s", text); /* infinity */
    else if (json)
        snprintf(out, CELL_MAX, "%.*sT%.*sZ", (int)date, text, (int)(zone - date - 1),
                 text + date + 1);
    else
        snprintf(out, CELL_MAX, "%.*s UTC", (int)seconds, text);
}

/* What would move a terminal's cursor or colours: C0, DEL, and C1 in UTF-8. */
static void defuse(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
            *at = '?';
}

/* What people read in a cell. */
static void format_cell(const struct answer *answer, int row, int column, char out[CELL_MAX])
{
    const char *kind = answer->columns[column].kind;
    const char *text = PQgetvalue(answer->result, row, column);
    if (PQgetisnull(answer->result, row, column)) {
        snprintf(out, CELL_MAX, "-");
    } else if (strchr(kind, '_') != NULL) {
        format_id(text, kind, out);
    } else if (strcmp(kind, "currency") == 0) {
        currency_text(row_currency(answer, row), out);
    } else if (strcmp(kind, "money") == 0) {
        cli_format_money(strtoll(text, NULL, 10), row_currency(answer, row), out);
    } else if (strcmp(kind, "bool") == 0) {
        snprintf(out, CELL_MAX, "%s", text[0] == 't' ? "yes" : "no");
    } else if (strcmp(kind, "time") == 0) {
        format_time(text, answer->json, out);
    } else {
        snprintf(out, CELL_MAX, "%s", text);
    }
    defuse(out);
}

static void json_cell(const struct answer *answer, int row, int column, struct json_writer *writer)
{
    const char *kind = answer->columns[column].kind;
    const char *text = PQgetvalue(answer->result, row, column);
    char cell[CELL_MAX];
    json_write_key(writer, answer->columns[column].name);
    if (PQgetisnull(answer->result, row, column))
        json_write_null(writer);
    else if (strcmp(kind, "money") == 0 || strcmp(kind, "number") == 0)
        json_write_int(writer, strtoll(text, NULL, 10));
    else if (strcmp(kind, "bool") == 0)
        json_write_bool(writer, text[0] == 't');
    else if (kind[0] == '\0')
        json_write_text(writer, text);
    else {
        format_cell(answer, row, column, cell);
        json_write_text(writer, cell);
    }
}

static void print_json(const struct answer *answer, const struct cli_query *query)
{
    struct json_writer *writer = cli_json_begin();
    if (!query->one)
        json_write_array(writer);
    for (int row = 0; row < PQntuples(answer->result); row++) {
        json_write_object(writer);
        for (int column = 0; column < PQnfields(answer->result); column++)
            json_cell(answer, row, column, writer);
        if (query->once_name != NULL) {
            json_write_key(writer, query->once_name);
            json_write_text(writer, query->once_value);
        }
        json_write_object_end(writer);
    }
    if (!query->one)
        json_write_array_end(writer);
    cli_json_end();
}

/* Characters, not bytes: UTF-8's continuation bytes take no room. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_padded(const char *text, int width, bool last)
{
    printf("%s", text);
    for (int i = width_of(text); !last && i < width + 2; i++)
        putchar(' ');
}

static void print_table(const struct answer *answer)
{
    int widths[COLUMNS_MAX];
    char cell[CELL_MAX];
    int columns = PQnfields(answer->result);
    bool bold = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    for (int i = 0; i < columns; i++) {
        widths[i] = width_of(answer->columns[i].name);
        for (int row = 0; row < PQntuples(answer->result); row++) {
            format_cell(answer, row, i, cell);
            if (width_of(cell) > widths[i])
                widths[i] = width_of(cell);
        }
    }
    printf("%s", bold ? "\033[1m" : "");
    for (int i = 0; i < columns; i++)
        print_padded(answer->columns[i].name, widths[i], i == columns - 1);
    printf("%s\n", bold ? "\033[0m" : "");
    for (int row = 0; row < PQntuples(answer->result); row++) {
        for (int i = 0; i < columns; i++) {
            format_cell(answer, row, i, cell);
            print_padded(cell, widths[i], i == columns - 1);
        }
        putchar('\n');
    }
}

static int show(const struct cli *cli, const struct cli_query *query, PGresult *result)
{
    struct answer answer = {.result = result, .json = cli->json};
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return cli_fail_database(cli, PQresultErrorMessage(result));
    if (PQntuples(result) == 0 && query->none != NULL)
        return cli_fail(1, "%s", query->none);
    assert(!query->one || PQntuples(result) == 1);
    name_columns(&answer);
    if (cli->json) {
        print_json(&answer, query);
        return 0;
    }
    print_table(&answer);
    if (query->once_name != NULL)
        printf("\n%s, shown this once: %s\n", query->once_name, query->once_value);
    return 0;
}

int cli_print_query(const struct cli *cli, const struct cli_query *query)
{
    PGconn *conn = PQconnectdb(cli->database);
    int code;
    if (PQstatus(conn) == CONNECTION_OK) {
        PQclear(PQexec(conn, "set time zone 'UTC'; set datestyle to iso"));
        PGresult *result =
            PQexecParams(conn, query->sql, query->count, NULL, query->values, NULL, NULL, 0);
        code = show(cli, query, result);
        PQclear(result);
    } else {
        code = cli_fail_database(cli, PQerrorMessage(conn));
    }
    PQfinish(conn);
    return code;
}
