#include "store/outbox.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/pg_array.h"
#include "store/pg_connection.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

/* What is lost in a crash of PostgreSQL is the cursor together with what it says was read, and ends
 * of deliveries: they are made again. Nothing here waits for a disk. */
const char outbox_setup[] =
    "set synchronous_commit = off;set jit = off;set plan_cache_mode = force_generic_plan;"
    "set enable_seqscan = off;set enable_hashjoin = off;set enable_mergejoin = off;"
    "set enable_bitmapscan = off;set max_parallel_workers_per_gather = 0;"
    "set statement_timeout = '8s';set lock_timeout = '5s';"
    "set tcp_keepalives_idle = 5;set tcp_keepalives_interval = 2;set tcp_keepalives_count = 3";

static const struct pg_statement lead = {"outbox_lead", "select pg_try_advisory_lock(7309470)"};

/* Transactions of other roles can't be seen here, and don't post. Ours is among them: never null.
 */
static const struct pg_statement note_since = {
    "outbox_note_since",
    "update webhook_cursor set target_since = (select min(xact_start) from pg_stat_activity "
    "where datname = current_database()) where target is null"};
static const struct pg_statement aim = {
    "outbox_aim", "update webhook_cursor set target = pg_current_snapshot(), "
                  "position = uuid_floor(since - interval '10 s') where target is null"};

#define PAGE "5000"

/* Deliveries `from` a list, with who of them is blocked: not the first of its wallet, among the
 * list and what is pending. Two accounts can be customers'; a delivery has a side for each. */
#define LANES(from)                                                                            \
    "side as materialized (select f.*, wallet as lane, version as place from " from " f "      \
    "where wallet is not null or wallet_2 is null union all "                                  \
    "select f.*, wallet_2, version_2 from " from " f where wallet_2 is not null), "            \
    "marked as materialized (select webhook, event, wallet, version, wallet_2, version_2, "    \
    "bool_or(lane is not null and (nth > 1 or exists (select from webhook_lanes e "            \
    "where e.webhook = s.webhook and e.wallet = s.lane and e.version < s.place))) as blocked " \
    "from (select *, row_number() over (partition by webhook, lane order by place) as nth "    \
    "from side) s group by 1, 2, 3, 4, 5, 6), "                                                \
    "laid as (insert into webhook_lanes (webhook, wallet, version, event) "                    \
    "select webhook, lane, place, event from side where lane is not null on conflict do "      \
    "nothing), "

/* A page of the round: new transactions of partners that have webhooks. System accounts have no row
 * in wallets. */
static const struct pg_statement relay = {
    "outbox_relay",
    "with c as materialized (select * from webhook_cursor where target is not null), "
    "page as materialized (select t.* from c, lateral (select id, kind, caller, from_account, "
    "from_version, to_account, to_version, written_by from transactions where id > c.position "
    "order by id limit " PAGE ") t), "
    "fresh as materialized (select w.id as webhook, p.id as event, "
    "(select f.id from wallets f where f.id = p.from_account and p.from_version > 0) as wallet, "
    "p.from_version as version, "
    "(select o.id from wallets o where o.id = p.to_account and p.to_version > 0) as wallet_2, "
    "p.to_version as version_2 from c, page p "
    "join webhooks w on w.partner = p.caller and w.status = 1 and (w.kinds >> p.kind) & 1 = 1 "
    "where p.written_by >= pg_snapshot_xmin(c.seen) "
    "and not pg_visible_in_snapshot(p.written_by, c.seen) "
    "and pg_visible_in_snapshot(p.written_by, c.target) and not exists ("
    "select from webhook_deliveries d where d.webhook = w.id and d.event = p.id offset 0)), " LANES(
        "fresh") "put as (insert into webhook_deliveries (webhook, event, wallet, version, "
                 "wallet_2, version_2, "
                 "due, created_at) select webhook, event, wallet, version, wallet_2, version_2, "
                 "case when not blocked then now() end, now() from marked returning 1), "
                 "done as materialized (select count(*) < " PAGE " as whole from page), "
                 "moved as (update webhook_cursor set "
                 "seen = case when done.whole then target else seen end, "
                 "since = case when done.whole then target_since else since end, "
                 "target = case when done.whole then null else target end, "
                 "position = case when done.whole then null else "
                 "(select id from page order by id desc limit 1) end from done where target is not "
                 "null) "
                 "select (select count(*) from put), not done.whole, "
                 "exists (select from webhooks where status = 1), "
                 "(select (extract(epoch from c.since) * 1000)::bigint from c), "
                 "(select p.id from page p, c where not pg_visible_in_snapshot(p.written_by, "
                 "c.seen) "
                 "order by p.id limit 1) from done"};

