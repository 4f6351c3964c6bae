#include "supply/sale.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "http/problem.h"
#include "supply/breach.h"
#include "supply/pin.h"

#define ORDER_DEADLINE_US (INT64_C(10) * CLOCK_SECOND)
#define HOLD_US (INT64_C(3650) * 86400 * CLOCK_SECOND) /* beyond any question */
#define GIVE_UP_US (INT64_C(300) * CLOCK_SECOND)       /* no delivery begins later */
#define GONE_US TILL_OPEN_US                           /* after that none is still on its way */
_Static_assert(GONE_US >= GIVE_UP_US + INT64_C(60) * CLOCK_SECOND,
               "a question has arrived by then");
#define STUCK_US (INT64_C(86400) * CLOCK_SECOND)
#define PAUSE_LEAST_US CLOCK_SECOND
#define PAUSE_MOST_US (INT64_C(300) * CLOCK_SECOND)

static int64_t age_of(const struct sale *sale)
{
    return clock_now() - sale->purchase.created_at;
}

/* A quarter of its age: soon at first, ever more seldom. */
static int64_t pause_of(const struct sale *sale)
{
    int64_t pause = age_of(sale) / 4;
    if (pause < PAUSE_LEAST_US)
        return PAUSE_LEAST_US;
    return pause > PAUSE_MOST_US ? PAUSE_MOST_US : pause;
}

static struct purchases_step step_to(enum purchases_status status)
{
    return (struct purchases_step){.to = status};
}

static void rest_here(struct sale *sale)
{
    till_rest(sale, step_to(sale->purchase.status), pause_of(sale));
}

static int render_refusal(const struct sale *sale, const struct posting_decision *decision,
                          struct bytes *body)
{
    struct problem problem = {.code = PROBLEM_INTERNAL, .detail = decision->reason};
    struct breach_text text = {.which = ""};
    bool known = problem_find(slice_of(refusal_name(decision->refusal)), &problem.code);
    assert(known);
    if (decision->refusal == REFUSAL_INSUFFICIENT_FUNDS)
        problem.extras[problem.extra_count++] =
            (struct problem_extra){"available", NULL, account_available(&decision->from_after)};
    if (decision->breach.cap != NULL)
        breach_add(&problem, &decision->breach, true, &text);
    problem_write(&problem, &sale->purchase.request_id, body);
    return problem_status(problem.code);
}

static void write_number(struct json_writer *writer, const char *name, int64_t number)
{
    json_write_key(writer, name);
    json_write_int(writer, number);
}

static void write_text(struct json_writer *writer, const char *name, const char *text)
{
    json_write_key(writer, name);
    json_write_text(writer, text);
}

/* What is kept under the order's key: what the verifier and a later driver want to know. */
static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    const struct sale *sale = (const struct sale *)(const void *)order;
    struct json_writer writer;
    char id[UUID_TEXT_MAX];
    char code[4];
    if (decision->refusal != REFUSAL_NONE)
        return render_refusal(sale, decision, body);
    uuid_format(&decision->transaction, order->kind == TRANSACTION_HOLD ? "hld_" : "tx_", id);
    currency_text(decision->amount.currency, code);
    json_write_init(&writer, body);
    json_write_object(&writer);
    write_text(&writer, "id", id);
    write_text(&writer, "kind", transaction_kind_name(order->kind));
    write_number(&writer, "amount", decision->amount.minor);
    write_number(&writer, "fee", decision->charged);
    write_text(&writer, "currency", code);
    write_text(&writer, "purchase", sale->reference);
    json_write_object_end(&writer);
    return order->kind == TRANSACTION_VOID ? 200 : 201;
}

/* The id in what render wrote, maybe long ago. */
static bool read_id(struct sale *sale, const char *prefix, struct uuid *id)
{
    struct json_error error;
    const struct json *answer = json_parse(sale->order.body, &sale->arena, &error);
    const struct json *value = answer == NULL ? NULL : json_member(answer, "id");
    return value != NULL && json_kind(value) == JSON_STRING &&
           uuid_parse(json_string(value), prefix, id);
}

static void refused(struct sale *sale)
{
    struct purchases_step step = step_to(PURCHASE_REFUSED);
    step.refusal_status = sale->order.status;
    step.refusal = arena_copy(&sale->arena, sale->order.body);
    if (step.refusal.at == NULL)
        rest_here(sale);
    else
        till_move(sale, step);
}

static void hold_answered(struct sale *sale)
{
    struct purchases_step step = step_to(PURCHASE_HELD);
    if (sale->order.status >= 400)
        refused(sale);
    else if (read_id(sale, "hld_", &step.hold))
        till_move(sale, step);
    else
        rest_here(sale);
}

/* It can't be refused: the hold is nobody else's. Should it be, somebody was served without being
 * charged, and the operators must know. */
static void capture_answered(struct sale *sale)
{
    struct purchases_step step = step_to(PURCHASE_CAPTURED);
    if (sale->order.status < 400 && read_id(sale, "tx_", &step.transaction)) {
        till_move(sale, step);
        return;
    }
    till_note_stuck(sale);
    rest_here(sale);
}

/* Finished already: then its money is free. */
static void done(struct posting_order *order)
{
    struct sale *sale = (struct sale *)(void *)order;
    if (order->outcome != POSTING_ANSWERED)
        rest_here(sale);
    else if (order->kind == TRANSACTION_HOLD)
        hold_answered(sale);
    else if (order->kind == TRANSACTION_PURCHASE)
        capture_answered(sale);
    else
        till_move(sale, step_to(PURCHASE_VOIDED));
}

