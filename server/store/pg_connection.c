#include "store/pg_connection.h"

#include <assert.h>
#include <ev.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/pg_params.h"

#define RETRY_FIRST_S 0.05
#define RETRY_MOST_S 0.5 /* money stands still meanwhile */
#define OLDEST_SERVER 150000
#define ASKED_MAX 1024 /* questions and syncs whose answers are on their way */

enum pg_state {
    PG_DOWN,       /* waits for `retry` */
    PG_CONNECTING, /* libpq is at it */
    PG_PREPARING,  /* setup and statements are on their way */
    PG_READY
};

struct pg_connection {
    struct ev_loop *loop;
    struct pg_connection_settings settings;
    struct pg_connection_owner owner;
    char *conninfo;
    PGconn *conn;
    enum pg_state state;
    ev_io io;
    ev_timer retry;    /* next try to connect */
    ev_timer deadline; /* connecting, or an answer, takes too long */
    ev_prepare flush;
    double delay;
    bool unsent;          /* something was asked since the last flush */
    const char *dropping; /* lost at the next loop turn; the reason */
    char complaint[200];  /* what the server said when that is the reason */
    /* What answers are to come, in order: NULL is a sync. A ring. */
    const struct pg_statement *asked[ASKED_MAX];
    unsigned head, tail;
};

static const struct pg_statement setup_statement = {"setup", ""};
static const struct pg_statement commit_statement = {"commit at sync", ""};

static void watch(struct pg_connection *c, int events);

static unsigned asked_count(const struct pg_connection *c)
{
    return c->tail - c->head;
}

static void note_asked(struct pg_connection *c, const struct pg_statement *statement)
{
    c->asked[c->tail++ % ASKED_MAX] = statement;
    c->unsent = true;
}

