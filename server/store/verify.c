#include "store/verify.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "store/verify_answers.h"
#include "store/verify_cache.h"
#include "store/verify_seals.h"
#include "store/verify_sums.h"

/* Each question answers one row: looked_at, broken, the first broken one as text. The numbers of
 * kinds are those of server/ledger/account.h and transaction.h. */

/* A transaction has one posting on each side as its row says, and one to the fees when it has one:
 * as many as that and no others. Holds, voids and expiries (4, 6, 7) only put aside or free again
 * on the payer's; in refunds and reversals (8, 9) the fees give back beside the amount. */
static const char zero_sum[] =
    "with said as (select id, currency, from_account, from_version, to_account, to_version, kind, "
    "fee, case when kind in (4, 6, 7) then 0 when kind in (8, 9) then - amount "
    "else - (amount + fee) end as paid, "
    "case when kind in (4, 6, 7) then 0 when kind in (8, 9) then amount + fee else amount end "
    "as received, case when kind in (4, 6, 7) then 0 when kind in (8, 9) then - fee else fee end "
    "as charged, case when kind in (4, 6, 7) then 1 else 2 + (fee > 0)::integer end as legs, "
    "case kind when 4 then amount + fee when 6 then - (amount + fee) when 7 then - (amount + fee) "
    "end as held from transactions), "
    "legs as (select p.transaction_id as id, sum(p.amount) as total, count(*) as n, "
    "bool_and(t.id is not null) as known, "
    "bool_and(a.currency is not distinct from t.currency) as one_money, "
    "max(t.legs) as legs, max((t.received <> 0)::integer) as receives, "
    "max((t.charged <> 0)::integer) as charges, "
    "count(*) filter (where p.account = t.from_account and p.version = t.from_version "
    "and p.amount = t.paid and (t.held is null or p.hold = t.held)) as paid, "
    "count(*) filter (where p.account = t.to_account and p.version = t.to_version "
    "and p.amount = t.received) as received, "
    "count(*) filter (where a.kind = 2 and p.amount = t.charged) as charged "
    "from postings p left join said t on t.id = p.transaction_id "
    "left join accounts a on a.id = p.account group by p.transaction_id), "
    "bad as (select case when not known then 'posting without transaction ' || id "
    "when total <> 0 then 'transaction ' || id || ' sums to ' || total "
    "else 'transaction ' || id || ' and its postings differ' end as x from legs "
    "where not known or total <> 0 or not one_money or paid <> 1 or received <> receives "
    "or charged <> charges or n <> legs "
    "union all select 'transaction without postings ' || id from transactions t "
    "where not exists (select from legs where legs.id = t.id) "
    "union all select 'currency ' || currency || ' sums to ' || sum(posted) from accounts "
    "group by currency having sum(posted) <> 0 "
    "union all select 'transaction ' || t.id || ' and its link differ' from transactions t "
    "left join links l on l.transaction_id = t.id and l.kind = t.kind and l.amount = t.amount "
    "and l.fee = t.fee where t.kind between 5 and 10 and l.original is null "
    "union all select 'link without transaction ' || l.transaction_id from links l "
    "left join transactions t on t.id = l.transaction_id and case l.kind when 100 then "
    "t.kind = 2 and t.amount = l.amount and t.fee = l.fee else t.kind = l.kind end "
    "where t.id is null and not exists (select from archives m "
    "where l.transaction_id >= m.begins and l.transaction_id < m.ends) "
    "union all select 'more than transaction ' || o.id || ' went back' from transactions o "
    "join (select original, sum(amount) as amount, sum(fee) as fee from links "
    "where kind in (8, 9) group by original) l on l.original = o.id "
    "where l.amount > o.amount or l.fee > o.fee) "
    "select (select count(*) from legs), count(*), min(x) from bad";

