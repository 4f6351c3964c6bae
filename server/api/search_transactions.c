/* GET /v1/transactions on the operators' listener: by wallet, user or phone through the postings of
 * their wallets, one wallet after the other; by reference, partner or amount alone within a day.
 *
 * A page looks at so many rows (store/search.h): it may be short, empty even, and have a next one.
 */
#include <stddef.h>

#include "api/archived.h"
#include "api/body.h"
#include "api/endpoints.h"
#include "api/operators.h"
#include "api/paging.h"
#include "api/receipt.h"
#include "base/arena.h"
#include "base/clock.h"
#include "ledger/money.h"
#include "store/history.h"
#include "store/search.h"

#define REFERENCE_MAX 64
#define DAY (INT64_C(86400) * CLOCK_SECOND)

struct search_transactions {
    struct call call;
    struct paging page;
    struct uuid wallet, user;
    struct slice phone;
    bool has_wallet, has_user;
    int64_t from, to;
    struct search_filter filter;
    size_t nth; /* of the user's wallets */
    struct users_question owner;
    struct wallets_question wallets;
    struct search_question question;
    struct history_question archive;
};

static struct search_transactions *from_flow(struct flow *flow)
{
    return (struct search_transactions *)(void *)call_of(flow);
}

static struct search_transactions *of_call(struct call *call)
{
    return (struct search_transactions *)(void *)call;
}

#define ANSWERED(name, kind, member)                                                              \
    static void name(struct kind *question)                                                       \
    {                                                                                             \
        struct search_transactions *op =                                                          \
            (struct search_transactions *)(void *)((char *)question -                             \
                                                   offsetof(struct search_transactions, member)); \
        call_resume(&op->call);                                                                   \
    }
ANSWERED(owner_answered, users_question, owner)
ANSWERED(wallets_answered, wallets_question, wallets)
ANSWERED(search_answered, search_question, question)
ANSWERED(archive_answered, history_question, archive)

static const char *read_wallet(struct call *call, struct slice value)
{
    of_call(call)->has_wallet = true;
    return uuid_parse(value, "wal_", &of_call(call)->wallet) ? NULL : "must be a wallet's id";
}

static const char *read_user(struct call *call, struct slice value)
{
    of_call(call)->has_user = true;
    return uuid_parse(value, "usr_", &of_call(call)->user) ? NULL : "must be a user's id";
}

static const char *read_phone(struct call *call, struct slice value)
{
    of_call(call)->phone = arena_copy(&call->request->arena, value);
    return body_is_phone(value) ? NULL : "must be like %2B27821234567";
}

static const char *read_partner(struct call *call, struct slice value)
{
    return uuid_parse(value, "par_", &of_call(call)->filter.caller) ? NULL
                                                                    : "must be a partner's id";
}

static const char *read_kind(struct call *call, struct slice value)
{
    of_call(call)->filter.kind = (int)transaction_kind_parse(value);
    return of_call(call)->filter.kind == 0 ? "must be a transaction's kind" : NULL;
}

static const char *read_from(struct call *call, struct slice value)
{
    return paging_time(value, &of_call(call)->from);
}

static const char *read_to(struct call *call, struct slice value)
{
    return paging_time(value, &of_call(call)->to);
}

static const char *read_min(struct call *call, struct slice value)
{
    return paging_number(value, 0, MONEY_MAX, &of_call(call)->filter.min_amount)
               ? NULL
               : "must be an amount";
}

static const char *read_max(struct call *call, struct slice value)
{
    return paging_number(value, 0, MONEY_MAX, &of_call(call)->filter.max_amount)
               ? NULL
               : "must be an amount";
}

static const char *read_reference(struct call *call, struct slice value)
{
    ssize_t count = json_write_is_utf8(value) ? body_characters(value) : -1;
    if (count < 1 || count > REFERENCE_MAX)
        return "must be a text of 1 to 64 characters";
    of_call(call)->filter.reference = arena_copy(&call->request->arena, value);
    return NULL;
}

static const struct paging_filter filters[] = {
    {"wallet", "?wallet", read_wallet},
    {"user", "?user", read_user},
    {"phone", "?phone", read_phone},
    {"partner", "?partner", read_partner},
    {"kind", "?kind", read_kind},
    {"from", "?from", read_from},
    {"to", "?to", read_to},
    {"min_amount", "?min_amount", read_min},
    {"max_amount", "?max_amount", read_max},
    {"reference", "?reference", read_reference},
    {NULL, NULL, NULL},
};

static bool is_about_somebody(const struct search_transactions *op)
{
    return op->has_wallet || op->has_user || op->phone.at != NULL;
}

/* Without anybody's wallet, a day at most: it is read through. */
static bool check_span(struct search_transactions *op)
{
    bool somebody = is_about_somebody(op);
    if (op->has_wallet + op->has_user + (op->phone.at != NULL) > 1)
        call_add_field(&op->call, SLICE("?"), "range", "one of wallet, user and phone");
    if (op->to == INT64_MAX && !somebody)
        op->to = clock_now();
    if (op->from == INT64_MIN)
        op->from = somebody ? 0 : op->to - DAY;
    if (op->from < 0 || op->to <= op->from)
        call_add_field(&op->call, SLICE("?from"), "range", "must lie before ?to");
    else if (!somebody && op->to - op->from > DAY)
        call_add_field(&op->call, SLICE("?from"), "range",
                       "a day at most, without wallet, user or phone");
    return op->call.problem.field_count == 0;
}

