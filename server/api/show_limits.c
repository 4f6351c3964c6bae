/* GET /v1/wallets/{id}/limits: what the wallet may still send, and until when. */
#include <stddef.h>
#include <stdio.h>

#include "api/call.h"
#include "api/endpoints.h"
#include "api/receipt.h"
#include "base/clock.h"
#include "scripting/bundle.h"
#include "store/limits.h"

struct show_limits {
    struct call call;
    int64_t now;
    struct limit_calendar calendar;
    struct limits_question question;
};

static struct show_limits *from_flow(struct flow *flow)
{
    return (struct show_limits *)(void *)call_of(flow);
}

static void answered(struct limits_question *question)
{
    struct show_limits *op =
        (struct show_limits *)(void *)((char *)question - offsetof(struct show_limits, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_limits(struct flow *flow)
{
    struct show_limits *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "wal_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->now = clock_now();
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, limits_find(op->call.service->pool, &id, call_caller(&op->call),
                                            op->now, &op->question));
}

static void write_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    json_write_key(writer, key);
    json_write_int(writer, number);
}

static void write_kinds(struct json_writer *writer, unsigned classes)
{
    static const char *const names[LIMIT_CLASSES] = {"transfer", "withdrawal", "hold"};
    json_write_key(writer, "kinds");
    json_write_array(writer);
    for (int c = 0; c < LIMIT_CLASSES; c++)
        if ((classes >> c & 1) != 0)
            json_write_text(writer, names[c]);
    json_write_array_end(writer);
}

/* One bound: a cap's sum or its count. */
struct bound {
    const struct limit_cap *cap;
    bool count;
    int64_t limit, used, resets_at;
};

static void write_bound(struct json_writer *writer, const struct bound *bound)
{
    static const char *const periods[] = {"single", "day", "week", "month", "rolling", "balance"};
    char code[32];
    char text[CLOCK_TEXT_MAX];
    const struct limit_cap *cap = bound->cap;
    snprintf(code, sizeof code, "%s%s", cap->code, bound->count ? "_count" : "");
    json_write_object(writer);
    write_text(writer, "which", code);
    write_text(writer, "rule", cap->rule);
    write_text(writer, "period", periods[cap->period]);
    write_text(writer, "counts", bound->count ? "movements" : "amount");
    if (cap->period != LIMIT_BALANCE)
        write_kinds(writer, cap->classes);
    write_number(writer, "limit", bound->limit);
    write_number(writer, "used", bound->used);
    write_number(writer, "remaining", bound->used < bound->limit ? bound->limit - bound->used : 0);
    json_write_key(writer, "resets_at");
    clock_format(bound->resets_at, text);
    if (bound->resets_at == 0)
        json_write_null(writer);
    else
        json_write_text(writer, text);
    json_write_object_end(writer);
}

static void write_cap(struct show_limits *op, struct json_writer *writer,
                      const struct limit_cap *cap)
{
    struct limits_question *q = &op->question;
    struct limit_state state = limit_measure(cap, &q->counters, &op->calendar, &q->window, op->now);
    if (cap->period == LIMIT_BALANCE)
        state.used.sum = q->account.posted > 0 ? q->account.posted : 0;
    struct bound bound = {cap, false, cap->sum, state.used.sum, state.resets_at};
    if (cap->sum != LIMIT_NONE)
        write_bound(writer, &bound);
    bound = (struct bound){cap, true, cap->count, state.used.count, state.resets_at};
    if (cap->count != LIMIT_NONE)
        write_bound(writer, &bound);
}

static void write_limits(struct show_limits *op, const struct bundle *bundle, struct bytes *body)
{
    const struct account *account = &op->question.account;
    const struct limit_caps *caps = bundle_caps(bundle, account->tier, account->currency);
    struct json_writer writer;
    op->calendar = limit_calendar_at(account->zone, op->now);
    limit_roll(&op->question.counters, &op->calendar, op->now);
    json_write_init(&writer, body);
    json_write_object(&writer);
    receipt_write_id(&writer, "wallet", "wal_", &account->id);
    receipt_write_zone(&writer, account->zone);
    json_write_key(&writer, "limits");
    json_write_array(&writer);
    for (size_t i = 0; i < caps->count; i++)
        write_cap(op, &writer, &caps->at[i]);
    json_write_array_end(&writer);
    json_write_object_end(&writer);
}

static enum flow_verdict report_limits(struct flow *flow)
{
    struct show_limits *op = from_flow(flow);
    const struct bundle *bundle = posting_bundle(op->call.service->posting);
    struct bytes body;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    if (op->question.unreadable)
        return call_refuse(&op->call, PROBLEM_INTERNAL, NULL);
    if (bundle == NULL)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    bytes_init(&body, &op->call.request->arena);
    write_limits(op, bundle, &body);
    return call_answer_tagged(&op->call, &body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},      {"check_gate", call_check_user},
    {"ask_limits", ask_limits}, /* PostgreSQL */
    {"report_limits", report_limits}, {NULL, NULL},
};

void show_limits(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_limits), steps);
}