static void submit(struct sale *sale, enum transaction_kind kind)
{
    const struct purchases_purchase *p = &sale->purchase;
    uuid_format(&p->id, "pur_", sale->reference);
    snprintf(sale->key, sizeof sale->key, "purchase:%s:%s", sale->reference,
             transaction_kind_name(kind));
    sale->order = (struct posting_order){
        .kind = kind,
        .caller = posting_system_caller,
        .anyones = true,
        .purchase = kind == TRANSACTION_HOLD,
        .key = slice_of(sale->key),
        .from = p->wallet,
        .to = p->supplier_account,
        .amount = {kind == TRANSACTION_HOLD ? p->amount : 0, p->currency},
        .subject = {.id = p->hold},
        .expires_in = HOLD_US,
        .reference = slice_of(sale->reference),
        .deadline = clock_monotonic() + ORDER_DEADLINE_US,
        .render = render,
        .done = done,
    };
    crypto_sha256(sale->order.key, sale->order.request_hash);
    crypto_random(sale->order.trace_id, sizeof sale->order.trace_id);
    if (!till_submit(sale))
        rest_here(sale);
}

static void take_goods(struct sale *sale)
{
    struct purchases_step step = step_to(PURCHASE_DELIVERED);
    const struct slice goods = sale->asked.goods;
    uint8_t *sealed = arena_alloc(&sale->arena, goods.length + CRYPTO_SEAL_EXTRA);
    if (sealed == NULL) {
        rest_here(sale);
        return;
    }
    pin_seal_goods(till_key(sale), &sale->purchase.id, goods, sealed);
    step.goods = (struct slice){(const char *)sealed, goods.length + CRYPTO_SEAL_EXTRA};
    if (sale->asked.reference[0] != '\0')
        step.reference = slice_of(sale->asked.reference);
    till_move(sale, step);
}

static void begin_delivery(struct sale *sale)
{
    struct purchases_step step = step_to(PURCHASE_DELIVERING);
    step.asked = true;
    sale->found = false;
    till_move(sale, step);
}

/* The supplier has never heard of it: it's asked again, with the same reference; after a while it
 * won't be, and when none of those questions can still be on its way there will be no goods. */
static void not_found(struct sale *sale)
{
    sale->again = true;
    if (age_of(sale) < GIVE_UP_US)
        begin_delivery(sale);
    else if (age_of(sale) > GONE_US)
        till_move(sale, step_to(PURCHASE_VOIDING));
    else
        rest_here(sale);
}

static void rest_unknown(struct sale *sale)
{
    if (age_of(sale) > STUCK_US)
        till_note_stuck(sale);
    till_rest(sale, step_to(PURCHASE_UNKNOWN), pause_of(sale));
}

static void supplied(struct supplier_question *question)
{
    struct sale *sale = (struct sale *)(void *)((char *)question - offsetof(struct sale, asked));
    switch (question->result) {
    case SUPPLIER_DELIVERED:
        take_goods(sale);
        return;
    case SUPPLIER_DECLINED:
        till_move(sale, step_to(PURCHASE_VOIDING));
        return;
    case SUPPLIER_NOT_SENT:
        /* an earlier question with this reference may have arrived all the same */
        till_rest(sale, step_to(sale->again ? PURCHASE_UNKNOWN : PURCHASE_HELD), pause_of(sale));
        return;
    case SUPPLIER_NOT_FOUND:
        not_found(sale);
        return;
    case SUPPLIER_PENDING:
    case SUPPLIER_UNKNOWN:
        rest_unknown(sale);
        return;
    }
}

static void ask(struct sale *sale, bool deliver)
{
    struct supplier *supplier = till_supplier(sale);
    sale->asked = (struct supplier_question){
        .purchase = &sale->purchase, .arena = &sale->arena, .done = supplied};
    bool asked = supplier != NULL && (deliver ? supplier->kind->deliver(supplier, &sale->asked)
                                              : supplier->kind->ask(supplier, &sale->asked));
    if (!asked)
        rest_unknown(sale);
}

/* A process that was stopped between writing down that it asks and asking may wake when others have
 * given the purchase up: the question must be over within its lease, or isn't asked. */
static void deliver(struct sale *sale)
{
    const struct supplier *supplier = till_supplier(sale);
    if (supplier != NULL && !till_has_time(sale, supplier->timeout_us))
        till_leave(sale);
    else
        ask(sale, true);
}

/* Nothing has been asked for yet: the one moment when it can simply be given up. The breaker wasn't
 * shut when a new purchase came; but it lets one through at a time, and that one has the money. */
static void begin_or_give_up(struct sale *sale)
{
    struct supplier *supplier = till_supplier(sale);
    if (supplier == NULL || age_of(sale) >= GIVE_UP_US)
        till_move(sale, step_to(PURCHASE_VOIDING));
    else if (!breaker_admits(&supplier->breaker, clock_monotonic()))
        rest_here(sale);
    else
        begin_delivery(sale);
}

void sale_advance(struct sale *sale)
{
    switch (sale->purchase.status) {
    case PURCHASE_RESERVED:
        submit(sale, TRANSACTION_HOLD);
        return;
    case PURCHASE_HELD:
        begin_or_give_up(sale);
        return;
    case PURCHASE_DELIVERING:
        if (sale->found)
            till_move(sale, step_to(PURCHASE_UNKNOWN));
        else
            deliver(sale);
        return;
    case PURCHASE_UNKNOWN:
        ask(sale, false);
        return;
    case PURCHASE_DELIVERED:
        submit(sale, TRANSACTION_PURCHASE);
        return;
    case PURCHASE_VOIDING:
        submit(sale, TRANSACTION_VOID);
        return;
    case PURCHASE_CAPTURED:
    case PURCHASE_VOIDED:
    case PURCHASE_REFUSED:
        break;
    }
    assert(false); /* it's finished: nobody drives it */
}
