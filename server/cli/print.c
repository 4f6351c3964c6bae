#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "cli/cli.h"

static void print_json(const PGresult *answer)
{
    struct bytes text;
    struct json_writer writer;
    bytes_init(&text, NULL);
    json_write_init(&writer, &text);
    json_write_array(&writer);
    for (int row = 0; row < PQntuples(answer); row++) {
        json_write_object(&writer);
        for (int column = 0; column < PQnfields(answer); column++) {
            json_write_key(&writer, PQfname(answer, column));
            if (PQgetisnull(answer, row, column))
                json_write_null(&writer);
            else
                json_write_text(&writer, PQgetvalue(answer, row, column));
        }
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    printf("%.*s\n", (int)text.length, text.at);
    bytes_release(&text);
}

static void print_table(const PGresult *answer)
{
    const PQprintOpt options = {.header = 1, .align = 1, .standard = 0, .fieldSep = "|"};
    PQprint(stdout, answer, &options);
}

int cli_print_query(const struct cli *cli, const char *sql, int count, const char *const *values)
{
    PGconn *conn = PQconnectdb(cli->database);
    PGresult *answer = NULL;
    int code = 0;
    if (PQstatus(conn) != CONNECTION_OK)
        code = cli_fail(1, "%s", PQerrorMessage(conn));
    else
        answer = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    if (code == 0 && PQresultStatus(answer) != PGRES_TUPLES_OK)
        code = cli_fail(1, "%s", PQresultErrorMessage(answer));
    if (code == 0 && cli->json)
        print_json(answer);
    else if (code == 0)
        print_table(answer);
    PQclear(answer);
    PQfinish(conn);
    return code;
}
