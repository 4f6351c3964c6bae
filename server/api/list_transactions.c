/* GET /v1/wallets/{id}/transactions: the statement, newest first. */
#include <stddef.h>

#include "api/archived.h"
#include "api/body.h"
#include "api/cached.h"
#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"
#include "base/arena.h"
#include "base/clock.h"
#include "ledger/money.h"
#include "store/history.h"

#define REFERENCE_MAX 64 /* characters: as in a transfer */

struct list_transactions {
    struct cached cached; /* the first page, if nothing is filtered */
    struct paging page;
    struct wallets_filter filter;
    struct history_question older; /* what isn't here any more */
};

static struct list_transactions *from_flow(struct flow *flow)
{
    return (struct list_transactions *)(void *)call_of(flow);
}

static struct wallets_filter *filter_of(struct call *call)
{
    return &((struct list_transactions *)(void *)call)->filter;
}

static const char *read_kind(struct call *call, struct slice value)
{
    struct wallets_filter *filter = filter_of(call);
    filter->kind = (int)transaction_kind_parse(value);
    return filter->kind == 0 ? "must be a kind of transaction, such as deposit or transfer" : NULL;
}

static const char *read_from(struct call *call, struct slice value)
{
    return clock_parse(value, &filter_of(call)->from) ? NULL
                                                      : "must be a time like 2026-12-01T08:00:00Z";
}

static const char *read_to(struct call *call, struct slice value)
{
    return clock_parse(value, &filter_of(call)->to) ? NULL
                                                    : "must be a time like 2026-12-01T08:00:00Z";
}

static const char *read_min(struct call *call, struct slice value)
{
    return paging_number(value, 0, MONEY_MAX, &filter_of(call)->min_amount) ? NULL
                                                                            : "must be an amount";
}

static const char *read_max(struct call *call, struct slice value)
{
    return paging_number(value, 0, MONEY_MAX, &filter_of(call)->max_amount) ? NULL
                                                                            : "must be an amount";
}

static const char *read_counterparty(struct call *call, struct slice value)
{
    return uuid_parse(value, "wal_", &filter_of(call)->counterparty) ? NULL
                                                                     : "must be a wallet's id";
}

static const char *read_reference(struct call *call, struct slice value)
{
    ssize_t count = json_write_is_utf8(value) ? body_characters(value) : -1;
    if (count < 1 || count > REFERENCE_MAX)
        return "must be a text of 1 to 64 characters";
    filter_of(call)->reference = arena_copy(&call->request->arena, value);
    return NULL;
}

static const struct paging_filter filters[] = {
    {"kind", "?kind", read_kind},
    {"from", "?from", read_from},
    {"to", "?to", read_to},
    {"min_amount", "?min_amount", read_min},
    {"max_amount", "?max_amount", read_max},
    {"counterparty", "?counterparty", read_counterparty},
    {"reference", "?reference", read_reference},
    {NULL, NULL, NULL},
};

static enum flow_verdict read_query(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    op->filter = (struct wallets_filter){
        .wallet = call_path_id(&op->cached.call, 0, "wal_"),
        .before_version = INT64_MAX,
        .from = INT64_MIN,
        .to = INT64_MAX,
        .max_amount = INT64_MAX,
    };
    op->page.after.list = CURSOR_STATEMENT;
    op->page.after.scope = op->filter.wallet; /* whose owner is the caller, or there is no answer */
    if (!paging_read(&op->cached.call, &op->page, filters))
        return FLOW_DONE;
    op->filter.limit = op->page.limit;
    if (op->page.has_after)
        op->filter.before_version = cursor_number(&op->page.after.position);
    return FLOW_NEXT;
}

static bool is_first_page(const struct list_transactions *op)
{
    return op->cached.call.request->query.length == 0 ||
           slice_equals(op->cached.call.request->query, "limit=20");
}

static enum flow_verdict ask_gate(struct flow *flow)
{
    static const struct uuid none;
    struct list_transactions *op = from_flow(flow);
    return cached_ask_gate(&op->cached, CACHE_PAGE, is_first_page(op) ? &op->filter.wallet : &none);
}

static enum flow_verdict ask_lines(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    struct call *call = &op->cached.call;
    if (uuid_is_nil(&op->filter.wallet))
        return call_refuse(call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (is_first_page(op))
        return cached_ask(&op->cached);
    return call_wait(call, wallets_statement(call->service->pool, &op->filter, call_caller(call),
                                             cached_question(&op->cached)));
}

static void older_answered(struct history_question *question)
{
    struct list_transactions *op =
        (struct list_transactions *)(void *)((char *)question -
                                             offsetof(struct list_transactions, older));
    call_resume(&op->cached.call);
}

/* The last page: do lines begin with the first version, or is the rest in an archived month? */
static enum flow_verdict ask_archive(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    const struct wallets_question *question = &op->cached.question;
    size_t count = question->transaction_count;
    const int64_t span[2] = {op->filter.from, op->filter.to};
    int64_t before =
        count > 0 ? question->transactions[count - 1].version : op->filter.before_version;
    if (question->outcome != PG_OK || question->wallet_count == 0 || question->scanned_to > 0 ||
        count > (size_t)op->page.limit || before == 1)
        return FLOW_NEXT;
    op->older.arena = &op->cached.call.request->arena;
    op->older.done = older_answered;
    return call_wait(&op->cached.call,
                     history_seek_older(op->cached.call.service->pool, &op->filter.wallet, before,
                                        span, &op->older));
}

static enum flow_verdict report(struct flow *flow)
{
    struct list_transactions *op = from_flow(flow);
    const struct wallets_question *question = &op->cached.question;
    struct uuid last = {{0}};
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->cached.call, question->outcome);
    if (question->wallet_count == 0)
        return call_refuse(&op->cached.call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (op->older.outcome != PG_OK)
        return call_refuse_outcome(&op->cached.call, op->older.outcome);
    bool reaches_archive = op->older.archived[0] != '\0';
    if (reaches_archive && question->transaction_count == 0)
        return archived_refuse(&op->cached.call, op->older.archived);
    size_t count = paging_count(&op->page, question->transaction_count);
    struct json_writer *writer = paging_begin(&op->cached.call, &op->page);
    for (size_t i = 0; i < count; i++)
        receipt_write_line(writer, &question->transactions[i]);
    size_t found = question->transaction_count;
    if (count > 0)
        last = cursor_position(question->transactions[count - 1].version);
    if (found == count && question->scanned_to > 0) { /* a filter looks at so many lines for a page:
                                                         there may be more further back */
        last = cursor_position(question->scanned_to);
        found = (size_t)op->page.limit + 1;
    }
    if (reaches_archive) /* the next page says so */
        found = (size_t)op->page.limit + 1;
    paging_end(&op->cached.call, &op->page, found, &last);
    return call_answer(&op->cached.call, 200, &op->page.body);
}

static const struct flow_step steps[] = {
    {"read_query", read_query},
    {"ask_gate", ask_gate},
    {"await_copy", cached_await_copy},
    {"check_gate", call_check_user},
    {"ask_lines", ask_lines},
    {"ask_archive", ask_archive},
    {"report", report},
    {NULL, NULL},
};

void list_transactions(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct list_transactions), steps);
}