/* What an archived month did to an account is one step of many versions. */
static const char balances[] =
    "with steps as (select account, version, version - 1 as since, amount, posted_after, hold, "
    "held_after from postings union all select account, version, first_version - 1, "
    "posted - posted_before, posted, held - held_before, held from archive_balances), "
    "p as (select account, sum(amount) s, sum(hold) h, sum(version - since) n, max(version) v, "
    "(array_agg(posted_after order by version desc))[1] last, "
    "(array_agg(held_after order by version desc))[1] held from steps group by 1), "
    "chain as (select account, version, posted_after, amount, held_after, hold, "
    "lag(posted_after, 1, 0::bigint) over w as before, lag(held_after, 1, 0::bigint) over w "
    "as held_before from steps window w as (partition by account order by version)), "
    "bad as (select 'account ' || a.id as x from accounts a left join p on p.account = a.id "
    "where a.posted <> coalesce(p.s, 0) or a.version <> coalesce(p.v, 0) "
    "or coalesce(p.n, 0) <> coalesce(p.v, 0) or a.posted <> coalesce(p.last, 0) "
    "or a.held <> coalesce(p.h, 0) or a.held <> coalesce(p.held, 0) "
    "union all select 'posting of no account ' || account from p "
    "where not exists (select from accounts a where a.id = p.account) "
    "union all select 'posting ' || account || ' version ' || version from chain "
    "where posted_after <> before + amount or held_after <> held_before + hold) "
    "select (select count(*) from accounts), count(*), min(x) from bad";

/* What was paid for has its goods, and what has none isn't paid for; a voucher was sold to one who
 * paid. A step's row may be one behind its money: the next driver finds it there. */
#define BOUGHT                                                                                   \
    "union all select 'purchase ' || p.id from purchases p left join holds h on h.id = p.hold "  \
    "where (p.status between 2 and 4 and h.status is distinct from 1) "                          \
    "or (p.status = 5 and h.status not in (1, 2)) or (p.status = 6 and h.status not in (1, 3)) " \
    "or (p.status = 7 and (h.status is distinct from 2 or h.finished_by <> p.transaction_id "    \
    "or h.captured <> p.amount)) or (p.status = 8 and h.status is distinct from 3) "             \
    "union all select 'captured for no purchase: ' || l.transaction_id from links l "            \
    "left join purchases p on p.hold = l.original and p.status in (5, 7) "                       \
    "where l.kind = 10 and p.id is null "                                                        \
    "union all select 'voucher ' || v.id from voucher_stock v "                                  \
    "left join purchases p on p.id = v.purchase where v.status <> "                              \
    "case when p.id is null then 1 when p.status = 7 then 3 when p.status < 7 then 2 else 0 end"

#define SHARE "div(h.fee::numeric * h.captured, h.amount)"

/* Fees and settlement (2, 3) have no floor, but what fees took together is never below zero. Any
 * other account gets below its own only by a reversal that said so, and then only upwards. Each
 * open hold is held, and each finished one was finished by its one link: postings and holds say the
 * same. A capture by the payer cost the whole fee, anybody else's its share; of one that is
 * archived nobody knows any more who it was. */