/* A page's position: with somebody's wallets the version in the nth, otherwise an id. */
static void resume_page(struct search_transactions *op)
{
    static const struct uuid last = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const struct uuid *position = &op->page.after.position;
    op->filter.first = history_floor(op->from, 0);
    op->filter.behind = op->to == INT64_MAX ? last : history_floor(op->to, 0);
    op->filter.before_version = INT64_MAX;
    if (!op->page.has_after)
        return;
    if (is_about_somebody(op)) {
        op->filter.before_version = cursor_number(position);
        op->nth = position->bytes[0];
    } else {
        op->filter.behind = *position;
    }
}

static enum flow_verdict read_query(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    op->filter.max_amount = INT64_MAX;
    op->from = INT64_MIN;
    op->to = INT64_MAX;
    op->page.after.list = CURSOR_SEARCH;
    if (!paging_read(&op->call, &op->page, filters))
        return FLOW_DONE;
    if (!check_span(op))
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    op->filter.limit = op->page.limit;
    resume_page(op);
    op->owner.arena = op->wallets.arena = op->question.arena = op->archive.arena =
        &op->call.request->arena;
    op->owner.done = owner_answered;
    op->wallets.done = wallets_answered;
    op->question.done = search_answered;
    op->archive.done = archive_answered;
    return FLOW_NEXT;
}

static enum flow_verdict ask_owner(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    if (op->phone.at == NULL)
        return FLOW_NEXT;
    return call_wait(&op->call, users_find_by_phone(op->call.service->pool, op->phone, &op->owner));
}

static enum flow_verdict ask_wallets(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    if (op->owner.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->owner.outcome);
    if (op->owner.found)
        op->user = op->owner.user.id;
    if (op->has_wallet)
        call_log(&op->call, "operator_searched", "wal_", &op->wallet);
    else
        call_log(&op->call, "operator_searched", "usr_", uuid_is_nil(&op->user) ? NULL : &op->user);
    if (uuid_is_nil(&op->user))
        return FLOW_NEXT;
    return call_wait(&op->call, wallets_list(op->call.service->pool, &op->user, NULL,
                                             WALLETS_PER_USER + 1, &op->wallets));
}

static enum flow_verdict ask_transactions(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    if (op->wallets.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->wallets.outcome);
    if (op->has_wallet)
        op->filter.account = op->wallet;
    else if (op->nth < op->wallets.wallet_count)
        op->filter.account = op->wallets.wallets[op->nth].id;
    else if (is_about_somebody(op))
        return FLOW_NEXT; /* nobody, or nothing of theirs is left */
    return call_wait(&op->call, search_ask(op->call.service->pool, &op->filter, &op->question));
}

/* Nothing found to the end: because it was taken out of the database? */
static enum flow_verdict ask_archive(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    const int64_t span[2] = {op->from, op->to};
    struct pg_pool *pool = op->call.service->pool;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.count > 0 || op->question.more)
        return FLOW_NEXT;
    if (uuid_is_nil(&op->filter.account))
        return call_wait(&op->call,
                         history_seek_transaction(pool, &op->filter.first, &op->archive));
    return call_wait(&op->call, history_seek_older(pool, &op->filter.account,
                                                   op->filter.before_version, span, &op->archive));
}

/* Where the next page begins; false: nowhere. */
static bool next_position(const struct search_transactions *op, size_t count, struct uuid *position)
{
    const struct search_question *question = &op->question;
    bool full = question->count > count;
    bool by_account = !uuid_is_nil(&op->filter.account);
    if (!full && !question->more) {
        *position = cursor_position(INT64_MAX);
        position->bytes[0] = (uint8_t)(op->nth + 1);
        return op->nth + 1 < op->wallets.wallet_count;
    }
    if (!by_account) {
        *position = full ? question->found[count - 1].id : question->last_id;
        return true;
    }
    *position = cursor_position(full ? question->found[count - 1].version : question->oldest);
    position->bytes[0] = (uint8_t)op->nth;
    return true;
}

static enum flow_verdict report(struct flow *flow)
{
    struct search_transactions *op = from_flow(flow);
    struct uuid position;
    if (op->archive.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->archive.outcome);
    if (op->archive.archived[0] != '\0')
        return archived_refuse(&op->call, op->archive.archived);
    size_t count = paging_count(&op->page, op->question.count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        receipt_write_for_operator(writer, &op->question.found[i]);
    bool more = next_position(op, count, &position);
    paging_end(&op->call, &op->page, more ? (size_t)op->page.limit + 1 : 0, &position);
    return call_answer(&op->call, 200, &op->page.body);
}

static const struct flow_step steps[] = {
    {"check_operator", operators_check},
    {"read_query", read_query},
    {"ask_owner", ask_owner},
    {"ask_wallets", ask_wallets},
    {"ask_transactions", ask_transactions},
    {"ask_archive", ask_archive},
    {"report", report},
    {NULL, NULL},
};

void search_transactions(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct search_transactions), steps);
}
