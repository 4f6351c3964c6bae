#include "posting/quote.h"

#include <assert.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "posting/order_kind.h"

#define PREFIX "qte_"
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define ABOUT SLICE("quote") /* nothing else under the key can be passed off as one */
#define FORMAT \
    1 /* another one's quotes fit nothing: servers of two versions may stand side by side */

static bool take_result(struct decision *d, struct arena *arena, struct quote *quote)
{
    const struct posting_order *order = d->order;
    if (!order_price_write(d, arena))
        return false;
    *quote = (struct quote){
        .kind = order->kind,
        .caller = order->caller,
        .from = order->from,
        .to = order->to,
        .amount = order->amount,
        .expires_at = d->terms->now + QUOTE_LIFETIME_US,
        .pricing = d->pricing,
        .facts = d->priced_facts,
    };
    quote->fee = d->fee;
    if (d->bundle != NULL)
        memcpy(quote->bundle, d->bundle, sizeof quote->bundle);
    return true;
}

bool quote_decide(const struct posting_order *order, const struct batch_terms *terms,
                  struct book *book, struct arena *arena, struct quote_outcome *result)
{
    struct decision d;
    struct order_ink ink = {.arena = arena};
    assert(order_is_whole(order) && order->items == NULL && order->quote == NULL);
    *result = (struct quote_outcome){.outcome = POSTING_ANSWERED};
    struct account *from = book_find(book, &order->from);
    if (from != NULL)
        from->floor = ACCOUNT_FLOOR_NONE; /* the price is asked for, not whether there is money */
    order_begin(&d, order, terms);
    bool decided = order_check(&d, book, &ink);
    result->quote.fee = d.fee; /* also why there is none */
    if (!decided) {
        result->outcome = ink.outcome;
        return true;
    }
    result->refusal = d.refusal;
    if (d.refusal != REFUSAL_NONE)
        return true;
    if (!order_limit_check(&d, &ink))
        return false;
    result->outcome = d.unsound ? POSTING_POISONED : POSTING_ANSWERED;
    result->limits = d.refusal;
    result->breach = d.breach;
    return take_result(&d, arena, &result->quote);
}

bool quote_fits(const struct quote *quote, const struct posting_order *order)
{
    return quote->kind == order->kind && uuid_equal(&quote->caller, &order->caller) &&
           uuid_equal(&quote->from, &order->from) && uuid_equal(&quote->to, &order->to) &&
           quote->amount.minor == order->amount.minor &&
           quote->amount.currency == order->amount.currency;
}

static void add_text(struct bytes *out, struct slice text)
{
    bytes_add_be16(out, (uint16_t)text.length);
    bytes_add_slice(out, text);
}

static struct slice plain_of(const struct quote *quote, struct arena *arena)
{
    struct bytes out;
    bytes_init(&out, arena);
    bytes_add_char(&out, FORMAT);
    bytes_add_char(&out, (char)quote->kind);
    bytes_add(&out, quote->caller.bytes, sizeof quote->caller.bytes);
    bytes_add(&out, quote->from.bytes, sizeof quote->from.bytes);
    bytes_add(&out, quote->to.bytes, sizeof quote->to.bytes);
    bytes_add_be64(&out, (uint64_t)quote->amount.minor);
    bytes_add_be32(&out, quote->amount.currency);
    bytes_add_be64(&out, (uint64_t)quote->expires_at);
    bytes_add(&out, quote->bundle, sizeof quote->bundle);
    add_text(&out, quote->pricing);
    add_text(&out, quote->facts);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

struct slice quote_seal(const uint8_t key[32], const struct quote *quote, struct arena *arena)
{
    const struct slice none = {NULL, 0};
    struct slice plain = plain_of(quote, arena);
    size_t length = plain.length + CRYPTO_SEAL_EXTRA;
    if (plain.at == NULL)
        return none;
    assert(plain.length < QUOTE_TEXT_MAX / 2);
    uint8_t *sealed = arena_alloc(arena, length);
    char *text = arena_alloc(arena, PREFIX_LENGTH + length * 4 / 3 + 3);
    if (sealed == NULL || text == NULL)
        return none;
    crypto_seal(key, ABOUT, plain, sealed);
    memcpy(text, PREFIX, sizeof PREFIX);
    crypto_base64url(sealed, length, text + PREFIX_LENGTH);
    return slice_of(text);
}

/* What is left of the plain text. One that is too short is no quote of this format. */
struct reader {
    const char *at;
    size_t left;
    bool failed;
};

static void read_bytes(struct reader *reader, void *out, size_t length)
{
    reader->failed = reader->failed || reader->left < length;
    if (reader->failed)
        return;
    memcpy(out, reader->at, length);
    reader->at += length;
    reader->left -= length;
}

static uint64_t read_number(struct reader *reader, size_t length)
{
    uint8_t bytes[8] = {0};
    uint64_t number = 0;
    assert(length <= sizeof bytes);
    read_bytes(reader, bytes, length);
    for (size_t i = 0; i < length; i++)
        number = number << 8 | bytes[i];
    return number;
}

static struct slice read_text(struct reader *reader)
{
    size_t length = read_number(reader, 2);
    struct slice text = {reader->at, length};
    reader->failed = reader->failed || reader->left < length;
    if (reader->failed || length == 0)
        return (struct slice){NULL, 0};
    reader->at += length;
    reader->left -= length;
    return text;
}

static void read_plain(struct slice plain, struct quote *quote)
{
    struct reader reader = {plain.at, plain.length, false};
    reader.failed = read_number(&reader, 1) != FORMAT;
    quote->kind = (enum transaction_kind)read_number(&reader, 1);
    read_bytes(&reader, quote->caller.bytes, sizeof quote->caller.bytes);
    read_bytes(&reader, quote->from.bytes, sizeof quote->from.bytes);
    read_bytes(&reader, quote->to.bytes, sizeof quote->to.bytes);
    quote->amount.minor = (int64_t)read_number(&reader, 8);
    quote->amount.currency = (currency)read_number(&reader, 4);
    quote->expires_at = (int64_t)read_number(&reader, 8);
    read_bytes(&reader, quote->bundle, sizeof quote->bundle);
    quote->pricing = read_text(&reader);
    quote->facts = read_text(&reader);
    if (reader.failed || reader.left != 0)
        quote->kind = 0;
}

bool quote_open(const uint8_t key[32], struct slice text, struct arena *arena, struct quote *quote)
{
    *quote = (struct quote){.kind = 0};
    if (text.length <= PREFIX_LENGTH || text.length > QUOTE_TEXT_MAX ||
        memcmp(text.at, PREFIX, PREFIX_LENGTH) != 0)
        return true;
    text = (struct slice){text.at + PREFIX_LENGTH, text.length - PREFIX_LENGTH};
    size_t length = text.length * 3 / 4;
    if (length <= CRYPTO_SEAL_EXTRA)
        return true;
    uint8_t *sealed = arena_alloc(arena, length);
    uint8_t *plain = arena_alloc(arena, length - CRYPTO_SEAL_EXTRA);
    if (sealed == NULL || plain == NULL)
        return false;
    if (!crypto_base64url_decode(text, sealed, length) ||
        !crypto_open(key, ABOUT, (struct slice){(const char *)sealed, length}, plain))
        return true;
    read_plain((struct slice){(const char *)plain, length - CRYPTO_SEAL_EXTRA}, quote);
    return quote->kind == 0 || quote->pricing.at == NULL ||
           order_price_read(quote->pricing, arena, &quote->fee);
}