static const char floors[] =
    "with flagged as (select id from transactions where kind = 9 "
    "and facts = '{\"allow_negative\":true}'), "
    "low as (select p.account, p.version, p.transaction_id, p.amount - p.hold as rise "
    "from postings p join accounts a on a.id = p.account where p.posted_after - p.held_after < "
    "case when a.kind in (2, 3) then a.floor else greatest(a.floor, 0) end), "
    "held as (select from_account as id, sum(amount + fee) as held from holds where status = 1 "
    "group by 1), "
    "ends as (select h.id, h.status, h.finished_by, count(l.original) as n, "
    "count(*) filter (where l.transaction_id = h.finished_by and case h.status "
    "when 2 then l.kind in (5, 10) and l.amount = h.captured "
    "and l.fee in "
    "(case when t.caller = a.owner then h.fee else " SHARE " end, "
    "case when t.caller <> a.owner then " SHARE " else h.fee end) "
    "when 3 then l.kind = 6 else l.kind = 7 end) as good "
    "from holds h left join links l on l.original = h.id and l.kind in (5, 6, 7, 10) "
    "left join transactions t on t.id = l.transaction_id and t.kind in (5, 10) "
    "left join accounts a on a.id = h.from_account group by h.id), "
    "bad as (select 'posting ' || account || ' version ' || version as x from low "
    "where rise < 0 and transaction_id not in (select id from flagged) "
    "union all select 'account ' || a.id from accounts a left join held h on h.id = a.id "
    "where a.posted - a.held < a.floor or a.held <> coalesce(h.held, 0) "
    "union all select 'fees of currency ' || currency || ' are ' || sum(posted) from accounts "
    "where kind = 2 group by currency having sum(posted) < 0 "
    "union all select 'hold ' || id from ends "
    "where n <> (status <> 1)::integer or good <> (status <> 1)::integer "
    "union all select 'hold and transaction ' || coalesce(h.id, t.id) from holds h "
    "full join (select * from transactions where kind = 4) t on t.id = h.id "
    "and t.from_account = h.from_account and t.to_account = h.to_account "
    "and t.currency = h.currency and t.amount = h.amount and t.fee = h.fee "
    "where h.id is null or t.id is null and not exists (select from archives m "
    "where h.id >= m.begins and h.id < m.ends) "
    "union all select 'link to no hold ' || l.original from links l "
    "left join holds h on h.id = l.original where l.kind in (5, 6, 7, 10) and h.id is null "
    "union all select 'posting ' || coalesce(p.transaction_id, h.id) || ' and its hold' from "
    "(select transaction_id, account, hold from postings where hold <> 0) p full join "
    "(select id, from_account, amount + fee as hold from holds union all "
    "select finished_by, from_account, - (amount + fee) from holds where status <> 1) h "
    "on h.id = p.transaction_id and h.from_account = p.account and h.hold = p.hold "
    "where h.id is null or p.account is null and not exists (select from archives m "
    "where h.id >= m.begins and h.id < m.ends) " BOUGHT ") "
    "select (select count(*) from postings), count(*), min(x) from bad";

/* Calls that move no money are remembered, too: their keys have no transaction, and their answers
 * no transaction's id. A bulk's key names its first transaction, links (100) lead from it to the
 * others: its members. */
static const char keys[] =
    "with away as (select i.caller, i.key, i.answer, m.month from idempotency i join archives m "
    "on i.transaction_id >= m.begins and i.transaction_id < m.ends), "
    "members as (select l.transaction_id as id, l.original, i.caller from links l "
    "left join idempotency i on i.transaction_id = l.original where l.kind = 100), "
    "bad as (select 'key ' || key || ' without its transaction' as x from idempotency i "
    "where transaction_id is not null "
    "and not exists (select from transactions t where t.id = i.transaction_id) "
    "and not exists (select from away where away.key = i.key and away.caller = i.caller) "
    "union all select 'key ' || key || ' without its answer, which is archived' from away "
    "where answer is null "
    "union all select 'archive ' || m.month || ' has ' || m.transactions || ' transactions and ' "
    "|| count(a.month) || ' keys' from archives m left join (select month from away union all "
    "select o.month from members x join archives o on x.id >= o.begins and x.id < o.ends) a "
    "on a.month = m.month group by m.month having count(a.month) <> m.transactions "
    "union all select 'link to no bulk ' || original from members where caller is null "
    "union all select 'key ' || key || ' promises a transaction it has not' from idempotency "
    "where transaction_id is null and substr(answer, 1, 10) in ('{\"id\":\"tx_'::bytea, "
    "'{\"id\":\"hld'::bytea, '{\"mode\":\"a'::bytea, '{\"mode\":\"e'::bytea) "
    "union all select 'transaction without key ' || id from transactions t "
    "where not exists (select from idempotency i where i.transaction_id = t.id) "
    "and not exists (select from members where members.id = t.id) "
    "union all select 'transaction of two keys ' || id from (select transaction_id as id "
    "from idempotency where transaction_id is not null union all select id from members) x "
    "group by id having count(*) > 1 "
    "union all select 'key ' || key || ' of another caller' from idempotency i "
    "join transactions t on t.id = i.transaction_id where t.caller <> i.caller "
    "union all select 'transaction ' || t.id || ' of another caller than its bulk' "
    "from members m join transactions t on t.id = m.id where t.caller <> m.caller "
    "union all select 'refused key ' || key || ' has a transaction' from idempotency "
    "where status not in (200, 201) and transaction_id is not null "
    "union all select 'key ' || key || ' has another status' from idempotency i "
    "join transactions t on t.id = i.transaction_id "
    "where i.status in (200, 201) and i.status <> case t.kind when 6 then 200 else 201 end) "
    "select (select count(*) from idempotency), count(*), min(x) from bad";

