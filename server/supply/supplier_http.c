/* A supplier behind HTTPS: POST URL/deliveries brings goods, GET URL/deliveries/REFERENCE says what
 * became of them. Whatever isn't a clear word is "unknown", and is asked again. */
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/outbound.h"
#include "supply/delivery.h"

struct sending {
    struct outbound_transfer transfer; /* first */
    struct supplier *supplier;
    struct supplier_question *asked;
    bool asks;
    char url[320];
    char token[144];
    char reference[UUID_TEXT_MAX];
};

static void note(const struct sending *s)
{
    const struct supplier_question *asked = s->asked;
    bool good = asked->result != SUPPLIER_UNKNOWN && asked->result != SUPPLIER_NOT_SENT;
    breaker_note(&s->supplier->breaker, good, clock_monotonic());
    if (!good)
        log_message(LOG_WARN, "supplier_failed", "%s: %s %s: %s, status %d %s", s->supplier->name,
                    s->transfer.method, s->reference, outbound_result_name(s->transfer.result),
                    s->transfer.status, s->transfer.error);
}

static void done(struct outbound_transfer *transfer)
{
    struct sending *s = (struct sending *)(void *)transfer;
    s->asked->result = transfer->maybe_sent ? SUPPLIER_UNKNOWN : SUPPLIER_NOT_SENT;
    if (transfer->result == OUTBOUND_ANSWERED)
        delivery_read(s->asked, transfer->status, bytes_view(&transfer->answer), s->asks);
    else
        transfer->status = 0;
    if (s->asks && s->asked->result == SUPPLIER_NOT_SENT)
        s->asked->result = SUPPLIER_UNKNOWN; /* of the delivery we know no more than before */
    note(s);
    s->asked->done(s->asked);
}

static struct sending *prepare(struct supplier *supplier, struct supplier_question *asked)
{
    struct sending *s = arena_alloc(asked->arena, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct sending){.supplier = supplier, .asked = asked};
    uuid_format(&asked->purchase->id, "pur_", s->reference);
    snprintf(s->token, sizeof s->token, "Bearer %s", supplier->token);
    s->transfer = (struct outbound_transfer){
        .url = s->url,
        .headers = {{"Authorization", slice_of(s->token)}, {"Accept", SLICE("application/json")}},
        .header_count = 2,
        .connect_timeout_us = supplier->timeout_us,
        .timeout_us = supplier->timeout_us,
        .answer_max = DELIVERY_ANSWER_MAX,
        .done = done,
    };
    return s;
}

static bool deliver(struct supplier *supplier, struct supplier_question *asked)
{
    struct bytes body;
    struct sending *s = prepare(supplier, asked);
    if (s == NULL)
        return false;
    bytes_init(&body, asked->arena);
    delivery_write(asked->purchase, &body);
    snprintf(s->url, sizeof s->url, "%s/deliveries", supplier->url);
    s->transfer.method = "POST";
    s->transfer.headers[s->transfer.header_count++] =
        (struct outbound_header){"Content-Type", SLICE("application/json")};
    s->transfer.headers[s->transfer.header_count++] =
        (struct outbound_header){"Idempotency-Key", slice_of(s->reference)};
    s->transfer.body = bytes_view(&body);
    return !body.failed && outbound_start(supplier->outbound, &s->transfer);
}

static bool ask(struct supplier *supplier, struct supplier_question *asked)
{
    struct sending *s = prepare(supplier, asked);
    if (s == NULL)
        return false;
    s->asks = true;
    snprintf(s->url, sizeof s->url, "%s/deliveries/%s", supplier->url, s->reference);
    s->transfer.method = "GET";
    return outbound_start(supplier->outbound, &s->transfer);
}

const struct supplier_kind supplier_http = {deliver, ask};
