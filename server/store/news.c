#include "store/news.h"

#include <assert.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"

#define BUCKETS 4096                     /* a power of two */
#define SLICE_MAX 256                    /* watches in one question: under a millisecond */
#define SLICES_AT_ONCE 8                 /* in flight, over all connections of the pool */
#define ROUND_US (CLOCK_SECOND * 3 / 20) /* from a round's begin to the next one's, at least: */
#define WATCH_US 40 /* ... so much for each watch, of which PostgreSQL works for 3, */
#define REST 4      /* ... and so many times what the round has taken: all may be busy */
#define REST_MAX (INT64_C(5) * CLOCK_SECOND)

struct news {
    struct pg_pool *pool;
    struct news_watch *buckets[BUCKETS];
    struct news_watch **all; /* in no order: rounds go through it */
    size_t count, room;
    size_t at;   /* of the round: those before it are asked for */
    int out;     /* questions under way; 0: no round is */
    bool failed; /* one of them had no answer: the next round asks again */
    int64_t began;
    int64_t next; /* when the next one may begin */
};

static struct {
    metric watched;
    metric rounds;
    metric hints;
} metrics;

/* Only rows that tell something come back. */
static const struct pg_statement find_news = {
    "news_find", "select a.id, a.version, a.status from unnest($1::uuid[], $2::bigint[], "
                 "$3::smallint[]) as w(id, version, status) join accounts a on a.id = w.id "
                 "where a.version > w.version or a.status <> w.status"};

const struct pg_statement *const news_statements[] = {&find_news, NULL};

void news_register_metrics(void)
{
    metrics.watched =
        metrics_register(METRIC_GAUGE, "moolah_news_watched", "", "Watches of wallets for news");
    metrics.rounds = metrics_register(METRIC_HISTOGRAM, "moolah_news_round_seconds", "",
                                      "Asking PostgreSQL for news of all watched wallets");
    metrics.hints = metrics_register(METRIC_COUNTER, "moolah_news_hints_total", "",
                                     "Watches told at once by who posted");
}

struct news *news_new(struct pg_pool *pool)
{
    struct news *news = memory_alloc(sizeof *news);
    if (news != NULL)
        news->pool = pool;
    return news;
}

void news_free(struct news *news)
{
    if (news == NULL)
        return;
    memory_free(news->all);
    memory_free(news);
}

/* The end of a UUIDv7 is random. */
static struct news_watch **bucket_of(struct news *news, const struct uuid *id)
{
    return &news->buckets[(id->bytes[14] << 8 | id->bytes[15]) % BUCKETS];
}

bool news_watch(struct news *news, struct news_watch *watch)
{
    if (news->count == news->room) {
        size_t room = news->room == 0 ? 64 : 2 * news->room;
        struct news_watch **all = memory_resize(news->all, room * sizeof(void *));
        if (all == NULL)
            return false;
        news->all = all;
        news->room = room;
    }
    struct news_watch **bucket = bucket_of(news, &watch->wallet);
    assert(watch->told != NULL);
    watch->next = *bucket;
    *bucket = watch;
    watch->place = news->count;
    news->all[news->count++] = watch;
    metrics_set(metrics.watched, (int64_t)news->count);
    return true;
}

/* The last one takes its place; should the round have passed that already, the next one asks. */
void news_unwatch(struct news *news, struct news_watch *watch)
{
    struct news_watch **link = bucket_of(news, &watch->wallet);
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    assert(news->count > 0 && news->all[watch->place] == watch);
    news->all[watch->place] = news->all[--news->count];
    news->all[watch->place]->place = watch->place;
    metrics_set(metrics.watched, (int64_t)news->count);
}

size_t news_watched(const struct news *news)
{
    return news->count;
}

void news_tell(struct news *news, const struct uuid *account, int64_t version)
{
    if (news->count == 0)
        return;
    for (struct news_watch *watch = *bucket_of(news, account); watch != NULL; watch = watch->next)
        if (uuid_equal(&watch->wallet, account) && version > watch->version) {
            watch->version = version;
            metrics_add(metrics.hints, 1);
            watch->told(watch);
        }
}

/* What was posted since may have been told already: only what is newer counts. */
static void take_row(struct news *news, const struct pg_rows *rows, int row)
{
    struct uuid id = pg_rows_uuid(rows, row, 0);
    int64_t version = pg_rows_int(rows, row, 1);
    int status = (int)pg_rows_int(rows, row, 2);
    for (struct news_watch *watch = *bucket_of(news, &id); watch != NULL; watch = watch->next) {
        if (!uuid_equal(&watch->wallet, &id) ||
            (version <= watch->version && status == watch->status))
            continue;
        if (version > watch->version)
            watch->version = version;
        watch->status = status;
        watch->told(watch);
    }
}

static void go_on(struct news *news);

static void on_news(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct news *news = owner;
    news->out--;
    if (outcome != PG_OK)
        news->failed = true;
    for (int i = 0; outcome == PG_OK && i < pg_rows_count(rows); i++)
        take_row(news, rows, i);
    go_on(news);
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void end_round(struct news *news)
{
    int64_t taken = clock_monotonic() - news->began;
    int64_t rest = taken * REST < REST_MAX ? taken * REST : REST_MAX;
    int64_t period = longer(ROUND_US, (int64_t)news->count * WATCH_US);
    metrics_observe(metrics.rounds, (uint64_t)taken);
    news->next = news->began + longer(period, taken + rest);
}

static void fill_slice(struct news *news, struct pg_params *params, size_t count)
{
    struct pg_array ids;
    struct pg_array versions;
    struct pg_array statuses;
    pg_array_begin(&ids, params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&ids, &news->all[news->at + i]->wallet);
    pg_array_end(&ids);
    pg_array_begin(&versions, params, PG_BIGINT, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_bigint(&versions, news->all[news->at + i]->version);
    pg_array_end(&versions);
    pg_array_begin(&statuses, params, PG_SMALLINT, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_smallint(&statuses, (int16_t)news->all[news->at + i]->status);
    pg_array_end(&statuses);
}

static bool ask_slice(struct news *news)
{
    struct arena arena;
    struct pg_params params;
    size_t count = news->count - news->at;
    if (count > SLICE_MAX)
        count = SLICE_MAX;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    fill_slice(news, &params, count);
    news->at += count;
    bool asked = pg_pool_read(news->pool, &find_news, &params, on_news, news);
    arena_release(&arena);
    return asked;
}

static void go_on(struct news *news)
{
    while (!news->failed && news->at < news->count && news->out < SLICES_AT_ONCE) {
        if (ask_slice(news))
            news->out++;
        else
            news->failed = true;
    }
    if (news->out == 0)
        end_round(news);
}

void news_turn(struct news *news, int64_t now)
{
    if (news->count == 0 || news->out > 0 || now < news->next)
        return;
    news->at = 0;
    news->began = now;
    news->failed = false;
    go_on(news);
}