#define UNBLOCKED(d)                                                           \
    "not exists (select from webhook_lanes e where e.webhook = " d ".webhook " \
    "and e.wallet = " d ".wallet and e.version < " d ".version) and "          \
    "not exists (select from webhook_lanes e where e.webhook = " d ".webhook " \
    "and e.wallet = " d ".wallet_2 and e.version < " d ".version_2)"

/* `due` is where to look; the lanes decide. */
#define SOME(again, limit)                                                            \
    "(select d.webhook, d.event, d.attempts, d.due from webhook_deliveries d "        \
    "where d.webhook = w.id and least(d.attempts, 1) = " again " and d.due <= now() " \
    "and not exists (select from unnest($1::uuid[], $2::uuid[]) b(webhook, event) "   \
    "where b.webhook = d.webhook and b.event = d.event) and " UNBLOCKED(              \
        "d") " order by d.due limit " limit ")"

static const struct pg_statement taken = {
    "outbox_taken",
    "select " WALLETS_PRICED_COLUMNS ", d.webhook, d.attempts, w.url, w.secret, "
    "case when w.previous_until > now() then w.previous_secret end "
    "from webhooks w cross join lateral (" SOME("0", "8") " union all " SOME(
        "1", "4") ") d "
                  "cross join lateral (select * from transactions where id = d.event offset 0) t "
                  "where w.status = 1 order by d.due limit 128"};

/* One transaction with the two behind it. A delivery that is noted as pending stays where it is. */
static const struct pg_statement note = {
    "outbox_note",
    "update webhook_deliveries d set status = u.status, due = u.due, attempts = d.attempts + 1, "
    "last_at = now(), last_status = u.last_status, last_error = u.last_error "
    "from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::timestamptz[], $5::smallint[], "
    "$6::text[]) u(webhook, event, status, due, last_status, last_error) "
    "where d.webhook = u.webhook and d.event = u.event and d.status < 2"};
static const struct pg_statement clear = {
    "outbox_clear",
    "delete from webhook_lanes l using (select d.webhook, x.wallet, x.version "
    "from unnest($1::uuid[], $2::uuid[]) u(webhook, event) cross join lateral (select * from "
    "webhook_deliveries where webhook = u.webhook and event = u.event and status > 1) d "
    "cross join lateral (values (d.wallet, d.version), (d.wallet_2, d.version_2)) x(wallet, "
    "version) offset 0) x "
    "where l.webhook = x.webhook and l.wallet = x.wallet and l.version = x.version"};
static const struct pg_statement unblock = {
    "outbox_unblock",
    "update webhook_deliveries d set due = now() from (select f.webhook, l.event "
    "from unnest($1::uuid[], $2::uuid[]) u(webhook, event) cross join lateral (select * from "
    "webhook_deliveries where webhook = u.webhook and event = u.event) f "
    "cross join lateral (values (f.wallet), (f.wallet_2)) x(wallet) "
    "cross join lateral (select event from webhook_lanes l where l.webhook = f.webhook "
    "and l.wallet = x.wallet order by version limit 1) l offset 0) h "
    "where d.webhook = h.webhook and d.event = h.event and d.status < 2 and d.due is null "
    "and " UNBLOCKED("d")};
static const struct pg_statement end = {"outbox_end",
                                        "update webhooks set status = 2, ended_at = now() "
                                        "where id = any($1::uuid[]) and status = 1"};
static const struct pg_statement hurry = {
    "outbox_hurry",
    "update webhook_deliveries d set due = now() from (select webhook, event from "
    "webhook_deliveries where webhook = $1::uuid and least(attempts, 1) = 1 and due > now() "
    "order by due limit 500) l where d.webhook = l.webhook and d.event = l.event"};

/* Told again: a page of the oldest wish. What is pending already is due now. */
static const struct pg_statement again = {
    "outbox_again",
    "with r as materialized (select * from webhook_replays order by webhook limit 1), "
    "page as materialized (select d.* from r, lateral (select webhook, event, wallet, version, "
    "wallet_2, version_2 from webhook_deliveries "
    "where webhook = r.webhook and event > r.after and event <= r.until "
    "order by event limit 500) d), " LANES(
        "page") "put as (update webhook_deliveries d set status = 1, attempts = 0, "
                "due = case when not m.blocked then now() end "
                "from marked m where d.webhook = m.webhook and d.event = m.event), "
                "moved as (update webhook_replays w set after = (select event from page order by "
                "event desc "
                "limit 1) from r where w.webhook = r.webhook and (select count(*) from page) = "
                "500), "
                "over as (delete from webhook_replays w using r where w.webhook = r.webhook "
                "and (select count(*) from page) < 500) "
                "select count(*) = 500 from page"};

