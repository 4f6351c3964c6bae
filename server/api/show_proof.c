/* GET /v1/transactions/{id}/proof: that it stands in the sealed ledger, for its parties. Each sees
 * the postings of the own wallets; of the others, the commitments. */
#include <stddef.h>

#include "api/archived.h"
#include "api/call.h"
#include "api/endpoints.h"
#include "ledger/proof.h"
#include "store/history.h"
#include "store/seals.h"

struct show_proof {
    struct call call;
    struct seals_question question;
    struct history_question archive;
};

static struct show_proof *from_flow(struct flow *flow)
{
    return (struct show_proof *)(void *)call_of(flow);
}

static void answered(struct seals_question *question)
{
    struct show_proof *op =
        (struct show_proof *)(void *)((char *)question - offsetof(struct show_proof, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_transaction(struct flow *flow)
{
    struct show_proof *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "tx_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_TRANSACTION_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, seals_find_leaf(op->call.service->pool, &id, &op->question));
}

static void archive_answered(struct history_question *question)
{
    struct show_proof *op =
        (struct show_proof *)(void *)((char *)question - offsetof(struct show_proof, archive));
    call_resume(&op->call);
}

/* It isn't here: is its month? As show_transaction answers. */
static enum flow_verdict ask_archive(struct flow *flow)
{
    struct show_proof *op = from_flow(flow);
    if (op->question.outcome != PG_OK || op->question.found)
        return FLOW_NEXT;
    struct uuid id = call_path_id(&op->call, 0, "tx_");
    op->archive.arena = &op->call.request->arena;
    op->archive.done = archive_answered;
    return call_wait(&op->call,
                     history_seek_transaction(op->call.service->pool, &id, &op->archive));
}

/* Parties, as show_transaction has them. */
static bool may_see(const struct show_proof *op)
{
    const struct uuid *caller = call_caller(&op->call);
    if (op->call.gate.answer.caller == GATE_PARTNER)
        return uuid_equal(caller, &op->question.leaf.caller);
    return uuid_equal(caller, &op->question.from_owner) ||
           uuid_equal(caller, &op->question.to_owner);
}

static enum flow_verdict ask_seal(struct flow *flow)
{
    struct show_proof *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->archive.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->archive.outcome);
    if (op->archive.archived[0] != '\0')
        return archived_refuse(&op->call, op->archive.archived);
    if (!op->question.found || !may_see(op))
        return call_refuse(&op->call, PROBLEM_TRANSACTION_NOT_FOUND, NULL);
    return call_wait(&op->call, seals_find_seal(op->call.service->pool, &op->question));
}

static enum flow_verdict ask_legs(struct flow *flow)
{
    struct show_proof *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found) {
        op->call.problem.retry_after_s = 2;
        return call_refuse(&op->call, PROBLEM_NOT_SEALED_YET, NULL);
    }
    return call_wait(&op->call, seals_find_legs(op->call.service->pool, &op->question));
}

static void show_own(const struct show_proof *op, struct proof *proof)
{
    const struct seals_question *q = &op->question;
    const struct uuid *caller = call_caller(&op->call);
    bool is_user = op->call.gate.answer.caller == GATE_USER;
    for (size_t i = 0; i < q->leaf.posting_count; i++) {
        const struct leaf_posting *posting = &q->leaf.postings[i];
        struct proof_posting *shown = &proof->postings[i];
        shown->is_shown =
            is_user &&
            ((uuid_equal(caller, &q->from_owner) && uuid_equal(&posting->account, &q->leaf.from)) ||
             (uuid_equal(caller, &q->to_owner) && uuid_equal(&posting->account, &q->leaf.to)));
        if (!shown->is_shown)
            continue;
        shown->posting = *posting;
        leaf_blind(q->salt, &q->leaf.id, 1 + i, shown->blind);
    }
}

/* What was sealed is told as it stands: should the rows have been changed since, the proof is one
 * that fails. */
static bool make_proof(const struct show_proof *op, struct proof *proof)
{
    const struct seals_question *q = &op->question;
    struct bytes space;
    proof->leaf = q->leaf;
    proof->leaf_hash = q->leaves[q->index];
    proof->index = q->index;
    proof->seal = q->stored.seal;
    proof->seal_hash = q->stored.hash;
    proof->checkpoint = q->stored.checkpoint;
    merkle_path_find(q->leaves, q->stored.seal.count, q->index, &proof->path);
    bytes_init(&space, q->arena);
    if (!leaf_commit(&q->leaf, q->salt, &space, &proof->commitments))
        return false;
    show_own(op, proof);
    return true;
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_proof *op = from_flow(flow);
    struct proof *proof = arena_alloc(&op->call.request->arena, sizeof *proof);
    struct bytes body;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (proof == NULL || !make_proof(op, proof))
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    bytes_init(&body, &op->call.request->arena);
    proof_write(proof, &body);
    return call_answer_tagged(&op->call, &body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_transaction", ask_transaction},
    {"ask_archive", ask_archive}, /* PostgreSQL, only when it isn't there */
    {"ask_seal", ask_seal},
    {"ask_legs", ask_legs},
    {"report", report},
    {NULL, NULL},
};

void show_proof(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_proof), steps);
}