static void quiet_notice(void *context, const PGresult *result)
{
    (void)context;
    log_message(LOG_DEBUG, "pg_notice", "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
}

static void retry_later(struct pg_connection *c)
{
    double jitter =
        0.5 + (double)(rand() % 1000) / 1000.; /* so that workers don't come all at once */
    c->state = PG_DOWN;
    ev_timer_stop(c->loop, &c->retry);
    ev_timer_set(&c->retry, c->delay * jitter, 0.);
    ev_timer_start(c->loop, &c->retry);
    c->delay = c->delay * 2 > RETRY_MOST_S ? RETRY_MOST_S : c->delay * 2;
}

static void shut(struct pg_connection *c)
{
    ev_io_stop(c->loop, &c->io);
    ev_timer_stop(c->loop, &c->deadline);
    if (c->conn != NULL)
        PQfinish(c->conn);
    c->conn = NULL;
    c->head = c->tail = 0;
    c->unsent = false;
    c->dropping = NULL;
}

/* The connection is of no use any more. Owners hear of it only when they had been told it was
 * ready. */
static void lose(struct pg_connection *c, const char *why)
{
    bool was_ready = c->state == PG_READY;
    char reason[256];
    snprintf(reason, sizeof reason, "%s", why);
    for (char *at = reason; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    shut(c);
    retry_later(c);
    if (was_ready)
        c->owner.lost(c->owner.owner, reason);
    else
        log_message(LOG_WARN, "pg_connect_failed", "%s", reason);
}

static void set_deadline(struct pg_connection *c, int64_t us)
{
    ev_timer_stop(c->loop, &c->deadline);
    if (us <= 0)
        return;
    ev_timer_set(&c->deadline, (double)us / CLOCK_SECOND, 0.);
    ev_timer_start(c->loop, &c->deadline);
}

static bool send_statements(struct pg_connection *c)
{
    if (c->settings.setup != NULL) {
        /* several commands need the simple protocol, which pipeline mode lacks: one by one */
        char copy[2048];
        char *rest = copy;
        char *command;
        snprintf(copy, sizeof copy, "%s", c->settings.setup);
        while ((command = strsep(&rest, ";")) != NULL) {
            if (PQsendQueryParams(c->conn, command, 0, NULL, NULL, NULL, NULL, 1) != 1)
                return false;
            note_asked(c, &setup_statement);
        }
    }
    for (const struct pg_statement *const *s = c->settings.statements; s != NULL && *s != NULL;
         s++) {
        if (PQsendPrepare(c->conn, (*s)->name, (*s)->sql, 0, NULL) != 1)
            return false;
        note_asked(c, &setup_statement);
    }
    if (PQpipelineSync(c->conn) != 1)
        return false;
    note_asked(c, NULL);
    return true;
}

static void connected(struct pg_connection *c)
{
    const char *standby = PQparameterStatus(c->conn, "in_hot_standby");
    int version = PQserverVersion(c->conn);
    if (version < OLDEST_SERVER) {
        char why[100];
        snprintf(why, sizeof why, "the server is PostgreSQL %d: %d or newer is needed",
                 version / 10000, OLDEST_SERVER / 10000);
        lose(c, why);
        return;
    }
    if (standby != NULL && strcmp(standby, "on") == 0) {
        lose(c, "the server is a hot standby");
        return;
    }
    c->state = PG_PREPARING;
    if (PQsetnonblocking(c->conn, 1) != 0 || PQenterPipelineMode(c->conn) != 1 ||
        !send_statements(c)) {
        lose(c, PQerrorMessage(c->conn));
        return;
    }
    watch(c, EV_READ | EV_WRITE);
}

static void poll_connect(struct pg_connection *c)
{
    switch (PQconnectPoll(c->conn)) {
    case PGRES_POLLING_READING:
        watch(c, EV_READ);
        return;
    case PGRES_POLLING_WRITING:
        watch(c, EV_WRITE);
        return;
    case PGRES_POLLING_OK:
        connected(c);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        lose(c, PQerrorMessage(c->conn));
        return;
    }
}

/* The operator's connection string (keywords or a URI) wins over what stands before it, and loses
 * to what stands behind it. */
static PGconn *start_libpq(const struct pg_connection *c)
{
    const char *const keywords[] = {
        "application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "dbname",          "client_encoding",     NULL};
    const char *const values[] = {
        c->settings.application_name, "5", "2", "3", "10000", c->conninfo, "UTF8", NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static void start_connect(struct pg_connection *c)
{
    c->state = PG_CONNECTING;
    c->conn = start_libpq(c);
    if (c->conn == NULL || PQstatus(c->conn) == CONNECTION_BAD) {
        lose(c, c->conn == NULL ? "out of memory" : PQerrorMessage(c->conn));
        return;
    }
    PQsetNoticeReceiver(c->conn, quiet_notice, NULL);
    set_deadline(c, c->settings.connect_timeout_us);
    watch(c, EV_WRITE);
}

/* A server that goes down, ends this session, or turned read-only: not the statement's fault. */
static bool is_farewell(const PGresult *result, const char *sqlstate)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        return true;
    return strncmp(sqlstate, "57P0", 4) == 0 || strcmp(sqlstate, "25006") == 0 ||
           strcmp(sqlstate, "25P03") == 0;
}

static void tell_error(struct pg_connection *c, const struct pg_statement *statement,
                       const PGresult *result)
{
    struct pg_error error = {.message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)};
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    error.has_constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) != NULL;
    snprintf(error.sqlstate, sizeof error.sqlstate, "%s", sqlstate == NULL ? "" : sqlstate);
    if (error.message == NULL)
        error.message = "no message";
    if (is_farewell(result, error.sqlstate) || sqlstate == NULL || c->state == PG_PREPARING) {
        snprintf(c->complaint, sizeof c->complaint, "%s %s", error.sqlstate, error.message);
        c->dropping = c->complaint;
        return;
    }
    c->owner.error(c->owner.owner, statement, &error);
}

static void became_ready(struct pg_connection *c)
{
    c->state = PG_READY;
    c->delay = RETRY_FIRST_S;
    set_deadline(c, 0);
    c->owner.ready(c->owner.owner);
}

/* One result that libpq has whole. True: its owner keeps it. */
static bool take_result(struct pg_connection *c, PGresult *result)
{
    const struct pg_statement *statement = c->asked[c->head % ASKED_MAX];
    switch ((int)PQresultStatus(result)) { /* most of libpq's statuses can't happen here: default */
    case PGRES_PIPELINE_SYNC:
        assert(statement == NULL && asked_count(c) > 0);
        c->head++;
        if (c->state == PG_PREPARING)
            became_ready(c);
        else
            c->owner.synced(c->owner.owner);
        return false;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        assert(statement != NULL && asked_count(c) > 0);
        c->head++;
        return c->state == PG_READY &&
               c->owner.rows(c->owner.owner, statement, (struct pg_rows *)result);
    case PGRES_PIPELINE_ABORTED:
        c->head++;
        return false;
    default:
        /* at a sync: what is looked at when the transaction commits; the sync still comes */
        if (statement != NULL && asked_count(c) > 0)
            c->head++;
        tell_error(c, statement == NULL ? &commit_statement : statement, result);
        return false;
    }
}

/* Drain what is there before reading more: the other order can lose a sync. NULL separates results.
 */
static void drain(struct pg_connection *c)
{
    int nulls = 0;
    while (c->dropping == NULL && asked_count(c) > 0 && PQisBusy(c->conn) == 0) {
        PGresult *result = PQgetResult(c->conn);
        if (result == NULL) {
            if (++nulls > 1)
                return;
            continue;
        }
        nulls = 0;
        if (!take_result(c, result))
            PQclear(result);
    }
}

static void flush_output(struct pg_connection *c)
{
    int left = PQflush(c->conn);
    if (left < 0) {
        c->dropping = "the connection broke while sending";
        return;
    }
    c->unsent = left > 0;
    watch(c, left > 0 ? EV_READ | EV_WRITE : EV_READ);
}

static void mind_answers(struct pg_connection *c)
{
    if (c->state == PG_READY)
        set_deadline(c, asked_count(c) > 0 ? c->settings.answer_timeout_us : 0);
}

static void converse(struct pg_connection *c, int events)
{
    drain(c);
    if (c->dropping == NULL && (events & EV_READ) != 0) {
        if (PQconsumeInput(c->conn) != 1)
            c->dropping = "the connection was lost";
        /* what came before the end still counts */
        const char *end = c->dropping;
        c->dropping = NULL;
        drain(c);
        c->dropping = c->dropping == NULL ? end : c->dropping;
    }
    if (c->dropping == NULL && (events & EV_WRITE) != 0)
        flush_output(c);
    if (c->dropping != NULL)
        lose(c, c->dropping);
    else
        mind_answers(c);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct pg_connection *c = watcher->data;
    (void)loop;
    if (c->state == PG_CONNECTING)
        poll_connect(c);
    else
        converse(c, events);
}

static void watch(struct pg_connection *c, int events)
{
    int fd = PQsocket(c->conn);
    if (ev_is_active(&c->io) && c->io.fd == fd && (c->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(c->loop, &c->io);
    ev_io_set(&c->io, fd, events);
    ev_io_start(c->loop, &c->io);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    start_connect(watcher->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    lose(watcher->data, "no answer in time");
}

/* The end of a loop turn: everything asked in it leaves at once. */
static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct pg_connection *c = watcher->data;
    (void)loop;
    (void)events;
    if (c->dropping != NULL && c->conn != NULL) {
        lose(c, c->dropping);
        return;
    }
    if (c->state != PG_READY || !c->unsent)
        return;
    flush_output(c);
    if (!ev_is_active(&c->deadline))
        mind_answers(c);
}

struct pg_connection *pg_connection_new(struct ev_loop *loop,
                                        const struct pg_connection_settings *settings,
                                        const struct pg_connection_owner *owner)
{
    struct pg_connection *c = memory_alloc(sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = loop;
    c->settings = *settings;
    c->owner = *owner;
    c->delay = RETRY_FIRST_S;
    c->conninfo = memory_alloc(strlen(settings->conninfo) + 1);
    if (c->conninfo == NULL) {
        memory_free(c);
        return NULL;
    }
    memcpy(c->conninfo, settings->conninfo, strlen(settings->conninfo) + 1);
    ev_init(&c->io, on_io);
    ev_init(&c->retry, on_retry);
    ev_init(&c->deadline, on_deadline);
    ev_prepare_init(&c->flush, on_prepare);
    c->io.data = c->retry.data = c->deadline.data = c->flush.data = c;
    ev_set_priority(&c->flush, EV_MINPRI); /* after all that may still ask in this turn */
    ev_prepare_start(loop, &c->flush);
    ev_timer_set(&c->retry, 0., 0.);
    ev_timer_start(loop, &c->retry);
    return c;
}

void pg_connection_free(struct pg_connection *c)
{
    if (c == NULL)
        return;
    shut(c);
    ev_timer_stop(c->loop, &c->retry);
    ev_prepare_stop(c->loop, &c->flush);
    memory_free(c->conninfo);
    memory_free(c);
}

bool pg_connection_is_ready(const struct pg_connection *c)
{
    return c->state == PG_READY && c->dropping == NULL;
}

bool pg_connection_ask(struct pg_connection *c, const struct pg_statement *statement,
                       const struct pg_params *params)
{
    static const int binary[PG_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    if (!pg_connection_is_ready(c) || params->failed || asked_count(c) == ASKED_MAX)
        return false;
    if (PQsendQueryPrepared(c->conn, statement->name, params->count, params->values,
                            params->lengths, binary, 1) != 1)
        return false;
    note_asked(c, statement);
    return true;
}

bool pg_connection_sync(struct pg_connection *c)
{
    if (!pg_connection_is_ready(c) || asked_count(c) == ASKED_MAX || PQpipelineSync(c->conn) != 1)
        return false;
    note_asked(c, NULL);
    return true;
}

void pg_connection_drop(struct pg_connection *c, const char *why)
{
    if (c->conn != NULL && c->dropping == NULL)
        c->dropping = why;
}
