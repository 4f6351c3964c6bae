#include "store/verify_answers.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/currency.h"
#include "base/json.h"
#include "ledger/transaction.h"
#include "store/pg_rows.h"
#include "store/verify.h"

/* Who owns the payer's wallet was told its balance; a partner nobody's. A bulk's other transactions
 * (links, 100) come in their order, 24 bytes each: id and fee. */
#define OPEN                                                                                      \
    "declare answers no scroll cursor for select i.answer, t.id, t.kind, t.amount, t.fee, "       \
    "t.currency, p.posted_after, p.held_after, a.owner is not distinct from t.caller, b.members " \
    "from idempotency i join transactions t on t.id = i.transaction_id "                          \
    "left join accounts a on a.id = t.from_account left join postings p "                         \
    "on p.transaction_id = t.id "                                                                 \
    "and p.account = t.from_account and p.version = t.from_version "                              \
    "left join (select original, string_agg(uuid_send(transaction_id) || int8send(fee), "         \
    "''::bytea order by transaction_id) as members from links where kind = 100 group by 1) b "    \
    "on b.original = t.id where i.status between 200 and 299 and i.answer is not null"
#define NEXT "fetch 500 from answers" /* a bulk's may have 100 KiB */
#define CLOSE "close answers"

static bool says_text(const struct json *object, const char *name, const char *wanted)
{
    const struct json *value = json_member(object, name);
    return value != NULL && json_kind(value) == JSON_STRING &&
           slice_equals(json_string(value), wanted);
}

static bool says_number(const struct json *object, const char *name, int64_t wanted)
{
    const struct json *value = json_member(object, name);
    return value != NULL && json_kind(value) == JSON_INTEGER && json_integer(value) == wanted;
}

static bool says_balance(const struct json *answer, const struct pg_rows *rows, int row)
{
    const struct json *balance = json_member(answer, "balance");
    if (!pg_rows_bool(rows, row, 8))
        return balance == NULL;
    if (balance == NULL || json_kind(balance) != JSON_OBJECT || pg_rows_is_null(rows, row, 6))
        return false;
    int64_t posted = pg_rows_int(rows, row, 6);
    int64_t held = pg_rows_int(rows, row, 7);
    return says_number(balance, "posted", posted) && says_number(balance, "held", held) &&
           says_number(balance, "available", posted - held);
}

#define MEMBER_SIZE (sizeof(struct uuid) + sizeof(int64_t))

/* The n-th that was posted is the n-th transaction. */
static bool is_true_result(const struct json *result, const struct uuid *id, int64_t fee)
{
    char text[UUID_TEXT_MAX];
    uuid_format(id, "tx_", text);
    return says_text(result, "transaction", text) && says_number(result, "fee", fee);
}

static bool is_true_member(const struct json *result, const char *member)
{
    struct uuid id;
    uint64_t fee = 0;
    memcpy(&id, member, sizeof id);
    for (size_t i = sizeof id; i < MEMBER_SIZE; i++)
        fee = fee << 8 | (uint8_t)member[i];
    return is_true_result(result, &id, (int64_t)fee);
}

static bool is_true_bulk(const struct json *answer, const struct pg_rows *rows, int row)
{
    const struct uuid first = pg_rows_uuid(rows, row, 1);
    struct slice members = {NULL, 0};
    size_t at = 0;
    size_t posted = 0;
    bool good = true;
    const struct json *result;
    if (!pg_rows_is_null(rows, row, 9))
        members = pg_rows_text(rows, row, 9);
    while (good && json_next_element(json_member(answer, "results"), &at, &result)) {
        if (json_kind(result) != JSON_OBJECT || !says_text(result, "status", "posted"))
            continue;
        if (posted == 0)
            good = is_true_result(result, &first, pg_rows_int(rows, row, 4));
        else
            good = posted * MEMBER_SIZE <= members.length &&
                   is_true_member(result, members.at + (posted - 1) * MEMBER_SIZE);
        posted++;
    }
    return good && posted * MEMBER_SIZE == members.length + MEMBER_SIZE &&
           says_number(answer, "posted", (int64_t)posted);
}

static bool is_bulk(const struct json *answer)
{
    const struct json *results = json_member(answer, "results");
    return results != NULL && json_kind(results) == JSON_ARRAY;
}

static bool is_true(const struct json *answer, const struct pg_rows *rows, int row)
{
    const struct uuid id = pg_rows_uuid(rows, row, 1);
    enum transaction_kind kind = (enum transaction_kind)pg_rows_int(rows, row, 2);
    char id_text[UUID_TEXT_MAX];
    char code[4];
    if (answer == NULL || json_kind(answer) != JSON_OBJECT)
        return false;
    if (is_bulk(answer))
        return is_true_bulk(answer, rows, row);
    uuid_format(&id, kind == TRANSACTION_HOLD ? "hld_" : "tx_", id_text);
    currency_text((currency)pg_rows_int(rows, row, 5), code);
    return says_text(answer, "id", id_text) &&
           says_text(answer, "kind", transaction_kind_name(kind)) &&
           says_number(answer, "amount", pg_rows_int(rows, row, 3)) &&
           says_number(answer, "fee", pg_rows_int(rows, row, 4)) &&
           says_text(answer, "currency", code) && says_balance(answer, rows, row);
}

static void look_at(const struct pg_rows *rows, struct verify_line *line)
{
    for (int row = 0; row < pg_rows_count(rows); row++) {
        struct arena arena;
        struct json_error error;
        arena_init(&arena);
        bool good = is_true(json_parse(pg_rows_text(rows, row, 0), &arena, &error), rows, row);
        arena_release(&arena);
        line->looked_at++;
        if (good || line->broken++ > 0)
            continue;
        const struct uuid id = pg_rows_uuid(rows, row, 1);
        char text[UUID_TEXT_MAX];
        uuid_format(&id, "tx_", text);
        snprintf(line->first, sizeof line->first, "the answer of %s is not what was booked", text);
    }
}

static bool run(PGconn *conn, const char *sql)
{
    PGresult *answer = PQexec(conn, sql);
    bool good = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    return good;
}

bool verify_answers_check(struct pg_conn *conn, struct verify_line *line)
{
    bool good = run(conn, "set local cursor_tuple_fraction = 1") && run(conn, OPEN);
    int count = 1;
    while (good && count > 0) {
        PGresult *page = PQexecParams(conn, NEXT, 0, NULL, NULL, NULL, NULL, 1);
        good = PQresultStatus(page) == PGRES_TUPLES_OK;
        count = good ? PQntuples(page) : 0;
        look_at((const struct pg_rows *)page, line);
        PQclear(page);
    }
    return good && run(conn, CLOSE);
}
