#include "api/give_back.h"

#include <stddef.h>

#include "api/archived.h"

struct give_back *give_back_of(struct flow *flow)
{
    return (struct give_back *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct give_back *op =
        (struct give_back *)(void *)((char *)question - offsetof(struct give_back, question));
    call_resume(&op->call);
}

enum flow_verdict give_back_ask_original(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    const struct uuid id = call_path_id(&op->call, 0, "tx_");
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call,
                     wallets_find_transaction(op->call.service->pool, &id, &op->question));
}

static void archive_answered(struct history_question *question)
{
    struct give_back *op =
        (struct give_back *)(void *)((char *)question - offsetof(struct give_back, archive));
    call_resume(&op->call);
}

enum flow_verdict give_back_ask_archive(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    const struct uuid id = call_path_id(&op->call, 0, "tx_");
    if (op->question.outcome != PG_OK || op->question.transaction_count > 0)
        return FLOW_NEXT;
    op->archive.arena = &op->call.request->arena;
    op->archive.done = archive_answered;
    return call_wait(&op->call,
                     history_seek_transaction(op->call.service->pool, &id, &op->archive));
}

const struct wallets_transaction *give_back_original(const struct give_back *op)
{
    return op->question.transaction_count == 0 ? NULL : op->question.transactions;
}

enum flow_verdict give_back_ask_posting(struct give_back *op,
                                        const struct wallets_transaction *original)
{
    struct movement *movement = &op->movement;
    struct posting_subject *subject = &movement->subject;
    if (op->archive.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->archive.outcome);
    movement->subject_away = op->archive.archived[0] != '\0';
    if (original != NULL) {
        if (!receipt_refundable(original, &op->call.request->arena, &subject->refundable))
            return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
        subject->id = original->id;
        subject->kind = (enum transaction_kind)original->kind;
        subject->amount = original->amount;
        subject->fee = original->fee;
        movement->from = original->to;
        movement->to = original->from;
        movement->currency = original->currency;
    }
    return movement_ask(&op->call, movement);
}

enum flow_verdict give_back_report(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    const struct posting_order *order = &op->movement.receipt.order;
    if (order->subject_away && order->outcome == POSTING_EXPIRED)
        return archived_refuse(&op->call, op->archive.archived);
    return movement_report(&op->call, &op->movement);
}
