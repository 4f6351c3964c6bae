#include "store/pg_pool.h"

#include <assert.h>
#include <ev.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define CONNECTIONS_MAX 64

/* A question on its way: kept until its sync, because a row can come before its commit fails. */
struct question {
    pg_answer *answer;
    void *owner;
    int64_t asked_at;
    bool last;               /* before a sync */
    enum pg_outcome outcome; /* what is known so far: unavailable until rows or an error came */
    struct pg_rows *rows;
};

struct member {
    struct pg_pool *pool;
    struct pg_connection *connection;
    struct question *ring; /* pipeline_max places */
    unsigned head, tail;
    unsigned next; /* whose rows or error come next: between head and tail */
    bool open;     /* the newest question waits for its sync */
};

struct pg_pool {
    struct ev_loop *loop;
    ev_prepare flush;
    struct pg_pool_settings settings;
    struct member members[CONNECTIONS_MAX];
    int count;
    int in_flight;
    int next;
};

static struct {
    metric ready;
    metric in_flight;
    metric refused;
    metric lost;
    metric errors;
    metric duration;
} metrics;

void pg_pool_register_metrics(void)
{
    metrics.ready = metrics_register(METRIC_GAUGE, "moolah_postgres_connections_ready", "",
                                     "Pool connections to PostgreSQL that are usable");
    metrics.in_flight = metrics_register(METRIC_GAUGE, "moolah_postgres_questions_in_flight", "",
                                         "Questions asked and not answered yet");
    metrics.refused = metrics_register(METRIC_COUNTER, "moolah_postgres_refused_total", "",
                                       "Questions refused: no connection, or too many in flight");
    metrics.lost = metrics_register(METRIC_COUNTER, "moolah_postgres_connections_lost_total", "",
                                    "Pool connections lost");
    metrics.errors = metrics_register(METRIC_COUNTER, "moolah_postgres_errors_total", "",
                                      "Questions PostgreSQL answered with an error");
    metrics.duration = metrics_register(METRIC_HISTOGRAM, "moolah_postgres_question_seconds", "",
                                        "From asking the pool until the answer is durable");
}

static void count_ready(const struct pg_pool *pool)
{
    int ready = 0;
    if (pool->settings.is_background)
        return;
    for (int i = 0; i < pool->count; i++)
        ready += pg_connection_is_ready(pool->members[i].connection);
    metrics_set(metrics.ready, ready);
}

static void on_ready(void *owner)
{
    struct member *member = owner;
    count_ready(member->pool);
}

static struct question *question_at(struct member *member, unsigned place)
{
    return &member->ring[place % (unsigned)member->pool->settings.pipeline_max];
}

static struct question *oldest(struct member *member)
{
    assert(member->head != member->tail);
    return question_at(member, member->head);
}

static void tell(const struct pg_pool *pool, const struct question *question)
{
    bool ok = question->outcome == PG_OK;
    if (!pool->settings.is_background)
        metrics_observe(metrics.duration, (uint64_t)(clock_monotonic() - question->asked_at));
    question->answer(question->owner, question->outcome, ok ? question->rows : NULL);
    pg_rows_release(question->rows);
}

/* Whatever had come of it: without its sync it isn't known. */
static void tell_unavailable(struct member *member)
{
    struct question question = *oldest(member);
    member->head++;
    question.outcome = PG_UNAVAILABLE;
    tell(member->pool, &question);
}

/* A question's transaction commits at its sync: only then is its answer true. */
static bool on_rows(void *owner, const struct pg_statement *statement, struct pg_rows *rows)
{
    struct member *member = owner;
    struct question *question = question_at(member, member->next);
    (void)statement;
    assert(member->next != member->tail);
    member->next++;
    question->outcome = PG_OK;
    question->rows = rows;
    return true;
}

/* Whose error it is: the question's whose turn it was; or, when all before a sync have their rows,
 * the commit's, and so the first one's: what shares a sync only reads, and commits without fail. */
static struct question *failed_question(struct member *member)
{
    bool all = member->next != member->head && question_at(member, member->next - 1)->last;
    if (all)
        return oldest(member);
    assert(member->next != member->tail);
    return question_at(member, member->next++);
}

static void on_error(void *owner, const struct pg_statement *statement,
                     const struct pg_error *error)
{
    struct question *question = failed_question(owner);
    bool conflict = strcmp(error->sqlstate, "23505") == 0;
    metrics_add(metrics.errors, !conflict);
    if (!conflict)
        log_message(LOG_ERROR, "pg_error", "%s: %s: %s", statement->name, error->sqlstate,
                    error->message);
    question->outcome = conflict ? PG_CONFLICT : PG_REFUSED;
    pg_rows_release(question->rows); /* rows that came before their commit failed */
    question->rows = NULL;
}

/* All that share this sync. Behind one that failed, the others have no answer. */
static void on_synced(void *owner)
{
    struct member *member = owner;
    struct question question;
    do {
        question = *oldest(member);
        member->head++;
        if (question.last)
            member->next = member->head;
        member->pool->in_flight--;
        if (!member->pool->settings.is_background)
            metrics_set(metrics.in_flight, member->pool->in_flight);
        tell(member->pool, &question);
    } while (!question.last);
}

