#include <assert.h>

#include "base/json.h"
#include "posting/order_kind.h"
#include "posting/quote.h"
#include "scripting/bundle.h"

#define JSON_USUAL 255 /* room that most texts never outgrow: what does, is copied */

/* The price is known. What arrives is the transaction's amount, in every book. */
static void apply_fee(struct decision *d)
{
    d->transfer.fee = d->fee.total;
    if (d->fee.receiver_pays) {
        assert(d->order->kind == TRANSACTION_TRANSFER && d->fee.total < d->transfer.amount.minor);
        d->transfer.amount.minor -= d->fee.total;
    }
}

/* As if the rules had been asked now: the transaction says what they said then. */
static void take_quote(struct decision *d, const struct quote *quote)
{
    if (!quote_fits(quote, d->order)) {
        d->refusal = REFUSAL_QUOTE_UNFIT;
        return;
    }
    if (d->terms->now >= quote->expires_at) {
        d->refusal = REFUSAL_QUOTE_EXPIRED;
        return;
    }
    d->failed = d->terms->bundle == NULL; /* its limits couldn't be looked at */
    d->fee = quote->fee;
    apply_fee(d);
    if (quote->pricing.at == NULL)
        return;
    d->priced = true;
    d->bundle = quote->bundle;
    d->pricing = quote->pricing;
    d->priced_facts = quote->facts;
}

void order_price_ask(struct decision *d, const char *kind)
{
    if (d->order->quote != NULL) {
        take_quote(d, d->order->quote);
        return;
    }
    const struct account *from = d->transfer.from;
    assert(from != NULL && d->transfer.to != NULL); /* the parties are checked */
    d->facts = (struct fee_facts){
        .kind = kind,
        .amount = d->order->amount.minor,
        .currency = d->order->amount.currency,
        .tier = from->tier,
        .own = uuid_equal(&from->owner, &d->transfer.to->owner),
        .at = d->terms->now,
    };
    d->priced = true;
    if (d->terms->bundle == NULL) {
        d->failed = true;
        return;
    }
    fee_price(d->terms->bundle, &d->facts, &d->fee);
    d->bundle = bundle_hash(d->terms->bundle);
    d->failed = d->fee.outcome == FEE_FAILED;
    if (d->fee.outcome == FEE_DENIED)
        d->refusal = REFUSAL_RULE_DENIED;
    if (d->fee.outcome == FEE_OK)
        apply_fee(d);
}

bool order_price_has(const struct decision *d, const char *kind)
{
    if (d->order->quote != NULL)
        return true; /* it knows what there was */
    return d->terms->bundle != NULL && fee_has_kind(d->terms->bundle, kind);
}

static void write_line(struct json_writer *writer, const struct fee_line *line)
{
    json_write_object(writer);
    json_write_key(writer, "rule");
    json_write_text(writer, line->rule);
    json_write_key(writer, "code");
    json_write_text(writer, line->code);
    json_write_key(writer, "amount");
    json_write_int(writer, line->amount);
    if (line->refundable) {
        json_write_key(writer, "refundable");
        json_write_bool(writer, true);
    }
    if (line->receiver_pays) {
        json_write_key(writer, "paid_by");
        json_write_text(writer, "receiver");
    }
    json_write_object_end(writer);
}

static struct slice pricing_json(const struct fee_decision *fee, struct arena *arena)
{
    struct bytes out;
    struct json_writer writer;
    bytes_init(&out, arena);
    bytes_reserve(&out, JSON_USUAL);
    json_write_init(&writer, &out);
    json_write_array(&writer);
    for (int i = 0; i < fee->count; i++)
        write_line(&writer, &fee->lines[i]);
    json_write_array_end(&writer);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

/* Piece by piece: nothing in it ever needs an escape, and every transfer has it written. */
static struct slice facts_json(const struct fee_facts *facts, struct arena *arena)
{
    struct bytes out;
    char code[4];
    bytes_init(&out, arena);
    bytes_reserve(&out, JSON_USUAL);
    currency_text(facts->currency, code);
    bytes_add_slice(&out, SLICE("{\"kind\":\""));
    bytes_add_text(&out, facts->kind);
    bytes_add_slice(&out, SLICE("\",\"amount\":"));
    bytes_add_int(&out, facts->amount);
    bytes_add_slice(&out, SLICE(",\"currency\":\""));
    bytes_add_text(&out, code);
    bytes_add_slice(&out, SLICE("\",\"tier\":"));
    bytes_add_int(&out, facts->tier);
    bytes_add_slice(&out,
                    facts->own ? SLICE(",\"own\":true,\"at\":") : SLICE(",\"own\":false,\"at\":"));
    bytes_add_int(&out, facts->at);
    bytes_add_char(&out, '}');
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

bool order_price_write(struct decision *d, struct arena *arena)
{
    if (!d->priced || d->pricing.at != NULL) /* a quote has brought it */
        return true;
    d->pricing = pricing_json(&d->fee, arena);
    d->priced_facts = facts_json(&d->facts, arena);
    return d->pricing.at != NULL && d->priced_facts.at != NULL;
}

static void copy_text(char *out, size_t size, const struct json *object, const char *name)
{
    const struct json *value = json_member(object, name);
    struct slice text = value == NULL || json_kind(value) != JSON_STRING ? (struct slice){NULL, 0}
                                                                         : json_string(value);
    size_t length = text.length < size ? text.length : size - 1;
    if (length > 0)
        memcpy(out, text.at, length);
    out[length] = '\0';
}

/* As pricing_json wrote it. */
static struct fee_line read_line(const struct json *object)
{
    struct fee_line line;
    const struct json *amount = json_member(object, "amount");
    copy_text(line.rule, sizeof line.rule, object, "rule");
    copy_text(line.code, sizeof line.code, object, "code");
    line.amount = amount == NULL ? 0 : json_integer(amount);
    line.refundable = json_member(object, "refundable") != NULL;
    line.receiver_pays = json_member(object, "paid_by") != NULL;
    return line;
}

bool order_price_read(struct slice pricing, struct arena *arena, struct fee_decision *fee)
{
    struct json_error error;
    const struct json *lines = json_parse(pricing, arena, &error);
    size_t count = lines == NULL ? 0 : json_count(lines);
    if (lines == NULL && error.no_memory)
        return false;
    for (size_t i = 0; i < count && fee->count < FEE_LINES_MAX; i++) {
        struct fee_line *line = &fee->lines[fee->count++];
        *line = read_line(json_element(lines, i));
        fee->total += line->amount;
        fee->receiver_pays = fee->receiver_pays || line->receiver_pays;
    }
    return true;
}

bool order_price_capture(struct decision *d, struct arena *arena)
{
    const struct hold *hold = &d->subject->hold;
    int64_t whole = 0;
    int64_t before = 0;
    int64_t amount = d->transfer.amount.minor;
    if (hold->pricing.at == NULL)
        return true;
    if (!order_price_read(hold->pricing, arena, &d->fee))
        return false;
    for (int i = 0; i < d->fee.count; i++) {
        struct fee_line *line = &d->fee.lines[i];
        whole += line->amount;
        int64_t upto = /* of this line and all before */
            d->transfer.anyones ? money_share(whole, amount, hold->amount) : whole;
        line->amount = upto - before;
        before = upto;
    }
    d->fee.total = before;
    d->priced = true;
    d->bundle = hold->bundle;
    d->pricing = pricing_json(&d->fee, arena);
    return d->pricing.at != NULL;
}
