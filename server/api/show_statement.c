/* GET /v1/wallets/{id}/statement: an account statement for a period, as CSV or as a page to print.
 *
 * The lines are the versions between the balance before `from` and the one before `to`: so they add
 * up, always, also where two servers' clocks differ (store/history.h). They are read by pages, each
 * with an arena of its own; only the document is kept. */
#include <stddef.h>

#include "api/account_statement.h"
#include "api/archived.h"
#include "api/endpoints.h"
#include "api/paging.h"
#include "base/arena.h"
#include "base/clock.h"
#include "store/history.h"
#include "store/wallets.h"

#define LINES_MAX 10000
#define PAGE_LINES 500
#define LINE_BYTES 320 /* of an ordinary line: room made ahead */
#define LINE_MOST 1600 /* of the longest: what is reckoned with */
#define DOCUMENT_MAX ((size_t)16 << 20)
#define MAKING_MAX ((size_t)64 << 20) /* documents that a worker makes at once */

struct show_statement {
    struct call call;
    struct uuid wallet;
    bool has_from, has_to;
    struct history_question opening, closing, page;
    struct arena page_arena;
    struct history_range range;
    struct bytes body;
    struct account_statement statement;
    size_t making; /* its part of documents_making */
};

static size_t documents_making; /* one worker, one thread */

static struct show_statement *from_flow(struct flow *flow)
{
    return (struct show_statement *)(void *)call_of(flow);
}

static struct show_statement *of_call(struct call *call)
{
    return (struct show_statement *)(void *)call;
}

static const char *read_from(struct call *call, struct slice value)
{
    of_call(call)->has_from = true;
    return paging_time(value, &of_call(call)->statement.from);
}

static const char *read_to(struct call *call, struct slice value)
{
    const char *wrong = paging_time(value, &of_call(call)->statement.to);
    of_call(call)->has_to = true;
    if (wrong == NULL && of_call(call)->statement.to > clock_now())
        return "must not lie in the future";
    return wrong;
}

static const char *read_format(struct call *call, struct slice value)
{
    of_call(call)->statement.format = slice_equals(value, "csv")    ? ACCOUNT_STATEMENT_CSV
                                      : slice_equals(value, "html") ? ACCOUNT_STATEMENT_HTML
                                                                    : 0;
    return of_call(call)->statement.format == 0 ? "must be csv or html" : NULL;
}

static const struct paging_filter parameters[] = {
    {"from", "?from", read_from},
    {"to", "?to", read_to},
    {"format", "?format", read_format},
    {NULL, NULL, NULL},
};

/* Without ?format=: a page for whoever asks for one before CSV, as browsers do. */
static enum account_statement_format accepted(struct slice accept)
{
    const char *html = accept.length == 0 ? NULL : memmem(accept.at, accept.length, "text/html", 9);
    const char *csv = accept.length == 0 ? NULL : memmem(accept.at, accept.length, "text/csv", 8);
    return html != NULL && (csv == NULL || html < csv) ? ACCOUNT_STATEMENT_HTML
                                                       : ACCOUNT_STATEMENT_CSV;
}

static enum flow_verdict read_query(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    struct account_statement *statement = &op->statement;
    op->wallet = call_path_id(&op->call, 0, "wal_");
    if (!paging_read_query(&op->call, parameters))
        return FLOW_DONE;
    if (!op->has_to)
        statement->to = clock_now();
    if (!op->has_from)
        call_add_field(&op->call, SLICE("?from"), "required", "when does the period begin?");
    else if (statement->from < 0 || statement->from >= statement->to)
        call_add_field(&op->call, SLICE("?from"), "range", "must lie before the period's end");
    if (op->call.problem.field_count > 0)
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    if (statement->format == 0)
        statement->format = accepted(op->call.request->accept);
    return FLOW_NEXT;
}

static void opening_answered(struct history_question *question)
{
    call_resume(&((struct show_statement *)(void *)((char *)question -
                                                    offsetof(struct show_statement, opening)))
                     ->call);
}

static void closing_answered(struct history_question *question)
{
    call_resume(&((struct show_statement *)(void *)((char *)question -
                                                    offsetof(struct show_statement, closing)))
                     ->call);
}

/* `moment` isn't part of it. */
static enum flow_verdict ask_balance(struct show_statement *op, int64_t moment,
                                     struct history_question *question)
{
    question->arena = &op->call.request->arena;
    return call_wait(&op->call,
                     history_as_of(op->call.service->pool, &op->wallet, call_caller(&op->call),
                                   moment > 0 ? moment - 1 : 0, question));
}

