/* POST /v1/purchases: buy something of the catalogue. The request waits for the goods, but not
 * longer than its deadline: then it's 202, and the purchase goes on without it. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/movement.h"
#include "api/purchase_view.h"
#include "base/clock.h"
#include "posting/posting.h"
#include "scripting/product.h"
#include "supply/till.h"

struct create_purchase {
    struct call call;
    struct idempotency idempotency;
    struct uuid wallet;
    struct slice product; /* prd_... */
    int64_t amount;       /* 0: not given */
    struct body_texts fields;
    struct purchases_purchase fresh;
    struct bytes missing, empty; /* the answers when there is no such wallet, no voucher */
    struct purchases_question question;
    struct till_ticket ticket;
    bool known; /* the key was there before */
};

#define OF(member) offsetof(struct create_purchase, member)

static const struct body_field body_fields[] = {
    {"wallet", BODY_WALLET, true, OF(wallet), 0, 0},
    {"product", BODY_TEXT, true, OF(product), 1, 30},
    {"amount", BODY_AMOUNT, false, OF(amount), 0, 0},
    {"fields", BODY_TEXTS, false, OF(fields), 1, PRODUCT_FIELD_LENGTH_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_purchase *from_flow(struct flow *flow)
{
    return (struct create_purchase *)(void *)call_of(flow);
}

static void answered(struct purchases_question *question)
{
    struct create_purchase *op =
        (struct create_purchase *)(void *)((char *)question - OF(question));
    call_resume(&op->call);
}

static void driven(struct till_ticket *ticket)
{
    struct create_purchase *op = (struct create_purchase *)(void *)((char *)ticket - OF(ticket));
    call_resume(&op->call);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    struct call *call = &op->call;
    if (!call_expect_no_query(call) || !idempotency_read(call, true, &op->idempotency.key) ||
        !body_read(call, body_fields, op))
        return FLOW_DONE;
    body_hash(call, body_fields, op, op->idempotency.request_hash);
    op->question.arena = &call->request->arena;
    op->question.done = answered;
    return FLOW_NEXT;
}

static enum flow_verdict ask_remembered(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    return idempotency_ask(&op->call, &op->idempotency);
}

/* The key is there: its purchase has the answer. */
static enum flow_verdict ask_known(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    const struct users_question *earlier = &op->idempotency.earlier;
    if (earlier->outcome != PG_OK)
        return call_refuse_outcome(&op->call, earlier->outcome);
    if (!earlier->found)
        return FLOW_NEXT;
    if (earlier->key_reused)
        return call_refuse(&op->call, PROBLEM_IDEMPOTENCY_KEY_REUSED, NULL);
    op->known = true;
    return call_wait(&op->call, purchases_find_key(op->call.service->pool, call_caller(&op->call),
                                                   op->idempotency.key, &op->question));
}

static enum flow_verdict refuse_field(struct create_purchase *op, const char *pointer,
                                      const char *code, const char *detail)
{
    call_add_field(&op->call, slice_of(pointer), code, detail);
    return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
}

static const char *wish_of(struct call *call, const struct product_field *field)
{
    struct bytes text;
    bytes_init(&text, &call->request->arena);
    bytes_printf(&text, "%s: %d to %d %s", field->label, field->min, field->max,
                 field->digits ? "digits" : "plain characters");
    bytes_add_char(&text, '\0');
    return text.failed ? "isn't what this product asks for" : text.at;
}

static bool product_asks_for(const struct product *product, struct slice name)
{
    for (size_t i = 0; i < product->field_count; i++)
        if (slice_equals(name, product->fields[i].name))
            return true;
    return false;
}

static const struct slice *find_text(const struct body_texts *texts, const char *name)
{
    for (size_t i = 0; i < texts->count; i++)
        if (slice_equals(texts->names[i], name))
            return &texts->values[i];
    return NULL;
}

/* Exactly the product's fields, each as it wants it. False: what is wrong is noted. */
static bool check_fields(struct create_purchase *op, const struct product *product)
{
    struct call *call = &op->call;
    call->within = SLICE("/fields");
    for (size_t i = 0; i < product->field_count; i++) {
        const struct product_field *field = &product->fields[i];
        const struct slice *text = find_text(&op->fields, field->name);
        if (text == NULL || !product_field_fits(field, *text))
            call_add_field(call, body_pointer(call, slice_of(field->name)),
                           text == NULL ? "required" : "format", wish_of(call, field));
    }
    for (size_t i = 0; i < op->fields.count; i++)
        if (!product_asks_for(product, op->fields.names[i]))
            call_add_field(call, body_pointer(call, op->fields.names[i]), "unknown",
                           "is not a field of this product");
    call->within = (struct slice){NULL, 0};
    return call->problem.field_count == 0;
}

static struct slice rule_of(struct create_purchase *op, const struct product *product)
{
    struct bytes out;
    bytes_init(&out, &op->call.request->arena);
    bytes_printf(&out, "%s@%lld", product->id, (long long)product->version);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

/* The bundle may be another one after the next wait: what is needed of it is copied. */
static bool fill_in(struct create_purchase *op, const struct product *product,
                    const struct bundle *bundle)
{
    const struct service *service = op->call.service;
    int64_t now = clock_now();
    op->fresh = (struct purchases_purchase){
        .id = uuid_new(now),
        .caller = *call_caller(&op->call),
        .request_id = op->call.request->id,
        .wallet = op->wallet,
        .product = product->public,
        .rule = rule_of(op, product),
        .supplier = arena_copy(&op->call.request->arena, slice_of(product->supplier)),
        .supplier_account = till_account(service->till, product->currency),
        .amount = op->amount,
        .currency = product->currency,
        .fields = body_texts_json(&op->call, &op->fields),
        .created_at = now,
    };
    memcpy(op->fresh.bundle, bundle_hash(bundle), sizeof op->fresh.bundle);
    return op->fresh.rule.at != NULL && op->fresh.supplier.at != NULL &&
           op->fresh.fields.at != NULL;
}

/* What the catalogue says no to isn't remembered: it may say otherwise in a moment. */
static enum flow_verdict check_product(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    const struct bundle *bundle = posting_bundle(op->call.service->posting);
    struct uuid id;
    if (op->known)
        return FLOW_NEXT;
    if (bundle == NULL)
        return call_refuse(&op->call, PROBLEM_RULE_FAILED, "no rules are loaded");
    const struct product *product =
        uuid_parse(op->product, "prd_", &id) ? product_find(bundle, &id) : NULL;
    if (product == NULL)
        return call_refuse(&op->call, PROBLEM_PRODUCT_NOT_FOUND, NULL);
    if (op->amount == 0 && product->amount_count == 1)
        op->amount = product->amounts[0];
    if (op->amount == 0)
        return refuse_field(op, "/amount", "required", "this product has no fixed price");
    if (!product_is_price(product, op->amount))
        return refuse_field(op, "/amount", "range", "is none of this product's prices");
    if (!check_fields(op, product))
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    if (!till_admits(op->call.service->till, product->supplier))
        return call_refuse(&op->call, PROBLEM_PRODUCT_UNAVAILABLE, NULL);
    return fill_in(op, product, bundle) ? FLOW_NEXT
                                        : call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
}

static bool write_refusals(struct create_purchase *op)
{
    const struct problem missing = {.code = PROBLEM_WALLET_NOT_FOUND};
    const struct problem empty = {.code = PROBLEM_OUT_OF_STOCK};
    bytes_init(&op->missing, &op->call.request->arena);
    bytes_init(&op->empty, &op->call.request->arena);
    problem_write(&missing, &op->call.request->id, &op->missing);
    problem_write(&empty, &op->call.request->id, &op->empty);
    return !op->missing.failed && !op->empty.failed;
}

/* One statement: the purchase, its voucher, its key. From here on it's the till's to end. */
static enum flow_verdict ask_create(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    if (op->known)
        return FLOW_NEXT;
    if (!write_refusals(op))
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    const struct purchases_new fresh = {
        .purchase = &op->fresh,
        .key = op->idempotency.key,
        .request_hash = op->idempotency.request_hash,
        .stock = slice_equals(op->fresh.supplier, PRODUCT_STOCK),
        .next_at = op->fresh.created_at + TILL_LEASE_US,
        .missing_status = problem_status(PROBLEM_WALLET_NOT_FOUND),
        .missing = bytes_view(&op->missing),
        .empty_status = problem_status(PROBLEM_OUT_OF_STOCK),
        .empty = bytes_view(&op->empty),
    };
    return call_wait(&op->call, purchases_create(op->call.service->pool, &fresh, &op->question));
}

/* The same request came twice at once, and the other was first. */
static enum flow_verdict ask_conflict(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    if (op->question.outcome != PG_CONFLICT)
        return FLOW_NEXT;
    return idempotency_ask(&op->call, &op->idempotency);
}

static enum flow_verdict ask_other(struct flow *flow)
{
    return from_flow(flow)->question.outcome == PG_CONFLICT ? ask_known(flow) : FLOW_NEXT;
}

static enum flow_verdict drive(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.count == 0)
        return call_refuse(&op->call, PROBLEM_INTERNAL, NULL); /* a key has its purchase */
    op->ticket = (struct till_ticket){
        .done = driven,
        .arena = &op->call.request->arena,
        .deadline = clock_monotonic() + op->call.service->settings.posting_deadline_us,
        .purchase = op->question.purchases[0],
    };
    if (op->known || op->ticket.purchase.status == PURCHASE_REFUSED)
        return FLOW_NEXT;
    return till_drive(op->call.service->till, &op->ticket.purchase, &op->ticket) ? FLOW_WAIT
                                                                                 : FLOW_NEXT;
}

static enum flow_verdict report_purchase(struct flow *flow)
{
    struct create_purchase *op = from_flow(flow);
    if (op->known) {
        response_header_add(op->call.request, "idempotency-replayed", SLICE("true"));
        op->call.request->log_kind = "replayed";
    }
    return purchase_view_answer(&op->call, &op->ticket.purchase, true);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_remembered", ask_remembered}, /* PostgreSQL */
    {"ask_known", ask_known},           /* PostgreSQL, only when the key is there */
    {"check_product", check_product},   /* the catalogue, the supplier's breaker */
    {"ask_create", ask_create},         /* PostgreSQL */
    {"ask_conflict", ask_conflict},     /* PostgreSQL, only when the key was taken meanwhile */
    {"ask_other", ask_other},
    {"drive", drive}, /* the till: posting, the supplier, posting */
    {"report_purchase", report_purchase},
    {NULL, NULL},
};

void create_purchase(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_purchase), steps);
}
