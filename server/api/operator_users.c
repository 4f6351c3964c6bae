/* On the operators' listener: POST /v1/users/{id}/freeze, .../unfreeze and .../tier. A frozen user
 * signs in, sees everything and receives; no wallet of theirs sends. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/operators.h"
#include "api/receipt.h"
#include "store/cache.h"
#include "store/status.h"

struct operator_user {
    struct call call;
    struct uuid user;
    int64_t tier;
    const char *event; /* what the log says */
    bool (*ask)(struct operator_user *op);
    struct wallets_question wallets;
    struct status_question change;
    struct users_question now;
};

static const struct body_field tier_fields[] = {
    {"tier", BODY_INTEGER, true, offsetof(struct operator_user, tier), 0, 3},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct operator_user *from_flow(struct flow *flow)
{
    return (struct operator_user *)(void *)call_of(flow);
}

static void listed(struct wallets_question *question)
{
    struct operator_user *op =
        (struct operator_user *)(void *)((char *)question -
                                         offsetof(struct operator_user, wallets));
    call_resume(&op->call);
}

static void changed(struct status_question *question)
{
    struct operator_user *op =
        (struct operator_user *)(void *)((char *)question - offsetof(struct operator_user, change));
    call_resume(&op->call);
}

static void found(struct users_question *question)
{
    struct operator_user *op =
        (struct operator_user *)(void *)((char *)question - offsetof(struct operator_user, now));
    call_resume(&op->call);
}

static bool freeze(struct operator_user *op)
{
    return status_freeze(op->call.service->pool, &op->user, true, &op->change);
}

static bool unfreeze(struct operator_user *op)
{
    return status_freeze(op->call.service->pool, &op->user, false, &op->change);
}

static bool set_tier(struct operator_user *op)
{
    return status_set_tier(op->call.service->pool, &op->user, (int)op->tier, &op->change);
}

static enum flow_verdict begin(struct operator_user *op, const char *event,
                               bool (*ask)(struct operator_user *op))
{
    op->event = event;
    op->ask = ask;
    op->user = call_path_id(&op->call, 0, "usr_");
    op->wallets.arena = op->change.arena = op->now.arena = &op->call.request->arena;
    op->wallets.done = listed;
    op->change.done = changed;
    op->now.done = found;
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&op->user))
        return call_refuse(&op->call, PROBLEM_USER_NOT_FOUND, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict begin_freeze(struct flow *flow)
{
    return begin(from_flow(flow), "user_frozen", freeze);
}

static enum flow_verdict begin_unfreeze(struct flow *flow)
{
    return begin(from_flow(flow), "user_unfrozen", unfreeze);
}

static enum flow_verdict begin_tier(struct flow *flow)
{
    struct operator_user *op = from_flow(flow);
    enum flow_verdict verdict = begin(op, "user_tier_set", set_tier);
    return verdict == FLOW_NEXT && !body_read(&op->call, tier_fields, op) ? FLOW_DONE : verdict;
}

static enum flow_verdict ask_wallets(struct flow *flow)
{
    struct operator_user *op = from_flow(flow);
    return call_wait(&op->call, wallets_list(op->call.service->pool, &op->user, NULL,
                                             WALLETS_PER_USER, &op->wallets));
}

static enum flow_verdict ask_change(struct flow *flow)
{
    struct operator_user *op = from_flow(flow);
    if (op->wallets.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->wallets.outcome);
    return call_wait(&op->call,
                     status_expect(&op->change, op->wallets.wallets, op->wallets.wallet_count) &&
                         op->ask(op));
}

static enum flow_verdict ask_user(struct flow *flow)
{
    struct operator_user *op = from_flow(flow);
    if (op->change.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->change.outcome);
    if (!op->change.found)
        return call_refuse(&op->call, PROBLEM_USER_NOT_FOUND, NULL);
    for (size_t i = 0; i < op->change.wallet_count; i++)
        cache_forget(op->call.service->cache, &op->change.wallets[i]);
    call_log(&op->call, op->event, "usr_", &op->user);
    return call_wait(&op->call, users_find(op->call.service->pool, &op->user, &op->now));
}

static enum flow_verdict report(struct flow *flow)
{
    struct operator_user *op = from_flow(flow);
    struct json_writer writer;
    struct bytes body;
    if (op->now.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->now.outcome);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    receipt_write_id(&writer, "id", "usr_", &op->user);
    json_write_key(&writer, "tier");
    json_write_int(&writer, op->now.user.tier);
    json_write_key(&writer, "frozen");
    json_write_bool(&writer, op->now.user.frozen);
    json_write_key(&writer, "wallets_changed");
    json_write_int(&writer, (int64_t)op->change.wallet_count);
    json_write_object_end(&writer);
    return call_answer(&op->call, 200, &body);
}

#define STEPS(name, begin)                   \
    static const struct flow_step name[] = { \
        {"check_operator", operators_check}, \
        {"begin", begin},                    \
        {"ask_wallets", ask_wallets},        \
        {"ask_change", ask_change},          \
        {"ask_user", ask_user},              \
        {"report", report},                  \
        {NULL, NULL},                        \
    }

STEPS(freeze_steps, begin_freeze);
STEPS(unfreeze_steps, begin_unfreeze);
STEPS(tier_steps, begin_tier);

void operator_users_freeze(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct operator_user), freeze_steps);
}

void operator_users_unfreeze(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct operator_user), unfreeze_steps);
}

void operator_users_tier(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct operator_user), tier_steps);
}