/* What is only ever added to, with all partitions. The money's rows are guarded by triggers, too:
 * against roles that may more than the server's. */
static const char unchanged[] =
    "with recursive parts as (select oid, oid as root from pg_class where oid in "
    "('transactions'::regclass, 'postings'::regclass, 'idempotency'::regclass, "
    "'rule_bundles'::regclass, 'links'::regclass, 'seals'::regclass, 'seal_late'::regclass) "
    "union all select i.inhrelid, p.root from parts p join pg_inherits i on i.inhparent = p.oid), "
    "guards as (select * from (values ('never_change'), ('never_emptied')) as g(guard)), "
    "bad as (select 'moolah_server may change ' || oid::regclass as x from parts where "
    "has_any_column_privilege('moolah_server', oid, 'UPDATE') or "
    "has_table_privilege('moolah_server', oid, 'DELETE') or "
    "has_table_privilege('moolah_server', oid, 'TRUNCATE') or "
    "has_table_privilege('moolah_server', oid, 'TRIGGER') "
    "union all select 'no trigger ' || guard || ' guards ' || oid::regclass from parts, guards "
    "where root in ('transactions'::regclass, 'postings'::regclass, 'links'::regclass, "
    "'seals'::regclass, 'seal_late'::regclass) "
    "and not exists (select from pg_trigger t where t.tgrelid = parts.oid "
    "and t.tgname like '%' || guard and t.tgenabled in ('O', 'A'))) "
    "select (select count(*) from parts), count(*), min(x) from bad";

/* What is left of each movement that counts (ledger/limit.h), from each counter's begin on. */
static const char limits[] =
    "with stored as materialized (select a.id, c.class, c.period, c.begins, c.sum, c.count "
    "from accounts a cross join lateral limit_counters(case when limit_readable(a.counters) then "
    "a.counters end) c where a.counters is not null), "
    "back as (select original, sum(amount) as amount from links where kind in (8, 9) group by 1), "
    "moved as (select t.from_account as id, t.kind - 2 as class, uuid_milliseconds(t.id) as at, "
    "case when f.kind in (6, 7) then 0 when f.kind is not null then f.amount else t.amount end "
    "- coalesce(b.amount, 0) as sum, case when f.kind in (6, 7) then 0 else 1 end as count "
    "from transactions t left join links f on f.original = t.id and f.kind in (5, 6, 7, 10) "
    "left join back b on b.original = coalesce(f.transaction_id, t.id) where t.kind in (2, 3, 4) "
    "and t.id >= (select uuid_floor(to_timestamp(min(begins) / 1000)) from stored)), "
    "counted as (select s.id, s.class, s.period, sum(m.sum) as sum, sum(m.count) as count "
    "from stored s join moved m on m.id = s.id and m.class = s.class and m.at >= s.begins "
    "group by 1, 2, 3), "
    "ahead as (select (extract(epoch from now()) * 1000)::bigint + 86400000 as at), "
    "bad as (select 'unreadable counters of account ' || id as x from accounts "
    "where not limit_readable(counters) union all select distinct 'counters of account ' || id || "
    "' of a day to come' from stored, ahead where begins > ahead.at "
    "union all select 'counters of account ' || s.id as x from stored s left join counted c "
    "on c.id = s.id and c.class = s.class and c.period = s.period "
    "where s.sum <> coalesce(c.sum, 0) or s.count <> coalesce(c.count, 0)) "
    "select (select count(*) from stored), count(*), min(x) from bad";

