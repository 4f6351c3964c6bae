/* GET /v1/users?phone= on the operators' listener: whose number is it, and which wallets. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/operators.h"
#include "api/paging.h"
#include "api/receipt.h"
#include "base/arena.h"

struct search_users {
    struct call call;
    struct slice phone;
    struct users_question user;
    struct wallets_question wallets;
};

static struct search_users *from_flow(struct flow *flow)
{
    return (struct search_users *)(void *)call_of(flow);
}

static void user_answered(struct users_question *question)
{
    struct search_users *op =
        (struct search_users *)(void *)((char *)question - offsetof(struct search_users, user));
    call_resume(&op->call);
}

static void wallets_answered(struct wallets_question *question)
{
    struct search_users *op =
        (struct search_users *)(void *)((char *)question - offsetof(struct search_users, wallets));
    call_resume(&op->call);
}

static const char *read_phone(struct call *call, struct slice value)
{
    struct search_users *op = (struct search_users *)(void *)call;
    op->phone = arena_copy(&call->request->arena, value);
    return body_is_phone(value) ? NULL : "must be like %2B27821234567";
}

static const struct paging_filter parameters[] = {{"phone", "?phone", read_phone},
                                                  {NULL, NULL, NULL}};

static enum flow_verdict ask_user(struct flow *flow)
{
    struct search_users *op = from_flow(flow);
    if (!paging_read_query(&op->call, parameters))
        return FLOW_DONE;
    if (op->phone.at == NULL) {
        call_add_field(&op->call, SLICE("?phone"), "required", "whose?");
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    }
    op->user.arena = op->wallets.arena = &op->call.request->arena;
    op->user.done = user_answered;
    op->wallets.done = wallets_answered;
    return call_wait(&op->call, users_find_by_phone(op->call.service->pool, op->phone, &op->user));
}

static enum flow_verdict ask_wallets(struct flow *flow)
{
    struct search_users *op = from_flow(flow);
    if (op->user.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->user.outcome);
    call_log(&op->call, "operator_searched_phone", "usr_",
             op->user.found ? &op->user.user.id : NULL);
    if (!op->user.found)
        return FLOW_NEXT;
    return call_wait(&op->call, wallets_list(op->call.service->pool, &op->user.user.id, NULL,
                                             WALLETS_PER_USER + 1, &op->wallets));
}

static enum flow_verdict report(struct flow *flow)
{
    struct search_users *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->wallets.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->wallets.outcome);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    json_write_key(&writer, "data");
    json_write_array(&writer);
    if (op->user.found) {
        json_write_object(&writer);
        json_write_key(&writer, "user");
        receipt_write_user(&writer, &op->user.user);
        json_write_key(&writer, "frozen");
        json_write_bool(&writer, op->user.user.frozen);
        json_write_key(&writer, "wallets");
        json_write_array(&writer);
        for (size_t i = 0; i < op->wallets.wallet_count; i++)
            receipt_write_wallet(&writer, &op->wallets.wallets[i]);
        json_write_array_end(&writer);
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    json_write_key(&writer, "next");
    json_write_null(&writer);
    json_write_object_end(&writer);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step steps[] = {
    {"check_operator", operators_check},
    {"ask_user", ask_user},
    {"ask_wallets", ask_wallets},
    {"report", report},
    {NULL, NULL},
};

void search_users(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct search_users), steps);
}
