#include "support/scratch.h"

#include <ev.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/currency.h"
#include "store/migrate.h"
#include "support/stack.h"

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "scratch: %s\n", what);
    abort();
}

static PGconn *open_as(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    must(PQstatus(conn) == CONNECTION_OK, PQerrorMessage(conn));
    PQclear(PQexec(conn, "set client_min_messages = warning"));
    return conn;
}

static struct scratch *create(const struct stack *stack, const char *template_name)
{
    static int number;
    struct scratch *scratch = calloc(1, sizeof *scratch);
    char sql[160];
    must(scratch != NULL, "out of memory");
    snprintf(scratch->name, sizeof scratch->name, "scratch_%d_%d", (int)getpid(), number++);
    PGconn *conn = open_as(stack->database);
    snprintf(sql, sizeof sql, "create database %s template %s", scratch->name, template_name);
    PGresult *answer = PQexec(conn, sql);
    must(PQresultStatus(answer) == PGRES_COMMAND_OK, PQresultErrorMessage(answer));
    PQclear(answer);
    PQfinish(conn);
    /* of a keyword that comes twice the last one counts */
    snprintf(scratch->owner, sizeof scratch->owner, "%s dbname=%s", stack->database, scratch->name);
    snprintf(scratch->server, sizeof scratch->server, "%s dbname=%s user=moolah_server",
             stack->database, scratch->name);
    return scratch;
}

struct scratch *scratch_new(const struct stack *stack, bool migrated)
{
    static struct migrate_result result;
    struct scratch *scratch = create(stack, "template1");
    if (migrated)
        must(migrate_run(scratch->owner, false, &result), result.error);
    scratch->conn = open_as(scratch->owner);
    return scratch;
}

struct scratch *scratch_copy(const struct stack *stack, struct scratch *original)
{
    PQfinish(original->conn); /* a template must not be in use */
    original->conn = NULL;
    struct scratch *scratch = create(stack, original->name);
    scratch->conn = open_as(scratch->owner);
    return scratch;
}

void scratch_free(struct scratch *scratch)
{
    PQfinish(scratch->conn);
    free(scratch); /* the database goes with the stack */
}

static char statement[16384];

/* Run `statement`, which has `length` characters. */
static PGresult *run(struct scratch *scratch, int length)
{
    must(length > 0 && (size_t)length < sizeof statement, "statement too long");
    PGresult *answer = PQexec(scratch->conn, statement);
    int status = (int)PQresultStatus(answer);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fprintf(stderr, "scratch: %s\n", statement);
    must(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, PQresultErrorMessage(answer));
    return answer;
}

void scratch_run(struct scratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(statement, sizeof statement, format, arguments);
    va_end(arguments);
    PQclear(run(scratch, length));
}

int64_t scratch_number(struct scratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(statement, sizeof statement, format, arguments);
    va_end(arguments);
    PGresult *answer = run(scratch, length);
    must(PQntuples(answer) == 1 && !PQgetisnull(answer, 0, 0), "one number was wanted");
    int64_t number = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return number;
}

bool scratch_forbids(struct scratch *scratch, const char *sql)
{
    PGconn *conn = open_as(scratch->server);
    PGresult *answer = PQexec(conn, sql);
    const char *sqlstate = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    bool forbidden = sqlstate != NULL && strcmp(sqlstate, "42501") == 0;
    if (!forbidden)
        fprintf(stderr, "scratch: not forbidden: %s: %s\n", sql, PQresultErrorMessage(answer));
    PQclear(answer);
    PQfinish(conn);
    return forbidden;
}

static void hex_of(const struct uuid *id, char text[33])
{
    for (size_t i = 0; i < sizeof id->bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
}

void scratch_wallet(struct scratch *scratch, const struct uuid *wallet, const struct uuid *owner)
{
    char w[33];
    char o[33];
    hex_of(wallet, w);
    hex_of(owner, o);
    scratch_run(
        scratch,
        "insert into users (id, phone, name, password, wallet, created_at) "
        "values ('%s', '+%s', 'N', 'x', '%s', now()) on conflict do nothing; "
        "insert into accounts (id, kind, currency, owner) "
        "values ('%s', 1, %d, '%s'); "
        "insert into wallets (id, owner, label, created_at) values ('%s', '%s', 'L', now())",
        o, o, w, w, (int)CURRENCY_ZAR, o, w, o);
}

void scratch_sockets(const struct stack *stack, char folder[128], char redis[160])
{
    must(strncmp(stack->redis, "unix:", 5) == 0, "the stack's Redis has a socket");
    snprintf(redis, 160, "%s", stack->redis + 5);
    snprintf(folder, 128, "%.*s", (int)(strlen(redis) - strlen("/redis.sock")), redis);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)events;
    *(bool *)watcher->data = true;
    ev_break(loop, EVBREAK_ONE);
}

bool scratch_await(struct ev_loop *loop, bool (*done)(void *what), void *what)
{
    bool late = false;
    ev_timer timer;
    ev_timer_init(&timer, on_timeout, 20., 0.);
    timer.data = &late;
    ev_timer_start(loop, &timer);
    while (!late && !done(what))
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &timer);
    return !late;
}

static bool is_up(void *what)
{
    return *(const bool *)what;
}

bool scratch_await_flag(struct ev_loop *loop, const bool *flag)
{
    return scratch_await(loop, is_up, (void *)(uintptr_t)flag);
}
