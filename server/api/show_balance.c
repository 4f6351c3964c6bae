/* GET /v1/wallets/{id}/balance: what it holds, now or as of a past moment (?at=). What a moment's
 * balance is: store/history.h. */
#include <stddef.h>

#include "api/archived.h"
#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"
#include "base/clock.h"
#include "store/history.h"

struct show_balance {
    struct call call;
    struct uuid wallet;
    bool has_at;
    int64_t at;
    struct wallets_question now;
    struct history_question past;
};

static struct show_balance *from_flow(struct flow *flow)
{
    return (struct show_balance *)(void *)call_of(flow);
}

static void answered_now(struct wallets_question *question)
{
    struct show_balance *op =
        (struct show_balance *)(void *)((char *)question - offsetof(struct show_balance, now));
    call_resume(&op->call);
}

static void answered_past(struct history_question *question)
{
    struct show_balance *op =
        (struct show_balance *)(void *)((char *)question - offsetof(struct show_balance, past));
    call_resume(&op->call);
}

static const char *read_at(struct call *call, struct slice value)
{
    struct show_balance *op = (struct show_balance *)(void *)call;
    const char *wrong = paging_time(value, &op->at);
    op->has_at = true;
    if (wrong == NULL && op->at > clock_now())
        return "must not lie in the future";
    return wrong;
}

static const struct paging_filter parameters[] = {{"at", "?at", read_at}, {NULL, NULL, NULL}};

static enum flow_verdict read_query(struct flow *flow)
{
    struct show_balance *op = from_flow(flow);
    op->wallet = call_path_id(&op->call, 0, "wal_");
    return paging_read_query(&op->call, parameters) ? FLOW_NEXT : FLOW_DONE;
}

static enum flow_verdict ask_balance(struct flow *flow)
{
    struct show_balance *op = from_flow(flow);
    struct pg_pool *pool = op->call.service->pool;
    const struct uuid *caller = call_caller(&op->call);
    if (uuid_is_nil(&op->wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->now.arena = op->past.arena = &op->call.request->arena;
    op->now.done = answered_now;
    op->past.done = answered_past;
    if (!op->has_at)
        return call_wait(&op->call, wallets_find(pool, &op->wallet, caller, &op->now));
    return call_wait(&op->call,
                     history_as_of(pool, &op->wallet, caller, op->at < 0 ? 0 : op->at, &op->past));
}

static enum flow_verdict take_balance(struct flow *flow)
{
    struct show_balance *op = from_flow(flow);
    enum pg_outcome outcome = op->has_at ? op->past.outcome : op->now.outcome;
    if (outcome != PG_OK)
        return call_refuse_outcome(&op->call, outcome);
    if (!op->has_at && op->now.wallet_count == 1) {
        const struct wallet *wallet = &op->now.wallets[0];
        op->past.found = true;
        op->past.currency = wallet->currency;
        op->past.posted = wallet->posted;
        op->past.held = wallet->held;
        op->past.version = wallet->version;
    }
    if (!op->past.found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (op->past.archived[0] != '\0')
        return archived_refuse(&op->call, op->past.archived);
    return FLOW_NEXT;
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_balance *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    receipt_write_id(&writer, "wallet", "wal_", &op->wallet);
    if (op->has_at) {
        receipt_write_time(&writer, "at", op->at);
    } else {
        json_write_key(&writer, "at");
        json_write_null(&writer);
    }
    receipt_write_balance(&writer, op->past.currency, op->past.posted, op->past.held);
    json_write_key(&writer, "version");
    json_write_int(&writer, op->past.version);
    json_write_object_end(&writer);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step steps[] = {
    {"read_query", read_query},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_balance", ask_balance},
    {"take_balance", take_balance},
    {"report", report},
    {NULL, NULL},
};

void show_balance(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_balance), steps);
}
