/* POST /v1/wallets/{id}/close: for good. Only an empty one; never the one that money to the user's
 * phone goes to. Asked again, it says the same: it needs no key. */
#include <stddef.h>

#include "api/call.h"
#include "api/endpoints.h"
#include "api/receipt.h"
#include "ledger/account.h"
#include "store/cache.h"
#include "store/status.h"

struct close_wallet {
    struct call call;
    struct status_question question;
};

static struct close_wallet *from_flow(struct flow *flow)
{
    return (struct close_wallet *)(void *)call_of(flow);
}

static void answered(struct status_question *question)
{
    struct close_wallet *op =
        (struct close_wallet *)(void *)((char *)question - offsetof(struct close_wallet, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_close(struct flow *flow)
{
    struct close_wallet *op = from_flow(flow);
    const struct uuid id = call_path_id(&op->call, 0, "wal_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, status_close_wallet(op->call.service->pool, &id,
                                                    call_caller(&op->call), &op->question));
}

static enum flow_verdict report(struct flow *flow)
{
    struct close_wallet *op = from_flow(flow);
    const struct status_question *question = &op->question;
    struct json_writer writer;
    struct bytes body;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    if (!question->found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (question->is_main)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_EMPTY,
                           "The first wallet stays open: money to your phone goes there");
    if (!question->closed && question->wallet.status == ACCOUNT_FROZEN)
        return call_refuse(&op->call, PROBLEM_WALLET_FROZEN, NULL);
    if (!question->closed)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_EMPTY, NULL);
    cache_forget(op->call.service->cache, &question->wallet.id);
    call_log(&op->call, "wallet_closed", "wal_", &question->wallet.id);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_wallet(&writer, &question->wallet);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_close", ask_close},
    {"report", report},
    {NULL, NULL},
};

void close_wallet(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct close_wallet), steps);
}