/* Of webhooks that are over: what is pending has failed; the whole log goes with a deleted one. */
static const struct pg_statement sweep_over = {
    "outbox_sweep_over",
    "with picked as materialized (select d.webhook, d.event, w.status from webhooks w "
    "cross join lateral ((select webhook, event from webhook_deliveries where webhook = w.id "
    "and status = 1 and w.status = 2 order by event limit 1000) union all "
    "(select webhook, event from webhook_deliveries where webhook = w.id "
    "and w.status = 3 order by event limit 1000)) d where w.status > 1), "
    "failed as (update webhook_deliveries d set status = 3, due = null, "
    "last_error = 'the webhook has ended' from picked s where s.status = 2 and s.webhook = "
    "d.webhook "
    "and s.event = d.event), "
    "gone as (delete from webhook_deliveries d using picked s where s.status = 3 "
    "and s.webhook = d.webhook and s.event = d.event), "
    "lanes as (delete from webhook_lanes l using webhooks w where w.status > 1 "
    "and l.webhook = w.id), "
    "wishes as (delete from webhook_replays r using webhooks w where w.status > 1 "
    "and r.webhook = w.id) "
    "delete from webhooks w where w.status = 3 and not exists (select from picked s "
    "where s.webhook = w.id)"};
static const struct pg_statement sweep_old = {
    "outbox_sweep_old",
    "delete from webhook_deliveries d using (select o.webhook, o.event from webhooks w "
    "cross join lateral (select webhook, event from webhook_deliveries where webhook = w.id "
    "and event < uuid_floor(now() - interval '30 days') and status > 1 "
    "order by event limit 1000) o) o where d.webhook = o.webhook and d.event = o.event"};

static const struct pg_statement look = {
    "outbox_look",
    "select (select count(*) from (select from webhook_deliveries where status = 1 "
    "limit 100000) l), "
    "(select (extract(epoch from now() - min(d.due)) * 1000000)::bigint from webhooks w "
    "cross join lateral (select due from webhook_deliveries where webhook = w.id "
    "and least(attempts, 1) = 0 and due is not null order by due limit 1) d where w.status = 1)"};

const struct pg_statement *const outbox_statements[] = {
    &lead, &note_since, &aim,   &relay,      &taken,     &note, &clear, &unblock,
    &end,  &hurry,      &again, &sweep_over, &sweep_old, &look, NULL};

enum outbox_answer outbox_which(const struct pg_statement *statement)
{
    return statement == &lead    ? OUTBOX_LED
           : statement == &relay ? OUTBOX_RELAYED
           : statement == &taken ? OUTBOX_TAKEN
           : statement == &look  ? OUTBOX_LOOKED
                                 : OUTBOX_NOTHING;
}

static bool ask_plain(struct pg_connection *connection, struct arena *arena,
                      const struct pg_statement *statement)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    return pg_connection_ask(connection, statement, &params);
}

bool outbox_ask_lead(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &lead) && pg_connection_sync(connection);
}

bool outbox_ask_relay(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &note_since) && ask_plain(connection, arena, &aim) &&
           ask_plain(connection, arena, &relay) && pg_connection_sync(connection);
}

bool outbox_ask_sweep(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &sweep_over) && pg_connection_sync(connection) &&
           ask_plain(connection, arena, &sweep_old) && pg_connection_sync(connection);
}

bool outbox_ask_look(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &look) && pg_connection_sync(connection);
}

bool outbox_ask_replay(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &again) && pg_connection_sync(connection);
}

bool outbox_take_replayed(const struct pg_rows *rows)
{
    return pg_rows_bool(rows, 0, 0);
}

bool outbox_took_lead(const struct pg_rows *rows)
{
    return pg_rows_bool(rows, 0, 0);
}

struct outbox_relayed outbox_take_relayed(const struct pg_rows *rows)
{
    struct outbox_relayed relayed = {
        .put = pg_rows_int(rows, 0, 0),
        .more = pg_rows_bool(rows, 0, 1),
        .active = pg_rows_bool(rows, 0, 2),
        .has_lead = !pg_rows_is_null(rows, 0, 3) && !pg_rows_is_null(rows, 0, 4),
    };
    if (relayed.has_lead) {
        struct uuid oldest = pg_rows_uuid(rows, 0, 4);
        relayed.lead_us = (uuid_milliseconds(&oldest) - pg_rows_int(rows, 0, 3)) * 1000 +
                          (int64_t)OUTBOX_SKEW_S * CLOCK_SECOND;
    }
    return relayed;
}

