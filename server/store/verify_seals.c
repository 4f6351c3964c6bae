#include "store/verify_seals.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "ledger/leaf.h"
#include "store/pg_rows.h"
#include "store/seals.h"
#include "store/verify.h"

/* Three streams, merged here: transactions by id, along their index; postings by the transaction's
 * id, a month's sorted at a time; and the seals by number, which follow the same ids. */
#define OPEN_ROWS                                                         \
    "declare sealed_rows no scroll cursor for select " SEALS_LEAF_COLUMNS \
    ", (select l.seal from seal_late l where l.transaction_id = t.id) "   \
    "from transactions t order by t.id"
#define OPEN_LEGS                                                        \
    "declare sealed_legs no scroll cursor for select " SEALS_LEG_COLUMNS \
    " from postings p order by p.transaction_id"
#define OPEN_SEALS                                                              \
    "declare seal_rows no scroll cursor for select " SEALS_COLUMNS ", s.salt, " \
    "s.leaves from seals s order by s.number"
#define LATE_COLUMN 18
#define ONE_SEAL \
    "select " SEALS_COLUMNS ", s.salt, s.leaves from seals s where s.number = $1::bigint"

/* From and to of each month that is here: what is in none of them was archived. */
#define MONTHS                                                                                \
    "select b[1]::uuid, b[2]::uuid from pg_inherits i join pg_class c on c.oid = i.inhrelid " \
    "cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), "                    \
    "'FROM \\(''([^'']+)''\\) TO \\(''([^'']+)''\\)') as b where i.inhparent = "              \
    "'transactions'::regclass"

#define LINE_MAX_LENGTH 1024
#define LATE_GRACE_US (INT64_C(120) * CLOCK_SECOND) /* until then the sealer may still find it */

struct page {
    const char *next; /* the FETCH */
    PGresult *result;
    int at;
};

/* A seal as it is stored. */
struct stored {
    struct seals_stored row;
    uint8_t salt[LEAF_SALT_SIZE];
    char *entries; /* SEAL_ENTRY_SIZE each; in the arena */
};

struct check {
    PGconn *conn;
    struct verify_line *line;
    bool failed; /* PostgreSQL has refused, or no memory */
    struct page rows, legs, seals;
    PGresult *months;
    struct bytes space;
    struct arena arena; /* of one seal */
    struct arena row_arena;
    struct stored seal; /* at hand */
    struct leaf leaf;   /* the transaction at hand */
    bool has_leaf;
    int64_t late_seal; /* it was sealed late, there; 0: it wasn't */
    int64_t late_rows, late_entries;
    FILE *checkpoints;        /* NULL: none */
    int64_t checkpoints_size; /* so much of it is looked at */
    struct checkpoint checkpoint;
    bool has_checkpoint;
    const struct verify_seals_keys *keys; /* NULL: anybody's */
    bool signed_inside, signed_outside;   /* one was, so those behind it are */
};

