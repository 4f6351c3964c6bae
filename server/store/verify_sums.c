#include "store/verify_sums.h"

/* PostgreSQL's own hash functions, each the seed of the next: so a row's columns are bound to each
 * other. hashint8extended sees the halves of a bigint xored only: so the upper one again. */
#define ID(id, seed) "uuid_hash_extended(" id ", " seed ")"
#define INTEGER(n, seed) "hashint4extended(" n ", " seed ")"
#define BIGINT(n, seed) "hashint8extended((" n ") >> 32, hashint8extended(" n ", " seed "))"
#define SUM(hash) "coalesce(sum(" hash "), 0)"

#define LEG(transaction, account, version, amount, currency) \
    INTEGER(currency, BIGINT(amount, BIGINT(version, ID(account, ID(transaction, "$1")))))
#define ANY "'00000000-0000-0000-0000-000000000000'::uuid"

/* What a transaction's row says of its legs, by its kind (ledger/transaction.h): 4, 6 and 7 only
 * put aside or free again; in 8 and 9 the fees give back. */
#define OUT                                                                                       \
    "case when kind in (8, 9) then - amount when kind in (4, 6, 7) then 0 else - (amount + fee) " \
    "end"
#define IN "case when kind in (8, 9) then amount + fee else amount end"
#define FEE "case when kind in (8, 9) then - fee else fee end"
#define PAID SUM(LEG("id", "from_account", "from_version", OUT, "currency"))
#define RECEIVED                                                                          \
    SUM("case when kind not in (4, 6, 7) then " LEG("id", "to_account", "to_version", IN, \
                                                    "currency") " end")
#define CHARGED                                                                              \
    SUM("case when fee > 0 and kind not in (4, 6, 7) then " LEG("id", ANY, "0::bigint", FEE, \
                                                                "currency") " end")
#define LEGS "sum(case when kind in (4, 6, 7) then 1 when fee > 0 then 3 else 2 end)"
#define BOOKED                                                                     \
    SUM(LEG("p.transaction_id", "case when a.kind = 2 then " ANY " else a.id end", \
            "case when a.kind = 2 then 0 else p.version end", "p.amount", "a.currency"))

/* In a month that was archived. */
#define AWAY(id) "exists (select from archives m where " id " >= m.begins and " id " < m.ends)"

/* Whatever belongs to something earlier has its link, which says the same of it. */
#define BELONGS(id) BIGINT("fee", BIGINT("amount", INTEGER("kind::integer", ID(id, "$1"))))
#define LATER SUM("case when kind between 5 and 10 then " BELONGS("id") " end")

/* Of a bulk: a link (100) to what isn't the transfer it says. */
#define STRAY                                                                                  \
    "(select from links b left join transactions t on t.id = b.transaction_id and t.kind = 2 " \
    "and t.amount = b.amount and t.fee = b.fee where b.kind = 100 and t.id is null "           \
    "and not " AWAY("b.transaction_id") ")"

/* A transaction's row doesn't say which of the fee accounts was paid: any will do. Counted, too: a
 * posting of an unknown account has no hash. The originals of what went back are few, and looked
 * up.
 */
const char verify_sums_legs[] =
    "with said as (select count(*) as n, coalesce(" LEGS ", 0) as legs, " PAID " + " RECEIVED
    " + " CHARGED " as total, " LATER " as later from transactions), "
    "booked as (select count(*) as legs, " BOOKED " as total "
    "from postings p left join accounts a on a.id = p.account), "
    "linked as (select " SUM(BELONGS(
        "transaction_id")) " as later from links "
                           "where kind < 100 and not " AWAY(
                               "transaction_id") ") "
                                                 "select said.n, said.legs = booked.legs and "
                                                 "said.total = booked.total "
                                                 "and said.later = linked.later and not exists "
                                                 "(select from accounts group by currency having "
                                                 "sum(posted) <> 0) and not exists " STRAY
                                                 " and not exists "
                                                 "(select from (select original, sum(amount) as "
                                                 "amount, sum(fee) as fee from links "
                                                 "where kind in (8, 9) group by original) l left "
                                                 "join transactions o on o.id = l.original "
                                                 "where o.id is null and not " AWAY(
                                                     "l.original") " or l.amount > o.amount or "
                                                                   "l.fee > o.fee) "
                                                                   "from said, booked, linked";

#define POINT(account, version, posted, held) \
    BIGINT(held, BIGINT(posted, BIGINT(version, ID(account, "$1"))))
#define REACHED SUM(POINT("account", "version", "posted_after", "held_after"))
#define LEFT SUM(POINT("account", "version - 1", "posted_after - amount", "held_after - hold"))
#define STANDS SUM(POINT("id", "version", "posted", "held"))
#define BEGAN SUM(POINT("id", "0::bigint", "0::bigint", "0::bigint"))

#define ARRIVED SUM(POINT("account", "version", "posted", "held"))
#define DEPARTED SUM(POINT("account", "first_version - 1", "posted_before", "held_before"))

/* Each posting leads from one point (account, version, balance) to that of the next version: what
 * is left when all are added up is where each account began, at (0, 0, 0), and where it stands.
 * What a month did that was archived is one long step. */
const char verify_sums_balances[] =
    "with here as (select " REACHED " - " LEFT " as total from postings), "
    "away as (select " ARRIVED " - " DEPARTED " as total from archive_balances), "
    "walked as (select here.total + away.total as total from here, away), "
    "stand as (select count(*) as n, " STANDS " - " BEGAN " as total from accounts) "
    "select stand.n, stand.total = walked.total from stand, walked";

#define KEY INTEGER("status::integer", ID("caller", ID("transaction_id", "$1")))
#define MOVED SUM(INTEGER("case kind when 6 then 200 else 201 end", ID("caller", ID("id", "$1"))))

#define MEMBER INTEGER("i.status::integer", ID("i.caller", ID("l.transaction_id", "$1")))

/* A bulk's key stands for the transactions that links (100) lead to, too, as if it named each.
 * A key of an archived transaction has its answer, and the archive's count. */
const char verify_sums_keys[] =
    "with mine as not materialized (select i.*, m.month from idempotency i left join archives m "
    "on i.transaction_id >= m.begins and i.transaction_id < m.ends), "
    "kept as (select count(*) as n, count(transaction_id) filter (where month is null) as "
    "moved, coalesce(sum(" KEY ") filter (where month is null), 0) as total, "
    "count(month) as away, count(*) filter (where month is not null and answer is null) as mute, "
    "count(*) filter (where case when transaction_id is null "
    "then substr(answer, 1, 10) in ('{\"id\":\"tx_'::bytea, '{\"id\":\"hld'::bytea, "
    "'{\"mode\":\"a'::bytea, '{\"mode\":\"e'::bytea) "
    "else month is not null and status not in (200, 201) end) as wrong "
    "from mine), members as (select count(*) filter (where m.month is null) as moved, "
    "coalesce(sum(" MEMBER ") filter (where m.month is null), 0) as total, "
    "count(m.month) as away, count(*) filter (where i.caller is null) as stray "
    "from links l left join idempotency i on i.transaction_id = l.original left join archives m "
    "on l.transaction_id >= m.begins and l.transaction_id < m.ends where l.kind = 100), "
    "gone as (select coalesce(sum(transactions), 0) as n from archives), "
    "booked as (select count(*) as n, " MOVED " as total from transactions) "
    "select kept.n, kept.wrong = 0 and kept.moved + members.moved = booked.n "
    "and kept.total + members.total = booked.total and kept.away + members.away = gone.n "
    "and kept.mute = 0 and members.stray = 0 from kept, members, booked, gone";
