/* GET /v1/transactions/{id}: a receipt again, for its parties: each sees their own balance. And on
 * the operators' listener: whose it was, and nobody's balance. */
#include <stddef.h>

#include "api/archived.h"
#include "api/call.h"
#include "api/endpoints.h"
#include "api/operators.h"
#include "api/receipt.h"
#include "store/history.h"

struct show_transaction {
    struct call call;
    struct wallets_question question;
    struct history_question archive;
    struct holds_question links;
    enum receipt_side side;
};

static struct show_transaction *from_flow(struct flow *flow)
{
    return (struct show_transaction *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct show_transaction *op =
        (struct show_transaction *)(void *)((char *)question -
                                            offsetof(struct show_transaction, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_transaction(struct flow *flow)
{
    struct show_transaction *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "tx_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_TRANSACTION_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call,
                     wallets_find_transaction(op->call.service->pool, &id, &op->question));
}

static void archive_answered(struct history_question *question)
{
    struct show_transaction *op =
        (struct show_transaction *)(void *)((char *)question -
                                            offsetof(struct show_transaction, archive));
    call_resume(&op->call);
}

/* It isn't here: is its month? Any id of an archived month is answered so, booked or not. */
static enum flow_verdict ask_archive(struct flow *flow)
{
    struct show_transaction *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "tx_");
    if (op->question.outcome != PG_OK || op->question.transaction_count > 0)
        return FLOW_NEXT;
    op->archive.arena = &op->call.request->arena;
    op->archive.done = archive_answered;
    return call_wait(&op->call,
                     history_seek_transaction(op->call.service->pool, &id, &op->archive));
}

/* Whose is it? A partner sees what it asked for itself, without anybody's balance. */
static bool may_see(const struct show_transaction *op, const struct wallets_transaction *t,
                    enum receipt_side *side)
{
    const struct uuid *caller = call_caller(&op->call);
    *side = RECEIPT_NEITHER;
    if (op->call.gate.answer.caller == GATE_PARTNER)
        return uuid_equal(caller, &t->caller);
    if (uuid_equal(caller, &t->from_owner))
        *side = RECEIPT_FROM;
    else if (uuid_equal(caller, &t->to_owner))
        *side = RECEIPT_TO;
    return *side != RECEIPT_NEITHER;
}

static void linked(struct holds_question *question)
{
    struct show_transaction *op =
        (struct show_transaction *)(void *)((char *)question -
                                            offsetof(struct show_transaction, links));
    call_resume(&op->call);
}

static enum flow_verdict ask_links(struct flow *flow)
{
    struct show_transaction *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->archive.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->archive.outcome);
    if (op->archive.archived[0] != '\0')
        return archived_refuse(&op->call, op->archive.archived);
    if (op->question.transaction_count == 0 || !may_see(op, op->question.transactions, &op->side))
        return call_refuse(&op->call, PROBLEM_TRANSACTION_NOT_FOUND, NULL);
    op->links.arena = &op->call.request->arena;
    op->links.done = linked;
    return call_wait(
        &op->call, holds_links(op->call.service->pool, &op->question.transactions->id, &op->links));
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_transaction *op = from_flow(flow);
    const struct receipt_links links = {op->links.links, op->links.link_count};
    struct bytes body;
    if (op->links.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->links.outcome);
    bytes_init(&body, &op->call.request->arena);
    receipt_write_linked(op->question.transactions, op->side, &links, &body);
    return call_answer_tagged(&op->call, &body);
}

static enum flow_verdict report_to_operator(struct flow *flow)
{
    struct show_transaction *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK || op->archive.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome != PG_OK ? op->question.outcome
                                                                            : op->archive.outcome);
    if (op->archive.archived[0] != '\0')
        return archived_refuse(&op->call, op->archive.archived);
    if (op->question.transaction_count == 0)
        return call_refuse(&op->call, PROBLEM_TRANSACTION_NOT_FOUND, NULL);
    call_log(&op->call, "operator_saw", "tx_", &op->question.transactions->id);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_for_operator(&writer, op->question.transactions);
    return call_answer_tagged(&op->call, &body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_transaction", ask_transaction},
    {"ask_archive", ask_archive},
    {"ask_links", ask_links},
    {"report", report},
    {NULL, NULL},
};

void show_transaction(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_transaction), steps);
}

static const struct flow_step operator_steps[] = {
    {"check_operator", operators_check},
    {"ask_transaction", ask_transaction},
    {"ask_archive", ask_archive},
    {"report", report_to_operator},
    {NULL, NULL},
};

void show_transaction_for_operator(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_transaction), operator_steps);
}