static void add_places(struct pg_params *params, const struct outbox_place *places, size_t count)
{
    struct pg_array array;
    pg_array_begin(&array, params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&array, &places[i].webhook);
    pg_array_end(&array);
    pg_array_begin(&array, params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&array, &places[i].event);
    pg_array_end(&array);
}

bool outbox_ask_taken(struct pg_connection *connection, struct arena *arena,
                      const struct outbox_place *busy, size_t count)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    add_places(&params, busy, count);
    return pg_connection_ask(connection, &taken, &params) && pg_connection_sync(connection);
}

bool outbox_take_delivery(const struct pg_rows *rows, int row, struct arena *arena,
                          struct outbox_delivery *delivery)
{
    enum { OWN = WALLETS_PRICED_COUNT };
    *delivery = (struct outbox_delivery){
        .event = pg_rows_uuid(rows, row, 0),
        .webhook = pg_rows_uuid(rows, row, OWN),
        .attempts = (int)pg_rows_int(rows, row, OWN + 1),
    };
    return wallets_take_priced(rows, row, arena, &delivery->transaction) &&
           pg_rows_take_text(rows, row, OWN + 2, arena, &delivery->url) &&
           pg_rows_take_text(rows, row, OWN + 3, arena, &delivery->secret) &&
           pg_rows_take_text(rows, row, OWN + 4, arena, &delivery->previous_secret);
}

/* The rest of outbox_note's parameters. */
static void add_ends(struct pg_params *params, const struct outbox_end *ends, size_t count)
{
    struct pg_array array;
    pg_array_begin(&array, params, PG_SMALLINT, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_smallint(&array, (int16_t)ends[i].status);
    pg_array_end(&array);
    pg_array_begin(&array, params, PG_TIME, (int)count);
    for (size_t i = 0; i < count; i++)
        if (ends[i].status == OUTBOX_PENDING)
            pg_array_time(&array, ends[i].due);
        else
            pg_array_text(&array, (struct slice){NULL, 0});
    pg_array_end(&array);
    pg_array_begin(&array, params, PG_SMALLINT, (int)count);
    for (size_t i = 0; i < count; i++)
        if (ends[i].http_status > 0)
            pg_array_smallint(&array, (int16_t)ends[i].http_status);
        else
            pg_array_text(&array, (struct slice){NULL, 0});
    pg_array_end(&array);
    pg_array_begin(&array, params, PG_TEXT, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(&array, ends[i].error);
    pg_array_end(&array);
}

static bool ask_places(struct pg_connection *connection, struct arena *arena,
                       const struct pg_statement *statement, const struct outbox_place *places,
                       size_t count)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    add_places(&params, places, count);
    return pg_connection_ask(connection, statement, &params);
}

/* Those whose receivers want no more. */
static bool ask_end(struct pg_connection *connection, struct arena *arena,
                    const struct outbox_end *ends, size_t count)
{
    struct pg_params params;
    struct pg_array array;
    int over = 0;
    for (size_t i = 0; i < count; i++)
        over += ends[i].ends_webhook;
    if (over == 0)
        return true;
    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_UUID, over);
    for (size_t i = 0; i < count; i++)
        if (ends[i].ends_webhook)
            pg_array_uuid(&array, &ends[i].place.webhook);
    pg_array_end(&array);
    return pg_connection_ask(connection, &end, &params);
}

bool outbox_ask_note(struct pg_connection *connection, struct arena *arena,
                     const struct outbox_end *ends, size_t count)
{
    struct outbox_place *places = arena_array(arena, count, sizeof places[0]);
    struct pg_params params;
    if (places == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        places[i] = ends[i].place;
    pg_params_init(&params, arena);
    add_places(&params, places, count);
    add_ends(&params, ends, count);
    return pg_connection_ask(connection, &note, &params) &&
           ask_places(connection, arena, &clear, places, count) &&
           ask_places(connection, arena, &unblock, places, count) &&
           ask_end(connection, arena, ends, count) && pg_connection_sync(connection);
}

bool outbox_ask_hurry(struct pg_connection *connection, struct arena *arena,
                      const struct uuid *webhook)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_params_uuid(&params, webhook);
    return pg_connection_ask(connection, &hurry, &params) && pg_connection_sync(connection);
}

struct outbox_state outbox_take_state(const struct pg_rows *rows)
{
    struct outbox_state state = {.pending = pg_rows_int(rows, 0, 0)};
    if (!pg_rows_is_null(rows, 0, 1) && pg_rows_int(rows, 0, 1) > 0)
        state.overdue_us = pg_rows_int(rows, 0, 1);
    return state;
}