static void on_lost(void *owner, const char *why)
{
    struct member *member = owner;
    unsigned end = member->tail;
    log_message(LOG_WARN, "pg_connection_lost", "%s", why);
    metrics_add(metrics.lost, 1);
    count_ready(member->pool);
    member->next = end;
    member->open = false;
    while (member->head != end) {
        member->pool->in_flight--;
        tell_unavailable(member);
    }
}

/* Whatever is asked next has a transaction of its own. */
static void end_sharing(struct member *member)
{
    if (!member->open)
        return;
    member->open = false;
    question_at(member, member->tail - 1)->last = true;
    if (!pg_connection_sync(member->connection))
        pg_connection_drop(member->connection, "out of memory");
}

/* The end of a loop turn. */
static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct pg_pool *pool = watcher->data;
    (void)loop;
    (void)events;
    for (int i = 0; i < pool->count; i++)
        end_sharing(&pool->members[i]);
}

struct pg_pool *pg_pool_new(struct ev_loop *loop, const struct pg_pool_settings *settings)
{
    struct pg_pool *pool = memory_alloc(sizeof *pool);
    assert(settings->connections >= 1 && settings->connections <= CONNECTIONS_MAX);
    /* places are counted on and on: with another number the ring would break where they wrap */
    assert(settings->pipeline_max > 0 &&
           (settings->pipeline_max & (settings->pipeline_max - 1)) == 0);
    if (pool == NULL)
        return NULL;
    pool->settings = *settings;
    pool->loop = loop;
    ev_prepare_init(&pool->flush, on_flush);
    ev_set_priority(&pool->flush, EV_MINPRI); /* after all that may still ask in this turn */
    pool->flush.data = pool;
    ev_prepare_start(loop, &pool->flush);
    for (int i = 0; i < settings->connections; i++) {
        struct member *member = &pool->members[i];
        const struct pg_connection_owner owner = {.owner = member,
                                                  .ready = on_ready,
                                                  .rows = on_rows,
                                                  .error = on_error,
                                                  .synced = on_synced,
                                                  .lost = on_lost};
        member->pool = pool;
        member->ring = memory_alloc((size_t)settings->pipeline_max * sizeof member->ring[0]);
        member->connection = pg_connection_new(loop, &settings->connection, &owner);
        pool->count++;
        if (member->ring == NULL || member->connection == NULL) {
            pg_pool_free(pool);
            return NULL;
        }
    }
    return pool;
}

void pg_pool_free(struct pg_pool *pool)
{
    if (pool == NULL)
        return;
    ev_prepare_stop(pool->loop, &pool->flush);
    for (int i = 0; i < pool->count; i++) {
        struct member *member = &pool->members[i];
        pg_connection_free(member->connection);
        while (member->ring != NULL && member->head != member->tail)
            tell_unavailable(member);
        memory_free(member->ring);
    }
    memory_free(pool);
}

/* The ready connection with the fewest questions in flight; ties go round. */
static struct member *choose(struct pg_pool *pool)
{
    struct member *best = NULL;
    for (int i = 0; i < pool->count; i++) {
        struct member *member = &pool->members[(pool->next + i) % pool->count];
        if (!pg_connection_is_ready(member->connection) ||
            member->tail - member->head >= (unsigned)pool->settings.pipeline_max)
            continue;
        if (best == NULL || member->tail - member->head < best->tail - best->head)
            best = member;
    }
    pool->next = (pool->next + 1) % pool->count;
    return best;
}

/* NULL: refused. */
static struct member *ask(struct pg_pool *pool, const struct pg_statement *statement,
                          const struct pg_params *params, const struct question *question)
{
    struct member *member = pool->in_flight < pool->settings.queue_max ? choose(pool) : NULL;
    if (member != NULL && question->last)
        end_sharing(member);
    if (member == NULL || !pg_connection_ask(member->connection, statement, params)) {
        metrics_add(metrics.refused, !pool->settings.is_background);
        return NULL;
    }
    *question_at(member, member->tail++) = *question;
    pool->in_flight++;
    return member;
}

bool pg_pool_ask(struct pg_pool *pool, const struct pg_statement *statement,
                 const struct pg_params *params, pg_answer *answer, void *owner)
{
    const struct question question = {answer, owner, clock_monotonic(), true, PG_UNAVAILABLE, NULL};
    struct member *member = ask(pool, statement, params, &question);
    /* without its sync it is answered when the connection is lost, next turn */
    if (member != NULL && !pg_connection_sync(member->connection))
        pg_connection_drop(member->connection, "out of memory");
    return member != NULL;
}

bool pg_pool_read(struct pg_pool *pool, const struct pg_statement *statement,
                  const struct pg_params *params, pg_answer *answer, void *owner)
{
    const struct question question = {answer, owner,          clock_monotonic(),
                                      false,  PG_UNAVAILABLE, NULL};
    struct member *member = ask(pool, statement, params, &question);
    if (member != NULL)
        member->open = true;
    return member != NULL;
}

bool pg_pool_is_ready(const struct pg_pool *pool)
{
    for (int i = 0; i < pool->count; i++)
        if (pg_connection_is_ready(pool->members[i].connection))
            return true;
    return false;
}
