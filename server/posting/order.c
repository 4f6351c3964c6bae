#include "posting/order.h"

#include <assert.h>

#include "base/json.h"
#include "ledger/transfer.h"
#include "posting/batch.h"
#include "scripting/bundle.h"

/* Room that most texts never outgrow: what does, is copied. */
enum { RECEIPT_USUAL = 1023, JSON_USUAL = 255 };

static struct uuid payer_account(const struct posting_order *order, unsigned stripe)
{
    return order->kind == TRANSACTION_DEPOSIT
               ? account_system_id(ACCOUNT_SETTLEMENT, order->amount.currency, stripe)
               : order->from;
}

static bool has_fee(const struct posting_order *order)
{
    return order->kind == TRANSACTION_TRANSFER;
}

size_t order_accounts(const struct posting_order *order, unsigned stripe, struct uuid *ids)
{
    size_t count = 0;
    ids[count++] = payer_account(order, stripe);
    if (!uuid_is_nil(&order->to))
        ids[count++] = order->to;
    if (has_fee(order))
        ids[count++] = account_system_id(ACCOUNT_FEES, order->amount.currency, stripe);
    assert(count <= ORDER_ACCOUNTS_MAX);
    return count;
}

/* One order on its way through the decision. */
struct decision {
    const struct posting_order *order;
    const struct batch_terms *terms;
    struct transfer transfer;
    struct fee_facts facts;
    struct fee_decision fee;
    bool priced; /* a rule was asked */
    bool failed; /* and had no answer */
    enum refusal refusal;
};

static void find_parties(struct decision *d, struct book *book)
{
    const struct posting_order *order = d->order;
    const struct uuid from = payer_account(order, d->terms->stripe);
    d->transfer = (struct transfer){
        .amount = order->amount,
        .from = book_find(book, &from),
        .to = uuid_is_nil(&order->to) ? NULL : book_find(book, &order->to),
        .payer = order->kind == TRANSACTION_DEPOSIT ? NULL : &order->caller,
    };
    if (has_fee(order)) {
        const struct uuid fees =
            account_system_id(ACCOUNT_FEES, order->amount.currency, d->terms->stripe);
        d->transfer.fees = book_find(book, &fees);
    }
}

/* A row that can't be (the database's last wall has a hole, or somebody mended by hand) moves
 * nothing; its neighbours go on. */
static bool are_sound(const struct decision *d)
{
    const struct account *const parties[] = {d->transfer.from, d->transfer.to, d->transfer.fees};
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        if (parties[i] != NULL && !account_is_sound(parties[i]))
            return false;
    return true;
}

/* What it costs. A rule that fails refuses the movement: it never makes it free. */
static void price(struct decision *d)
{
    const struct account *from = d->transfer.from;
    assert(from != NULL && d->transfer.to != NULL); /* the parties are checked */
    d->facts = (struct fee_facts){
        .kind = transaction_kind_name(d->order->kind),
        .amount = d->order->amount.minor,
        .currency = d->order->amount.currency,
        .tier = from->tier,
        .own = uuid_equal(&from->owner, &d->transfer.to->owner),
    };
    d->priced = true;
    if (d->terms->bundle == NULL) {
        d->failed = true;
        return;
    }
    fee_price(d->terms->bundle, &d->facts, &d->fee);
    d->failed = d->fee.outcome == FEE_FAILED;
    if (d->fee.outcome == FEE_DENIED)
        d->refusal = REFUSAL_RULE_DENIED;
    if (d->fee.outcome == FEE_OK)
        d->transfer.fee = d->fee.total;
}

/* Everything that can say no. After this nothing does. */
static void refuse_or_not(struct decision *d)
{
    /* settlement and fees exist for the currencies we serve: a currency without them is nobody's
     * wallet's */
    if (d->order->kind == TRANSACTION_DEPOSIT && d->transfer.from == NULL) {
        d->refusal = REFUSAL_CURRENCY_MISMATCH;
        return;
    }
    d->refusal = transfer_check_parties(&d->transfer);
    if (d->refusal != REFUSAL_NONE)
        return;
    if (has_fee(d->order))
        price(d);
    if (d->refusal != REFUSAL_NONE || d->failed)
        return;
    if (d->transfer.fee > 0 && d->transfer.fees == NULL) {
        d->refusal = REFUSAL_CURRENCY_MISMATCH;
        return;
    }
    d->refusal = transfer_check_money(&d->transfer);
}