static void blame(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void blame(struct check *c, const char *format, ...)
{
    va_list arguments;
    if (c->line->broken++ > 0)
        return;
    va_start(arguments, format);
    vsnprintf(c->line->first, sizeof c->line->first, format, arguments);
    va_end(arguments);
}

static void blame_transaction(struct check *c, const void *id, int64_t seal, const char *what)
{
    struct uuid transaction;
    char text[UUID_TEXT_MAX];
    memcpy(transaction.bytes, id, sizeof transaction.bytes);
    uuid_format(&transaction, "tx_", text);
    blame(c, "%s %s (seal %lld)", text, what, (long long)seal);
}

static bool run(struct check *c, const char *sql)
{
    PGresult *answer = PQexec(c->conn, sql);
    c->failed = c->failed || PQresultStatus(answer) != PGRES_COMMAND_OK;
    PQclear(answer);
    return !c->failed;
}

static PGresult *ask(struct check *c, const char *sql, const char *value)
{
    PGresult *answer = PQexecParams(c->conn, sql, value != NULL, NULL, &value, NULL, NULL, 1);
    c->failed = c->failed || PQresultStatus(answer) != PGRES_TUPLES_OK;
    return answer;
}

/* Is there a row at page->at? */
static bool fill(struct check *c, struct page *page)
{
    if (page->result != NULL && page->at < PQntuples(page->result))
        return true;
    if (page->result != NULL && PQntuples(page->result) == 0)
        return false;
    PQclear(page->result);
    page->at = 0;
    page->result = ask(c, page->next, NULL);
    return !c->failed && PQntuples(page->result) > 0;
}

static const struct pg_rows *rows_of(const PGresult *result)
{
    return (const struct pg_rows *)result;
}

/* ---- the streams */

/* The next transaction with its postings, until has_leaf is false. */
static void next_leaf(struct check *c)
{
    arena_release(&c->row_arena);
    c->has_leaf = fill(c, &c->rows);
    if (!c->has_leaf)
        return;
    const struct pg_rows *rows = rows_of(c->rows.result);
    int row = c->rows.at++;
    if (!seals_take_columns(rows, row, &c->row_arena, &c->leaf))
        c->failed = true;
    c->late_seal =
        pg_rows_is_null(rows, row, LATE_COLUMN) ? 0 : pg_rows_int(rows, row, LATE_COLUMN);
    c->line->looked_at++;
    while (fill(c, &c->legs)) {
        const struct seals_leg leg = seals_take_leg(rows_of(c->legs.result), c->legs.at);
        int order = uuid_compare(&leg.transaction, &c->leaf.id);
        if (order > 0)
            return;
        c->legs.at++; /* one of no transaction is the first invariant's */
        if (order == 0 && !leaf_add_posting(&c->leaf, &leg.posting))
            blame_transaction(c, c->leaf.id.bytes, 0, "has more postings than a seal knows");
    }
}

static bool take_seal(struct check *c, const PGresult *result, int at, struct stored *seal)
{
    const struct pg_rows *rows = rows_of(result);
    struct slice entries = pg_rows_text(rows, at, SEALS_COLUMN_COUNT + 1);
    seal->row = seals_take(rows, at);
    memcpy(seal->salt, pg_rows_text(rows, at, SEALS_COLUMN_COUNT).at, sizeof seal->salt);
    seal->entries = arena_room(&c->arena, entries.length);
    if (seal->entries == NULL) {
        c->failed = true;
        return false;
    }
    memcpy(seal->entries, entries.at, entries.length);
    return true;
}

/* ---- a transaction against its entry */

static void hold_against(struct check *c, const struct stored *seal, const char *entry)
{
    struct leaf_commitments commitments;
    struct merkle_hash hash;
    if (!leaf_commit(&c->leaf, seal->salt, &c->space, &commitments) ||
        !leaf_hash(&c->leaf, &commitments, &c->space, &hash))
        c->failed = true;
    else if (memcmp(hash.bytes, entry + 16, sizeof hash.bytes) != 0)
        blame_transaction(c, entry, seal->row.seal.number, "or a posting of it was changed");
}

static const char *find_entry(const struct stored *seal, const struct uuid *id)
{
    for (size_t i = 0; i < seal->row.seal.count; i++)
        if (memcmp(seal->entries + i * SEAL_ENTRY_SIZE, id->bytes, sizeof id->bytes) == 0)
            return seal->entries + i * SEAL_ENTRY_SIZE;
    return NULL;
}

/* Sealed later than its neighbours: rare, so its seal is looked up. */
static void check_late(struct check *c)
{
    struct stored seal;
    char number[24];
    const char *entry = NULL;
    snprintf(number, sizeof number, "%lld", (long long)c->late_seal);
    PGresult *answer = ask(c, ONE_SEAL, number);
    if (!c->failed && PQntuples(answer) == 1 && take_seal(c, answer, 0, &seal))
        entry = find_entry(&seal, &c->leaf.id);
    PQclear(answer);
    c->late_rows++;
    if (entry != NULL)
        hold_against(c, &seal, entry);
    else if (!c->failed)
        blame_transaction(c, c->leaf.id.bytes, c->late_seal, "is not in the seal that it names");
}

/* In a sealed range, and not in its seal. What was written after the seal looked is young when the
 * sealer has not found it yet. */
static void check_stranger(struct check *c)
{
    const struct seal *seal = &c->seal.row.seal;
    if (c->late_seal != 0)
        check_late(c);
    else if (c->leaf.written_by < seal->horizon || clock_now() - seal->at > LATE_GRACE_US)
        blame_transaction(c, c->leaf.id.bytes, seal->number, "was added to what was sealed");
}

static bool is_archived(const struct check *c, const char *entry)
{
    struct uuid id;
    memcpy(id.bytes, entry, sizeof id.bytes);
    for (int i = 0; i < PQntuples(c->months); i++) {
        const struct uuid from = pg_rows_uuid(rows_of(c->months), i, 0);
        const struct uuid to = pg_rows_uuid(rows_of(c->months), i, 1);
        if (uuid_compare(&id, &from) >= 0 && uuid_compare(&id, &to) < 0)
            return false;
    }
    return true;
}

/* The rows of the seal's range against its entries, both by id. */
static void check_rows(struct check *c)
{
    const struct stored *seal = &c->seal;
    size_t at = 0;
    while (!c->failed) {
        const char *entry = at < seal->row.seal.count ? seal->entries + at * SEAL_ENTRY_SIZE : NULL;
        bool here = c->has_leaf && uuid_compare(&c->leaf.id, &seal->row.seal.through) <= 0;
        int order = entry == NULL ? -1 : here ? memcmp(c->leaf.id.bytes, entry, 16) : 1;
        if (entry == NULL && !here)
            return;
        if (order == 0)
            hold_against(c, seal, entry);
        else if (order < 0)
            check_stranger(c);
        else if (!is_archived(c, entry))
            blame_transaction(c, entry, seal->row.seal.number, "is missing");
        at += order >= 0;
        if (order <= 0)
            next_leaf(c);
    }
}

/* ---- signatures */

static bool is_by_them(const struct check *c, const struct checkpoint *checkpoint)
{
    for (size_t i = 0; c->keys != NULL && i < c->keys->count; i++)
        if (memcmp(checkpoint->key, c->keys->keys[i], CRYPTO_PUBLIC_SIZE) == 0)
            return true;
    return c->keys == NULL;
}

/* `*before`: was one signed before it? Who rewrites history and hasn't the key signs with another,
 * or not at all. */
static void check_signature(struct check *c, const struct checkpoint *checkpoint, const char *of,
                            bool *before)
{
    const long long seal = checkpoint->seal;
    if (!checkpoint->is_signed) {
        if (*before)
            blame(c, "%s %lld is not signed, and one before it is", of, seal);
        return;
    }
    *before = true;
    if (!seal_is_signed_well(checkpoint))
        blame(c, "%s %lld: its signature is wrong", of, seal);
    else if (!is_by_them(c, checkpoint))
        blame(c, "%s %lld is signed by another key", of, seal);
}

/* ---- a seal against its entries, and the one before */

static void check_links(struct check *c, const struct seals_stored *before)
{
    const struct seals_stored *row = &c->seal.row;
    const struct seal *seal = &row->seal;
    struct merkle_hash *hashes = arena_array(&c->arena, seal->count, sizeof hashes[0]);
    if (hashes == NULL) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < seal->count; i++)
        memcpy(hashes[i].bytes, c->seal.entries + i * SEAL_ENTRY_SIZE + 16, MERKLE_HASH_SIZE);
    const struct merkle_hash root = merkle_root(hashes, seal->count);
    if (memcmp(&root, &seal->root, sizeof root) != 0)
        blame(c, "seal %lld: its leaves were changed", (long long)seal->number);
    if (memcmp(&row->checkpoint.hash, &row->hash, sizeof row->hash) != 0)
        blame(c, "seal %lld was changed", (long long)seal->number);
    if (seal->number != before->seal.number + 1 ||
        memcmp(&seal->previous, &before->hash, sizeof seal->previous) != 0 ||
        !uuid_equal(&seal->after, &before->seal.through))
        blame(c, "seal %lld does not follow from seal %lld", (long long)seal->number,
              (long long)before->seal.number);
    check_signature(c, &row->checkpoint, "seal", &c->signed_inside);
}