static const struct invariant {
    const char *name;
    const char *what;
    const char *sql;  /* NULL: not a question to the database alone */
    const char *sums; /* verify_sums.h; asked first, and nothing more when they agree */
} invariants[] = {
    {"1 zero sum",
     "the postings of each transaction sum to zero and are what its row says; so do all balances",
     zero_sum, verify_sums_legs},
    {"2 balances",
     "posted is the sum of postings and stands with the last one; versions are gapless", balances,
     verify_sums_balances},
    {"3 floors", "no account under its floor, at no version; held is the sum of open holds", floors,
     NULL},
    {"4 keys",
     "every transaction has its key, every key its transaction; a refused key moved "
     "nothing",
     keys, verify_sums_keys},
    {"5 unchanged",
     "nobody may change transactions, postings or what priced them: privileges and "
     "triggers",
     unchanged, NULL},
    {"6 cache",
     "every access token in Redis is an open sign-in or key of the database; no copy is ahead of "
     "its wallet, or says anything else than was booked",
     NULL, NULL},
    {"7 own writes", "every remembered answer says what was booked, and the balance after it", NULL,
     NULL},
    {"8 limits", "limit counters equal what is left of the movements since they began", limits,
     NULL},
    {"5 sealed",
     "every seal follows from the one before, and what it sealed is there as it was: rows, "
     "postings, checkpoints",
     NULL, NULL},
};

static void fail(struct verify *verify, const char *what)
{
    snprintf(verify->error, sizeof verify->error, "%s", what);
    char *end = strchr(verify->error, '\n');
    if (end != NULL)
        *end = '\0';
}

static bool ask(PGconn *conn, const char *sql, struct verify_line *line)
{
    PGresult *answer = PQexec(conn, sql);
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    if (good) {
        line->looked_at = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
        line->broken = strtoll(PQgetvalue(answer, 0, 1), NULL, 10);
        snprintf(line->first, sizeof line->first, "%s", PQgetvalue(answer, 0, 2));
    }
    PQclear(answer);
    return good;
}

/* line->searched: they don't, and what is broken is to be looked for. */
static bool add_up(PGconn *conn, const char *sql, struct verify_line *line)
{
    uint64_t seed;
    char text[24];
    const char *params[] = {text};
    crypto_random(&seed, sizeof seed);
    snprintf(text, sizeof text, "%lld", (long long)(seed >> 1));
    PGresult *answer = PQexecParams(conn, sql, 1, NULL, params, NULL, NULL, 0);
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    if (good) {
        line->looked_at = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
        line->searched = PQgetvalue(answer, 0, 1)[0] != 't';
    }
    PQclear(answer);
    return good;
}

/* False: the database could not say; its words are on `conn`. */
static bool check(struct verify *verify, PGconn *conn, const struct invariant *invariant,
                  const struct verify_seals_file *file, struct verify_line *line)
{
    line->searched = invariant->sql != NULL;
    if (invariant->sums != NULL && !add_up(conn, invariant->sums, line))
        return false;
    if (invariant->sql != NULL)
        return !line->searched || ask(conn, invariant->sql, line);
    if (invariant->name[0] == '5')
        return verify_seals_check(conn, file, verify->keys, line);
    if (invariant->name[0] == '7')
        return verify_answers_check(conn, line);
    verify_cache_check(verify->conninfo, verify->redis, line);
    return true;
}

/* Whole tables are read, whatever the statistics of young ones say: a nested loop would never end.
 * work_mem is for each hash table of each process; what is larger goes to disk. */
static bool begin(PGconn *conn)
{
    PGresult *answer =
        PQexec(conn, "begin isolation level repeatable read read only; "
                     "set local work_mem = '64MB'; set local hash_mem_multiplier = 2; "
                     "set local enable_nestloop = off; set local enable_partitionwise_join = on; "
                     "set local enable_partitionwise_aggregate = on; set local jit = off; "
                     "set local statement_timeout = 0");
    bool good = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    return good;
}

bool verify_run(struct verify *verify)
{
    const struct verify_seals_file file = verify_seals_look(verify->checkpoints);
    PGconn *conn = PQconnectdb(verify->conninfo);
    bool good = PQstatus(conn) == CONNECTION_OK && begin(conn);
    for (size_t i = 0; good && i < sizeof invariants / sizeof invariants[0]; i++) {
        struct verify_line line = {
            .name = invariants[i].name, .what = invariants[i].what, .checked = true};
        good = check(verify, conn, &invariants[i], &file, &line);
        if (good)
            verify->tell(verify->owner, &line);
    }
    if (!good)
        fail(verify, PQerrorMessage(conn));
    PQfinish(conn);
    return good;
}
