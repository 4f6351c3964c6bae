#include "store/archive_state.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SETUP                                                                                   \
    "set client_min_messages = warning; set lock_timeout = '5s'; set statement_timeout = 0; "   \
    "set idle_in_transaction_session_timeout = 0; set time zone 'UTC'; set datestyle = 'ISO'; " \
    "set client_encoding = 'UTF8'; set bytea_output = 'hex'; set jit = off"

bool archive_state_fail(struct archive_state *state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(state->archive->error, sizeof state->archive->error, format, arguments);
    va_end(arguments);
    return false;
}

bool archive_state_refuse(struct archive_state *state, PGconn *conn)
{
    const char *message = PQerrorMessage(conn);
    return archive_state_fail(state, "%.*s", (int)strcspn(message, "\n"), message);
}

PGresult *archive_state_ask(struct archive_state *state, const char *sql)
{
    const char *values[] = {state->month, state->next};
    int count = strstr(sql, "$2") != NULL ? 2 : strstr(sql, "$1") != NULL ? 1 : 0;
    PGresult *answer = PQexecParams(state->conn, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(answer) == PGRES_TUPLES_OK || PQresultStatus(answer) == PGRES_COMMAND_OK)
        return answer;
    archive_state_refuse(state, state->conn);
    PQclear(answer);
    return NULL;
}

bool archive_state_text(struct archive_state *state, const char *sql, char *text, size_t size)
{
    PGresult *answer = archive_state_ask(state, sql);
    if (answer == NULL)
        return false;
    snprintf(text, size, "%s", PQntuples(answer) == 0 ? "" : PQgetvalue(answer, 0, 0));
    PQclear(answer);
    return true;
}

bool archive_state_number(struct archive_state *state, const char *sql, int64_t *number)
{
    char text[32];
    bool good = archive_state_text(state, sql, text, sizeof text);
    *number = good ? strtoll(text, NULL, 10) : 0;
    return good;
}

bool archive_state_run(struct archive_state *state, const char *format, ...)
{
    char sql[4000];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof sql)
        return archive_state_fail(state, "a question became too long");
    PGresult *answer = archive_state_ask(state, sql);
    PQclear(answer);
    return answer != NULL;
}

/* "2024-01" and the first days of it and of the next. */
static bool read_month(struct archive_state *state)
{
    const char *text = state->archive->month;
    bool shaped = strlen(text) == 7 && text[4] == '-' && strspn(text, "0123456789") == 4 &&
                  strspn(text + 5, "0123456789") == 2;
    long year = shaped ? strtol(text, NULL, 10) : 0;
    long month = shaped ? strtol(text + 5, NULL, 10) : 0;
    if (year < 1970 || month < 1 || month > 12)
        return archive_state_fail(state, "--month must be like 2024-01");
    snprintf(state->month, sizeof state->month, "%04ld-%02ld-01", year, month);
    snprintf(state->next, sizeof state->next, "%04ld-%02ld-01", month == 12 ? year + 1 : year,
             month == 12 ? 1 : month + 1);
    return true;
}

static bool find_folder(struct archive_state *state)
{
    char absolute[PATH_MAX];
    struct stat found;
    const char *folder = state->archive->folder;
    if (realpath(folder, absolute) == NULL || stat(absolute, &found) != 0 ||
        !S_ISDIR(found.st_mode) || strlen(absolute) > 1000)
        return archive_state_fail(state, "%.300s is no folder", folder);
    snprintf(state->path, sizeof state->path, "%s/moolah-%s", absolute, state->archive->month);
    return true;
}

bool archive_state_begin(struct archive_state *state, struct archive *archive)
{
    int64_t alone = 0;
    memset(state, 0, sizeof *state);
    state->archive = archive;
    archive->error[0] = '\0';
    if (!read_month(state) || !find_folder(state))
        return false;
    state->conn = PQconnectdb(archive->conninfo);
    if (PQstatus(state->conn) != CONNECTION_OK)
        return archive_state_refuse(state, state->conn);
    PGresult *answer = PQexec(state->conn, SETUP);
    bool good = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    if (!good)
        return archive_state_refuse(state, state->conn);
    if (!archive_state_number(state, "select pg_try_advisory_lock(7309455)::integer", &alone))
        return false;
    return alone == 1 ||
           archive_state_fail(state, "another month is being taken out or brought back right now");
}

void archive_state_end(struct archive_state *state)
{
    PQfinish(state->conn);
}