/* ---- the checkpoints outside */

static void next_checkpoint(struct check *c)
{
    char line[LINE_MAX_LENGTH];
    c->has_checkpoint = c->checkpoints != NULL && ftell(c->checkpoints) < c->checkpoints_size &&
                        fgets(line, sizeof line, c->checkpoints) != NULL;
    if (!c->has_checkpoint)
        return;
    if (seal_read_checkpoint((struct slice){line, strcspn(line, "\n")}, &c->checkpoint))
        return;
    blame(c, "a line of the checkpoints behind seal %lld is none", (long long)c->checkpoint.seal);
    c->has_checkpoint = false;
}

static void check_checkpoint(struct check *c)
{
    const struct seals_stored *row = &c->seal.row;
    while (c->has_checkpoint && c->checkpoint.seal <= row->seal.number) {
        const struct checkpoint *outside = &c->checkpoint;
        check_signature(c, outside, "the checkpoint of seal", &c->signed_outside);
        if (outside->seal == row->seal.number &&
            memcmp(&outside->hash, &row->hash, sizeof row->hash) != 0)
            blame(c, "seal %lld is not the one of the checkpoint: history was rewritten",
                  (long long)outside->seal);
        next_checkpoint(c);
    }
}

/* ---- all of it */

/* Of those that were sealed late, some are not there. */
static void blame_late(struct check *c)
{
    PGresult *answer = ask(c,
                           "select transaction_id, seal from seal_late l where not exists "
                           "(select from transactions t where t.id = l.transaction_id) limit 1",
                           NULL);
    if (!c->failed && PQntuples(answer) == 1) {
        const struct uuid id = pg_rows_uuid(rows_of(answer), 0, 0);
        blame_transaction(c, id.bytes, pg_rows_int(rows_of(answer), 0, 1), "is missing");
    } else if (!c->failed) {
        blame(c, "%lld transactions were sealed late, %lld of them are there",
              (long long)c->late_entries, (long long)c->late_rows);
    }
    PQclear(answer);
}

