#include "benchmarks/raw_place.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "benchmarks/copy_stream.h"
#include "benchmarks/raw_job.h"
#include "ledger/account.h"
#include "store/migrate.h"

#define POSTED INT64_C(1000000000000)

static bool run(PGconn *connection, const char *sql, char *error, size_t size)
{
    PGresult *result = PQexec(connection, sql);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good)
        snprintf(error, size, "%s: %s", sql, PQresultErrorMessage(result));
    PQclear(result);
    return good;
}

bool raw_place_answers(const char *conninfo, char *error, size_t size)
{
    char patient[700];
    snprintf(patient, sizeof patient, "%s connect_timeout=5", conninfo);
    PGconn *connection = PQconnectdb(patient);
    bool good = PQstatus(connection) == CONNECTION_OK;
    if (!good) {
        const char *why = PQerrorMessage(connection);
        snprintf(error, size, "PostgreSQL does not answer: %.*s", (int)strcspn(why, "\n"), why);
    }
    PQfinish(connection);
    return good;
}

static bool create(const char *conninfo, char *error, size_t size)
{
    PGconn *connection = PQconnectdb(conninfo);
    bool good = run(connection, "set client_min_messages = warning", error, size) &&
                run(connection, "drop database if exists moolah_raw with (force)", error, size) &&
                run(connection, "create database moolah_raw", error, size);
    PQfinish(connection);
    return good;
}

static void fill(PGconn *connection, const struct raw_job *job)
{
    struct copy_stream stream = {0};
    copy_stream_begin(&stream, connection, "accounts (id, kind, currency, owner, posted, version)",
                      false);
    for (size_t i = 0; i < job->count; i++) {
        copy_stream_row(&stream, 6);
        copy_stream_uuid(&stream, &job->people[i].wallet);
        copy_stream_smallint(&stream, ACCOUNT_WALLET);
        copy_stream_integer(&stream, (int64_t)CURRENCY_ZAR);
        copy_stream_uuid(&stream, &job->people[i].user);
        copy_stream_bigint(&stream, POSTED);
        copy_stream_bigint(&stream, 1); /* as after the deposit that brought it */
    }
    copy_stream_end(&stream);
}

bool raw_place_make(const char *conninfo, const struct raw_job *job, char *error, size_t size)
{
    static struct migrate_result result;
    char aside[600];
    snprintf(aside, sizeof aside, "%s" RAW_PLACE_CONNINFO, conninfo);
    if (!create(conninfo, error, size))
        return false;
    if (!migrate_run(aside, false, &result)) {
        snprintf(error, size, "%s", result.error);
        return false;
    }
    PGconn *connection = PQconnectdb(aside);
    bool good = run(connection, "begin", error, size);
    if (good)
        fill(connection, job);
    good = good && run(connection, "commit", error, size) &&
           run(connection, "vacuum (analyze) accounts", error, size);
    PQfinish(connection);
    return good;
}

void raw_place_remove(const char *conninfo)
{
    char error[200];
    PGconn *connection = PQconnectdb(conninfo);
    if (!run(connection, "drop database if exists moolah_raw with (force)", error, sizeof error))
        fprintf(stderr, "moolah-bench: %s\n", error);
    PQfinish(connection);
}
