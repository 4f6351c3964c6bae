/* POST /v1/purchases/{id}/resolve, on the operators' listener: what became of a purchase whose
 * supplier never said. Its money is captured, or free again, by the same driver as any purchase's;
 * who comes first, operators or the supplier's late answer, has the word. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"
#include "api/operators.h"
#include "api/purchase_view.h"
#include "base/arena.h"
#include "base/clock.h"
#include "supply/delivery.h"
#include "supply/pin.h"
#include "supply/till.h"

struct resolve_purchase {
    struct call call;
    struct slice outcome;
    struct body_texts goods;
    struct purchases_decision decision;
    struct purchases_question question;
    struct till_ticket ticket;
    bool won; /* it's this request that decided */
};

#define OF(member) offsetof(struct resolve_purchase, member)

static const struct body_field fields[] = {
    {"outcome", BODY_TEXT, true, OF(outcome), 1, 16},
    {"reason", BODY_TEXT, true, OF(decision.reason), 1, 140},
    {"goods", BODY_TEXTS, false, OF(goods), 1, DELIVERY_GOODS_TEXT_MAX},
    {"supplier_reference", BODY_TEXT, false, OF(decision.reference), 1, SUPPLIER_REFERENCE_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

_Static_assert(DELIVERY_GOODS_MAX == BODY_TEXTS_MAX, "goods are as many as a supplier's");

static struct resolve_purchase *from_flow(struct flow *flow)
{
    return (struct resolve_purchase *)(void *)call_of(flow);
}

static void answered(struct purchases_question *question)
{
    struct resolve_purchase *op =
        (struct resolve_purchase *)(void *)((char *)question - OF(question));
    call_resume(&op->call);
}

static void driven(struct till_ticket *ticket)
{
    struct resolve_purchase *op = (struct resolve_purchase *)(void *)((char *)ticket - OF(ticket));
    call_resume(&op->call);
}

/* Without goods nobody is charged, whoever says that they were delivered. */
static void check_goods(struct resolve_purchase *op)
{
    struct call *call = &op->call;
    bool delivered = op->decision.to == PURCHASE_DELIVERED;
    if (delivered && op->goods.count == 0)
        call_add_field(call, SLICE("/goods"), "required",
                       "must be what the buyer gets: an object of 1 to 8 texts");
    if (!delivered && op->goods.count > 0)
        call_add_field(call, SLICE("/goods"), "unknown", "belong to what was delivered");
    call->within = SLICE("/goods");
    for (size_t i = 0; i < op->goods.count; i++)
        if (!delivery_is_name(op->goods.names[i]))
            call_add_field(call, body_pointer(call, op->goods.names[i]), "format",
                           "must be called 1 to 32 of a-z and _");
    call->within = (struct slice){NULL, 0};
}

static bool check_body(struct resolve_purchase *op)
{
    struct call *call = &op->call;
    op->decision.to =
        slice_equals(op->outcome, "delivered") ? PURCHASE_DELIVERED : PURCHASE_VOIDING;
    if (op->decision.to == PURCHASE_VOIDING && !slice_equals(op->outcome, "failed"))
        call_add_field(call, SLICE("/outcome"), "format", "must be delivered or failed");
    else
        check_goods(op);
    if (op->decision.reference.at != NULL && !pin_is_good(op->decision.reference))
        call_add_field(call, SLICE("/supplier_reference"), "format",
                       "must be visible ASCII characters");
    return call->problem.field_count == 0;
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct resolve_purchase *op = from_flow(flow);
    op->decision.id = call_path_id(&op->call, 0, "pur_");
    if (!call_expect_no_query(&op->call) || !body_read(&op->call, fields, op))
        return FLOW_DONE;
    if (!check_body(op))
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    if (uuid_is_nil(&op->decision.id))
        return call_refuse(&op->call, PROBLEM_PURCHASE_NOT_FOUND, NULL);
    return FLOW_NEXT;
}

/* False: out of memory. */
static bool seal_goods(struct resolve_purchase *op)
{
    struct slice goods = body_texts_json(&op->call, &op->goods);
    uint8_t *sealed = goods.at == NULL
                          ? NULL
                          : arena_alloc(&op->call.request->arena, goods.length + CRYPTO_SEAL_EXTRA);
    if (sealed == NULL)
        return false;
    pin_seal_goods(op->call.service->settings.secret_key, &op->decision.id, goods, sealed);
    op->decision.goods = (struct slice){(const char *)sealed, goods.length + CRYPTO_SEAL_EXTRA};
    return true;
}

static enum flow_verdict ask_decide(struct flow *flow)
{
    struct resolve_purchase *op = from_flow(flow);
    if (op->decision.to == PURCHASE_DELIVERED && !seal_goods(op))
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    op->decision.now = clock_now();
    op->decision.made_before = op->decision.now - TILL_OPEN_US;
    op->decision.next_at = op->decision.now + TILL_LEASE_US;
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call,
                     purchases_decide(op->call.service->pool, &op->decision, &op->question));
}

static enum flow_verdict ask_state(struct flow *flow)
{
    struct resolve_purchase *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    op->won = op->question.count == 1;
    if (!op->won)
        return call_wait(
            &op->call, purchases_find_any(op->call.service->pool, &op->decision.id, &op->question));
    call_log(&op->call,
             op->decision.to == PURCHASE_DELIVERED ? "purchase_decided_delivered"
                                                   : "purchase_decided_failed",
             "pur_", &op->decision.id);
    return FLOW_NEXT;
}

static const char *why_not(const struct purchases_purchase *purchase)
{
    if (purchase->decided != 0)
        return "It was decided otherwise before";
    if (purchase->status >= PURCHASE_CAPTURED)
        return "It has ended by itself";
    if (purchase->status == PURCHASE_DELIVERED || purchase->status == PURCHASE_VOIDING)
        return "Its supplier has said what became of it";
    return "It's under way, or younger than 6 minutes: its supplier may still bring it";
}

/* The same decision again is answered with how far it has come. */
static enum flow_verdict drive(struct flow *flow)
{
    struct resolve_purchase *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.count == 0 || op->question.purchases[0].status == PURCHASE_REFUSED)
        return call_refuse(&op->call, PROBLEM_PURCHASE_NOT_FOUND, NULL);
    op->ticket = (struct till_ticket){
        .done = driven,
        .arena = &op->call.request->arena,
        .deadline = clock_monotonic() + op->call.service->settings.posting_deadline_us,
        .purchase = op->question.purchases[0],
    };
    if (op->ticket.purchase.decided != op->decision.to)
        return call_refuse(&op->call, PROBLEM_PURCHASE_NOT_OPEN, why_not(&op->ticket.purchase));
    if (!op->won)
        return FLOW_NEXT;
    return till_drive(op->call.service->till, &op->ticket.purchase, &op->ticket) ? FLOW_WAIT
                                                                                 : FLOW_NEXT;
}

static enum flow_verdict report(struct flow *flow)
{
    struct resolve_purchase *op = from_flow(flow);
    struct json_writer writer;
    struct bytes body;
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    purchase_view_write_for_operator(&writer, &op->ticket.purchase);
    return call_answer(&op->call, op->ticket.purchase.status < PURCHASE_CAPTURED ? 202 : 200,
                       &body);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit}, {"check_operator", operators_check},
    {"read_body", read_body},  {"ask_decide", ask_decide}, /* PostgreSQL */
    {"ask_state", ask_state}, /* PostgreSQL, only when nothing was decided */
    {"drive", drive},         /* the till: posting */
    {"report", report},        {NULL, NULL},
};

void resolve_purchase(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct resolve_purchase), steps);
}
