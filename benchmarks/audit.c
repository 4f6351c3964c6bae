#include "benchmarks/audit.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/receipt.h"
#include "base/arena.h"
#include "base/memory.h"
#include "benchmarks/wire.h"
#include "store/pg_rows.h"
#include "store/verify.h"

struct auditing {
    struct audit *audit;
    struct load *load;
    uint8_t *seen; /* a byte per request's number */
    size_t prefix; /* length of "b-NAME-" */
};

static void fault(struct audit *audit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fault(struct audit *audit, const char *format, ...)
{
    va_list arguments;
    if (audit->faults++ > 0)
        return;
    va_start(arguments, format);
    vsnprintf(audit->first, sizeof audit->first, format, arguments);
    va_end(arguments);
}

static bool is_unanswered(const struct journal_entry *entry, uint64_t serial)
{
    (void)serial;
    return entry->status == 0;
}

static uint64_t replay_step; /* every so-manieth key is replayed */

static bool is_sample(const struct journal_entry *entry, uint64_t serial)
{
    return entry->status != 0 && serial % replay_step == 0;
}

static void count_journal(struct audit *audit, const struct journal *journal)
{
    audit->keyed = audit->acknowledged = audit->declined = audit->unknown = 0;
    for (size_t i = 0; i < journal->count; i++) {
        const struct journal_entry *entry = &journal->entries[i];
        if (entry->sent == 0)
            continue;
        audit->keyed++;
        audit->acknowledged += entry->status == 201;
        audit->declined += entry->status > 201;
        audit->unknown += entry->status == 0;
    }
}

#define KEY_COLUMNS ", i.key, i.status, i.answer, p.posted_after, p.held_after"
enum { KEY = WALLETS_PRICED_COUNT, STATUS, ANSWER, POSTED, HELD };

/* The bytes that a replay would get: those that are kept, or the receipt of the transaction. */
static uint64_t hash_answer(const PGresult *row)
{
    const struct pg_rows *rows = (const struct pg_rows *)row;
    struct wallets_transaction t;
    struct arena arena;
    struct bytes body;
    if (!PQgetisnull(row, 0, ANSWER))
        return wire_hash(PQgetvalue(row, 0, ANSWER), (size_t)PQgetlength(row, 0, ANSWER),
                         WIRE_HASH_START);
    if (PQgetisnull(row, 0, 0) || PQgetisnull(row, 0, POSTED))
        return 0; /* a key without its transaction, or that without its posting */
    arena_init(&arena);
    bytes_init(&body, &arena);
    if (wallets_take_priced(rows, 0, &arena, &t)) {
        const struct posting_order order = {.kind = (enum transaction_kind)t.kind};
        t.posted_after = pg_rows_int(rows, 0, POSTED);
        t.held_after = pg_rows_int(rows, 0, HELD);
        receipt_recall(&order, &t, &body);
    }
    uint64_t hash = body.failed ? 0 : wire_hash(body.at, body.length, WIRE_HASH_START);
    arena_release(&arena);
    return hash;
}

/* One remembered key, and its transaction. */
static void check_row(struct auditing *a, const PGresult *row)
{
    const char *key = PQgetvalue(row, 0, KEY);
    char *end;
    uint64_t serial = strtoull(key + a->prefix, &end, 10);
    int status = (int)pg_rows_int((const struct pg_rows *)row, 0, STATUS);
    uint64_t hash = hash_answer(row);
    bool moved = !PQgetisnull(row, 0, 0);
    const struct journal *journal = &a->load->journal;
    if (*end != '\0' || serial >= journal->count || journal->entries[serial].sent == 0) {
        fault(a->audit, "the ledger remembers key %s, which was never sent", key);
        return;
    }
    const struct journal_entry *entry = &journal->entries[serial];
    if (a->seen[serial]++ > 0)
        fault(a->audit, "the ledger remembers key %s twice", key);
    if (moved != (status == 201))
        fault(a->audit, "key %s has status %d and %s transaction", key, status, moved ? "a" : "no");
    if (entry->status != status || entry->hash != hash)
        fault(a->audit, "key %s: we were answered %d, the ledger remembers %d or other bytes", key,
              entry->status, status);
}

static bool read_keys(struct auditing *a, PGconn *conn)
{
    char from[80];
    char to[80];
    snprintf(from, sizeof from, "b-%s-", a->load->settings.run.name);
    snprintf(to, sizeof to, "b-%s.", a->load->settings.run.name); /* '.' follows '-' */
    a->prefix = strlen(from);
    const char *values[] = {from, to};
    if (PQsendQueryParams(conn,
                          "select " WALLETS_PRICED_COLUMNS KEY_COLUMNS " from idempotency i "
                          "left join transactions t on t.id = i.transaction_id "
                          "left join postings p on p.transaction_id = t.id "
                          "and p.account = t.from_account and p.version = t.from_version "
                          "where i.key collate \"C\" >= $1 and i.key collate \"C\" < $2",
                          2, NULL, values, NULL, NULL, 1) != 1 ||
        PQsetSingleRowMode(conn) != 1)
        return false;
    bool good = true;
    for (PGresult *result; (result = PQgetResult(conn)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
            check_row(a, result);
        else
            good = good && PQresultStatus(result) == PGRES_TUPLES_OK;
    }
    return good;
}

static bool check_keys(struct auditing *a, const struct site *site)
{
    const struct journal *journal = &a->load->journal;
    PGconn *conn = PQconnectdb(site->database);
    a->seen = memory_alloc(journal->count + 1);
    bool good = a->seen != NULL && PQstatus(conn) == CONNECTION_OK && read_keys(a, conn);
    if (!good)
        snprintf(a->audit->first, sizeof a->audit->first, "the ledger can't be read: %.180s",
                 PQerrorMessage(conn));
    PQfinish(conn);
    for (size_t i = 0; good && i < journal->count; i++)
        if (journal->entries[i].status != 0 && a->seen[i] == 0)
            fault(a->audit, "request %zu was answered %d, and the ledger knows nothing of it", i,
                  journal->entries[i].status);
    memory_free(a->seen);
    return good;
}

static void tell_invariant(void *owner, const struct verify_line *line)
{
    if (line->broken > 0)
        fault(owner, "invariant %s is broken %lld times: %.120s", line->name,
              (long long)line->broken, line->first);
}

static bool check_invariants(struct audit *audit, const struct site *site)
{
    struct verify verify = {
        .conninfo = site->database, .redis = site->redis, .tell = tell_invariant, .owner = audit};
    if (verify_run(&verify))
        return true;
    snprintf(audit->first, sizeof audit->first, "the ledger can't be verified: %.180s",
             verify.error);
    return false;
}

bool audit_run(struct audit *audit, struct load *load, const struct site *site,
               struct ev_loop *loop, const struct audit_depth *depth)
{
    struct auditing a = {.audit = audit, .load = load};
    uint64_t replays = depth->replays;
    memset(audit, 0, sizeof *audit);
    count_journal(audit, &load->journal);
    uint64_t unknown = audit->unknown;
    if (audit->keyed == 0)
        return true;
    fprintf(stderr, "  audit: %llu keys, %llu without a final answer are asked again\n",
            (unsigned long long)audit->keyed, (unsigned long long)unknown);
    if (unknown > 0)
        load_ask_again(load, loop, is_unanswered);
    replay_step = replays == 0 ? UINT64_MAX : audit->keyed / replays + 1;
    uint64_t heard = load->journal.confirmations + load->journal.contradictions;
    audit->replayed = replays == 0 ? 0 : load_ask_again(load, loop, is_sample);
    heard = load->journal.confirmations + load->journal.contradictions - heard;
    if (heard < audit->replayed)
        fault(audit, "%llu keys that had an answer got none again",
              (unsigned long long)(audit->replayed - heard));
    count_journal(audit, &load->journal);
    if (audit->unknown > 0)
        fault(audit, "%llu keys never got an answer", (unsigned long long)audit->unknown);
    if (load->journal.contradictions > 0)
        fault(audit, "%llu answers differ from the first one of their key",
              (unsigned long long)load->journal.contradictions);
    audit->unknown = unknown;
    fprintf(stderr, "  audit: holding every key against the ledger%s\n",
            depth->invariants ? ", then its invariants" : "");
    return check_keys(&a, site) && (!depth->invariants || check_invariants(audit, site));
}