static struct slice pricing_json(const struct decision *d, struct arena *arena)
{
    struct bytes out;
    struct json_writer writer;
    if (!d->priced)
        return (struct slice){NULL, 0};
    bytes_init(&out, arena);
    bytes_reserve(&out, JSON_USUAL);
    json_write_init(&writer, &out);
    json_write_array(&writer);
    for (int i = 0; i < d->fee.count; i++) {
        json_write_object(&writer);
        json_write_key(&writer, "rule");
        json_write_text(&writer, d->fee.lines[i].rule);
        json_write_key(&writer, "code");
        json_write_text(&writer, d->fee.lines[i].code);
        json_write_key(&writer, "amount");
        json_write_int(&writer, d->fee.lines[i].amount);
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

static struct slice facts_json(const struct decision *d, struct arena *arena)
{
    struct bytes out;
    struct json_writer writer;
    char code[4];
    if (!d->priced)
        return (struct slice){NULL, 0};
    bytes_init(&out, arena);
    bytes_reserve(&out, JSON_USUAL);
    json_write_init(&writer, &out);
    currency_text(d->facts.currency, code);
    json_write_object(&writer);
    json_write_key(&writer, "kind");
    json_write_text(&writer, d->facts.kind);
    json_write_key(&writer, "amount");
    json_write_int(&writer, d->facts.amount);
    json_write_key(&writer, "currency");
    json_write_text(&writer, code);
    json_write_key(&writer, "tier");
    json_write_int(&writer, d->facts.tier);
    json_write_key(&writer, "own");
    json_write_bool(&writer, d->facts.own);
    json_write_object_end(&writer);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

/* Write it down and move the money. False: out of memory, before anything moved. */
static bool act(struct decision *d, struct order_ink *ink, struct uuid *id)
{
    const struct posting_order *order = d->order;
    struct slice pricing = pricing_json(d, ink->arena);
    struct slice facts = facts_json(d, ink->arena);
    assert(d->transfer.from != NULL && d->transfer.to != NULL); /* else it was refused */
    if (d->priced && (pricing.at == NULL || facts.at == NULL))
        return false;

    *id = uuid_new(d->terms->now);
    ink->transactions[ink->transaction_count++] = (struct ledger_transaction){
        .id = *id,
        .kind = order->kind,
        .currency = order->amount.currency,
        .amount = order->amount.minor,
        .fee = d->transfer.fee,
        .from = d->transfer.from->id,
        .to = d->transfer.to->id,
        .caller = order->caller,
        .from_version = d->transfer.from->version + 1,
        .to_version = d->transfer.to->version + 1,
        .note = order->note,
        .reference = order->reference,
        .bundle = d->priced ? bundle_hash(d->terms->bundle) : NULL,
        .pricing = pricing,
        .facts = facts,
        .trace_id = order->trace_id,
    };
    ink->posting_count +=
        (size_t)transfer_post(&d->transfer, id, ink->postings + ink->posting_count);
    return true;
}

/* The answer, rendered while the balances are what they are. A receipt isn't kept: it's derived
 * from its transaction again. */
static bool answer(const struct decision *d, const struct uuid *id, struct order_ink *ink,
                   struct ledger_key *key)
{
    struct posting_decision decided = {
        .refusal = d->refusal,
        .reason = d->refusal == REFUSAL_RULE_DENIED ? d->fee.reason : NULL,
        .transaction = *id,
        .created_at = d->terms->now,
        .fee = d->priced ? &d->fee : NULL,
        .bundle = d->priced ? bundle_hash(d->terms->bundle) : NULL,
    };
    struct bytes body;
    if (d->transfer.from != NULL)
        decided.from_after = *d->transfer.from;
    if (d->transfer.to != NULL)
        decided.to_after = *d->transfer.to;
    bytes_init(&body, ink->arena);
    bytes_reserve(&body, RECEIPT_USUAL);
    key->status = d->order->render(d->order, &decided, &body);
    key->transaction = *id;
    ink->body = bytes_view(&body);
    if (d->refusal != REFUSAL_NONE)
        key->answer = ink->body;
    assert(body.failed || (key->status >= 200 && key->status < 500 && body.length > 0));
    return !body.failed;
}

bool order_decide(const struct posting_order *order, const struct batch_terms *terms,
                  struct book *book, struct order_ink *ink, struct ledger_key *key)
{
    struct decision d = {.order = order, .terms = terms};
    struct uuid id = {{0}};
    assert(money_is_amount(order->amount.minor) && key->status == 0);

    ink->body = (struct slice){NULL, 0};
    find_parties(&d, book);
    if (!are_sound(&d)) {
        ink->outcome = POSTING_POISONED;
        return true;
    }
    refuse_or_not(&d);
    if (d.failed) {
        ink->outcome = POSTING_RULE_FAILED;
        ink->body = arena_copy(
            ink->arena, slice_of(d.terms->bundle == NULL ? "no rules are loaded" : d.fee.reason));
        return true;
    }
    ink->outcome = POSTING_ANSWERED;
    if (d.refusal == REFUSAL_NONE && !act(&d, ink, &id))
        return false;
    return answer(&d, &id, ink, key);
}
