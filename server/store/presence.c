#include "store/presence.h"

#include <ev.h>

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"
#include "store/revisions.h"

#define LOOK_S 0.25
#define GOOD_FOR_US CLOCK_SECOND

/* Two numbers name an advisory lock: ours for all servers ("MOOL"), and the server. */
#define LOCKS "1297043276"
#define OTHERS                                                                                \
    "pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database() " \
    "where l.locktype = 'advisory' and l.classid = " LOCKS " and l.objsubid = 2 and l.objid "

static const struct pg_statement find_others = {
    "presence_find_others", "select exists (select from " OTHERS "<> $1::integer::oid)"};

const struct pg_statement *const presence_statements[] = {&find_others, NULL};

struct presence {
    struct ev_loop *loop;
    struct pg_pool *pool;
    ev_timer look;
    bool asking;
    int64_t asked_at; /* monotonic us */
    bool alone;
    int64_t good_until;
    bool told; /* the metric and the log */
};

static metric alone_workers;

void presence_register_metrics(void)
{
    alone_workers = metrics_register(
        METRIC_GAUGE, "moolah_cache_workers", "",
        "Workers that answer reads from the cache: none while another server uses the database");
}

/* Each wait ends early when the others have gone; together they are longer than GOOD_FOR_US. */
void presence_setup(const char *setup, char text[PRESENCE_SETUP_MAX])
{
    char wait[400];
    unsigned server = revisions_server();
    snprintf(wait, sizeof wait, "select pg_sleep(0.42) from " OTHERS "<> %u limit 1", server);
    int length = server == 0 ? snprintf(text, PRESENCE_SETUP_MAX, "%s", setup)
                             : snprintf(text, PRESENCE_SETUP_MAX,
                                        "%s;select pg_advisory_lock_shared(" LOCKS ", %u);%s;%s;%s",
                                        setup, server, wait, wait, wait);
    assert(length > 0 && length < PRESENCE_SETUP_MAX);
}

bool presence_is_alone(const struct presence *presence)
{
    return presence->alone && clock_monotonic() < presence->good_until &&
           pg_pool_is_ready(presence->pool);
}

static void tell(struct presence *presence, bool is)
{
    presence->told = is;
    metrics_set(alone_workers, is);
    log_message(LOG_INFO, is ? "cache_on" : "cache_off",
                is                ? "nobody else changes the ledger"
                : presence->alone ? "the database doesn't answer"
                                  : "another server uses the database");
}

static void on_found(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct presence *presence = owner;
    bool was = presence_is_alone(presence);
    presence->asking = false;
    if (outcome == PG_OK) {
        presence->alone = !pg_rows_bool(rows, 0, 0);
        presence->good_until = presence->asked_at + GOOD_FOR_US;
    }
    bool is = presence_is_alone(presence);
    if (is && !was)
        revisions_new_generation();
    if (is != presence->told)
        tell(presence, is);
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct presence *presence = watcher->data;
    struct arena arena;
    struct pg_params params;
    (void)loop;
    (void)events;
    if (presence->asking || revisions_server() == 0)
        return;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_integer(&params, (int32_t)revisions_server());
    presence->asked_at = clock_monotonic();
    presence->asking = pg_pool_read(presence->pool, &find_others, &params, on_found, presence);
    arena_release(&arena);
}

struct presence *presence_new(struct ev_loop *loop, struct pg_pool *pool)
{
    struct presence *presence = memory_alloc(sizeof *presence);
    if (presence == NULL)
        return NULL;
    presence->loop = loop;
    presence->pool = pool;
    ev_timer_init(&presence->look, on_look, 0., LOOK_S);
    presence->look.data = presence;
    ev_timer_start(loop, &presence->look);
    return presence;
}

void presence_free(struct presence *presence)
{
    if (presence == NULL)
        return;
    ev_timer_stop(presence->loop, &presence->look);
    memory_free(presence);
}
