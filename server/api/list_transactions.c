/* GET /v1/wallets/{id}/transactions: the statement, newest first. */
#include <stddef.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/cursor.h"
#include "api/endpoints.h"
#include "api/receipt.h"
#include "base/arena.h"
#include "base/clock.h"
#include "ledger/money.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100

struct list_transactions {
    struct call call;
    struct wallets_filter filter;
    struct wallets_question question;
};

static struct list_transactions *from_flow(struct flow *flow)
{
    return (struct list_transactions *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct list_transactions *op =
        (struct list_transactions *)(void *)((char *)question -
                                             offsetof(struct list_transactions, question));
    call_resume(&op->call);
}

static bool parse_number(struct slice text, int64_t least, int64_t most, int64_t *out)
{
    int64_t number = 0;
    if (text.length == 0 || text.length > 16)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *out = number;
    return number >= least && number <= most;
}

static const char *read_limit(struct list_transactions *op, struct slice value)
{
    int64_t limit;
    if (!parse_number(value, 1, LIMIT_MAX, &limit))
        return "must be an integer from 1 to 100";
    op->filter.limit = (int)limit;
    return NULL;
}

static const char *read_after(struct list_transactions *op, struct slice value)
{
    return cursor_read(op->call.service->settings.cursor_key, &op->filter.wallet, value,
                       &op->filter.before_version)
               ? NULL
               : "must be the `next` of an earlier page of this wallet";
}

static const char *read_kind(struct list_transactions *op, struct slice value)
{
    op->filter.kind = (int)transaction_kind_parse(value);
    return op->filter.kind == 0 ? "must be deposit or transfer" : NULL;
}

static const char *read_from(struct list_transactions *op, struct slice value)
{
    return clock_parse(value, &op->filter.from) ? NULL : "must be a time like 2026-12-01T08:00:00Z";
}

static const char *read_to(struct list_transactions *op, struct slice value)
{
    return clock_parse(value, &op->filter.to) ? NULL : "must be a time like 2026-12-01T08:00:00Z";
}

static const char *read_min(struct list_transactions *op, struct slice value)
{
    return parse_number(value, 0, MONEY_MAX, &op->filter.min_amount) ? NULL : "must be an amount";
}

static const char *read_max(struct list_transactions *op, struct slice value)
{
    return parse_number(value, 0, MONEY_MAX, &op->filter.max_amount) ? NULL : "must be an amount";
}

static const char *read_counterparty(struct list_transactions *op, struct slice value)
{
    return uuid_parse(value, "wal_", &op->filter.counterparty) ? NULL : "must be a wallet's id";
}

static const char *read_reference(struct list_transactions *op, struct slice value)
{
    struct arena *arena = &op->call.request->arena;
    if (value.length < 1 || value.length > 256 || !json_write_is_utf8(value))
        return "must be a text of 1 to 64 characters";
    op->filter.reference = arena_copy(arena, value);
    return NULL;
}

static const struct {
    const char *name;
    const char *pointer;
    const char *(*read)(struct list_transactions *op, struct slice value);
} parameters[] = {
    {"limit", "?limit", read_limit},
    {"after", "?after", read_after},
    {"kind", "?kind", read_kind},
    {"from", "?from", read_from},
    {"to", "?to", read_to},
    {"min_amount", "?min_amount", read_min},
    {"max_amount", "?max_amount", read_max},
    {"counterparty", "?counterparty", read_counterparty},
    {"reference", "?reference", read_reference},
};

static void read_parameter(struct list_transactions *op, struct slice name, struct slice value,
                           bool bad)
{
    size_t at = 0;
    size_t known = sizeof parameters / sizeof parameters[0];
    while (at < known && (bad || !slice_equals(name, parameters[at].name)))
        at++;
    if (at == known) {
        call_add_field(&op->call, SLICE("?"), bad ? "format" : "unknown",
                       bad ? "its percent-encoding is broken" : "a parameter is not known here");
        return;
    }
    const char *wrong = parameters[at].read(op, value);
    if (wrong != NULL)
        call_add_field(&op->call, slice_of(parameters[at].pointer), "format", wrong);
}

static enum flow_verdict read_query(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    struct slice name;
    struct slice value;
    size_t at = 0;
    bool bad;
    op->filter = (struct wallets_filter){
        .wallet = call_path_id(&op->call, 0, "wal_"),
        .limit = LIMIT_DEFAULT,
        .before_version = INT64_MAX,
        .from = INT64_MIN,
        .to = INT64_MAX,
        .max_amount = INT64_MAX,
    };
    while (request_query_next(op->call.request, &at, &name, &value, &bad))
        read_parameter(op, name, value, bad);
    if (op->call.problem.field_count > 0)
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict ask_lines(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    if (uuid_is_nil(&op->filter.wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    if (wallets_statement(op->call.service->pool, &op->filter, call_caller(&op->call),
                          &op->question))
        return FLOW_WAIT;
    return call_refuse(&op->call, PROBLEM_DATABASE_UNAVAILABLE, NULL);
}

static void write_next(struct json_writer *writer, const struct list_transactions *op, bool more)
{
    char text[CURSOR_TEXT_MAX];
    json_write_key(writer, "next");
    if (!more) {
        json_write_null(writer);
        return;
    }
    cursor_write(op->call.service->settings.cursor_key, &op->filter.wallet,
                 op->question.transactions[op->filter.limit - 1].version, text);
    json_write_text(writer, text);
}

static enum flow_verdict report(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.wallet_count == 0)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    bool more = op->question.transaction_count > (size_t)op->filter.limit;
    size_t count = more ? (size_t)op->filter.limit : op->question.transaction_count;
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    json_write_key(&writer, "data");
    json_write_array(&writer);
    for (size_t i = 0; i < count; i++)
        receipt_write_line(&writer, &op->question.transactions[i]);
    json_write_array_end(&writer);
    write_next(&writer, op, more);
    json_write_object_end(&writer);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step steps[] = {
    {"read_query", read_query}, {"ask_gate", call_ask_gate}, {"check_gate", call_check_user},
    {"ask_lines", ask_lines},   {"report", report},          {NULL, NULL},
};

void list_transactions(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct list_transactions), steps);
}