static enum flow_verdict check_balance(struct show_statement *op,
                                       const struct history_question *question)
{
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    if (!question->found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (question->archived[0] != '\0')
        return archived_refuse(&op->call, question->archived);
    return FLOW_NEXT;
}

static enum flow_verdict ask_opening(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    if (uuid_is_nil(&op->wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->opening.done = opening_answered;
    return ask_balance(op, op->statement.from, &op->opening);
}

static enum flow_verdict ask_closing(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    if (check_balance(op, &op->opening) != FLOW_NEXT)
        return FLOW_DONE;
    op->closing.done = closing_answered;
    return ask_balance(op, op->statement.to, &op->closing);
}

/* A document is whole before it's answered, and only then counts as an answer (http/request.h): so
 * many at once would be more memory than all answers may take. False: not now. */
static bool begin_making(struct show_statement *op, size_t lines)
{
    size_t most = 4096 + lines * LINE_MOST;
    most = most < DOCUMENT_MAX ? most : DOCUMENT_MAX;
    if (documents_making + most > MAKING_MAX)
        return false;
    documents_making += op->making = most;
    return true;
}

static void end_making(struct show_statement *op)
{
    documents_making -= op->making;
    op->making = 0;
}

static enum flow_verdict begin_document(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    if (check_balance(op, &op->closing) != FLOW_NEXT)
        return FLOW_DONE;
    int64_t count = op->closing.version - op->opening.version;
    if (count > LINES_MAX) {
        call_add_field(&op->call, SLICE("?from"), "range",
                       "the period has more than 10,000 lines: ask for shorter ones");
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    }
    if (!begin_making(op, (size_t)count))
        return call_refuse(&op->call, PROBLEM_OVERLOADED,
                           "Too many account statements are being made just now");
    struct account_statement *statement = &op->statement;
    bytes_init(&op->body, &op->call.request->arena);
    op->body.limit = DOCUMENT_MAX;
    bytes_reserve(&op->body, 4096 + (size_t)count * LINE_BYTES);
    statement->wallet = op->wallet;
    statement->label = op->closing.label;
    statement->owner = op->closing.owner_name;
    statement->currency = op->closing.currency;
    statement->opening = op->opening.posted;
    statement->closing = op->closing.posted;
    statement->held = op->closing.held;
    statement->out = &op->body;
    account_statement_begin(statement);
    return FLOW_NEXT;
}

static void page_answered(struct history_question *question);

static bool ask_page(struct show_statement *op)
{
    op->page.arena = &op->page_arena;
    op->page.done = page_answered;
    return history_lines(op->call.service->pool, &op->range, &op->page);
}

/* Written, as far as no version is missing. */
static void take_page(struct show_statement *op)
{
    const struct history_question *page = &op->page;
    for (size_t i = 0; page->outcome == PG_OK && i < page->line_count; i++) {
        if (page->lines[i].version != op->range.after + 1 ||
            !account_statement_line(&op->statement, &page->lines[i]))
            return;
        op->range.after++;
    }
}

/* All pages within one step: the next one is asked here until the last has come, or fails. */
static void page_answered(struct history_question *question)
{
    struct show_statement *op =
        (struct show_statement *)(void *)((char *)question - offsetof(struct show_statement, page));
    int64_t before = op->range.after;
    take_page(op);
    arena_release(&op->page_arena);
    bool more = question->outcome == PG_OK && !op->body.failed && op->range.after < op->range.last;
    if (more && op->range.after == before + PAGE_LINES) {
        if (ask_page(op))
            return;
        question->outcome = PG_UNAVAILABLE;
    }
    call_resume(&op->call);
}

static enum flow_verdict ask_lines(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    op->range =
        (struct history_range){op->wallet, op->opening.version, op->closing.version, PAGE_LINES};
    arena_init(&op->page_arena);
    if (op->range.after == op->range.last)
        return FLOW_NEXT;
    enum flow_verdict verdict = call_wait(&op->call, ask_page(op));
    if (verdict == FLOW_DONE)
        end_making(op);
    return verdict;
}

/* Fewer lines than versions: they are in an archived month between the two balances. */
static enum flow_verdict ask_archive(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    end_making(op);
    if (op->page.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->page.outcome);
    if (op->body.failed)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    if (op->range.after == op->range.last)
        return FLOW_NEXT;
    op->opening.arena = &op->call.request->arena;
    return call_wait(&op->call, history_seek_version(op->call.service->pool, &op->wallet,
                                                     op->range.after + 1, &op->opening));
}

static void add_headers(struct show_statement *op)
{
    char wallet[UUID_TEXT_MAX];
    struct bytes name;
    bool csv = op->statement.format == ACCOUNT_STATEMENT_CSV;
    uuid_format(&op->wallet, "wal_", wallet);
    bytes_init(&name, &op->call.request->arena);
    bytes_printf(&name, "%s; filename=\"statement-%s.%s\"", csv ? "attachment" : "inline", wallet,
                 csv ? "csv" : "html");
    if (!name.failed)
        response_header_add(op->call.request, "content-disposition", bytes_view(&name));
    if (!csv)
        response_header_add(op->call.request, "content-security-policy",
                            SLICE("default-src 'none'; style-src 'unsafe-inline'"));
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_statement *op = from_flow(flow);
    if (op->range.after < op->range.last) {
        if (op->opening.outcome != PG_OK)
            return call_refuse_outcome(&op->call, op->opening.outcome);
        return op->opening.archived[0] != '\0' ? archived_refuse(&op->call, op->opening.archived)
                                               : call_refuse(&op->call, PROBLEM_INTERNAL, NULL);
    }
    if (op->statement.balance != op->statement.closing)
        return call_refuse(&op->call, PROBLEM_INTERNAL, NULL);
    account_statement_end(&op->statement);
    if (op->body.failed)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    add_headers(op);
    response_json(op->call.request, 200, bytes_view(&op->body));
    op->call.request->response.content_type = op->statement.format == ACCOUNT_STATEMENT_CSV
                                                  ? "text/csv; charset=utf-8; header=present"
                                                  : "text/html; charset=utf-8";
    return FLOW_DONE;
}

static const struct flow_step steps[] = {
    {"read_query", read_query},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_opening", ask_opening},
    {"ask_closing", ask_closing},
    {"begin_document", begin_document},
    {"ask_lines", ask_lines},
    {"ask_archive", ask_archive},
    {"report", report},
    {NULL, NULL},
};

void show_statement(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_statement), steps);
}