static void check_chain(struct check *c)
{
    struct seals_stored before = {.seal = {.number = 0}};
    next_leaf(c);
    next_checkpoint(c);
    for (; !c->failed && fill(c, &c->seals); c->seals.at++) {
        bool is_late;
        if (!take_seal(c, c->seals.result, c->seals.at, &c->seal))
            return;
        check_links(c, &before);
        check_checkpoint(c);
        is_late = uuid_equal(&c->seal.row.seal.after, &c->seal.row.seal.through);
        if (is_late)
            c->late_entries += (int64_t)c->seal.row.seal.count;
        else
            check_rows(c);
        before = c->seal.row;
        arena_release(&c->arena);
    }
    if (c->has_checkpoint)
        blame(
            c,
            "the checkpoints know seal %lld, the database only %lld: was an older backup restored?",
            (long long)c->checkpoint.seal, (long long)before.seal.number);
    if (c->keys != NULL && before.seal.number > 0 && !c->signed_inside)
        blame(c, "no seal is signed");
    if (!c->failed && c->late_rows != c->late_entries)
        blame_late(c);
}

static void release(struct check *c)
{
    PQclear(c->rows.result);
    PQclear(c->legs.result);
    PQclear(c->seals.result);
    PQclear(c->months);
    bytes_release(&c->space);
    arena_release(&c->arena);
    arena_release(&c->row_arena);
    if (c->checkpoints != NULL)
        fclose(c->checkpoints);
}

struct verify_seals_file verify_seals_look(const char *path)
{
    struct stat status;
    bool there = path != NULL && stat(path, &status) == 0;
    return (struct verify_seals_file){path, there ? status.st_size : 0};
}

bool verify_seals_check(struct pg_conn *conn, const struct verify_seals_file *file,
                        const struct verify_seals_keys *keys, struct verify_line *line)
{
    struct check c = {.conn = conn,
                      .line = line,
                      .keys = keys,
                      .rows = {.next = "fetch 2000 from sealed_rows"},
                      .legs = {.next = "fetch 5000 from sealed_legs"},
                      .seals = {.next = "fetch 20 from seal_rows"}};
    bytes_init(&c.space, NULL);
    arena_init(&c.arena);
    arena_init(&c.row_arena);
    if (file->path != NULL) {
        c.checkpoints = fopen(file->path, "re");
        c.checkpoints_size = file->size;
        if (c.checkpoints == NULL)
            blame(&c, "the checkpoints cannot be read: %s", file->path);
    }
    if (run(&c, "set local cursor_tuple_fraction = 1; set local enable_sort = off") &&
        run(&c, OPEN_ROWS) && run(&c, "set local enable_sort = on") && run(&c, OPEN_LEGS) &&
        run(&c, OPEN_SEALS)) {
        c.months = ask(&c, MONTHS, NULL);
        if (!c.failed)
            check_chain(&c);
    }
    release(&c);
    return !c.failed;
}
