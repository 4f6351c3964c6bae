/* The voucher stock: the PIN was reserved for the purchase before money was held, so bringing it is
 * reading it. */
#include <stddef.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "supply/pin.h"
#include "supply/supplier.h"

/* What a question to the database takes along; in the question's arena. */
struct reading {
    struct purchases_question question; /* first */
    struct supplier *supplier;
    struct supplier_question *asked;
};

static struct slice product_of(struct slice rule)
{
    const char *at = memchr(rule.at, '@', rule.length);
    return (struct slice){rule.at, at == NULL ? rule.length : (size_t)(at - rule.at)};
}

static void write_goods(struct supplier_question *asked, struct slice pin)
{
    struct bytes out;
    struct json_writer writer;
    bytes_init(&out, asked->arena);
    json_write_init(&writer, &out);
    json_write_object(&writer);
    json_write_key(&writer, "pin");
    json_write_string(&writer, pin);
    json_write_object_end(&writer);
    asked->result = out.failed ? SUPPLIER_PENDING : SUPPLIER_DELIVERED;
    asked->goods = bytes_view(&out);
}

/* None is there: the row was tampered with, or the key is another one. The operators must see to
 * that, and the buyer gets the money back. */
static void answered(struct purchases_question *question)
{
    struct reading *reading = (struct reading *)(void *)question;
    struct supplier_question *asked = reading->asked;
    char pin[PIN_MAX];
    size_t length;
    asked->result = SUPPLIER_PENDING;
    if (question->outcome == PG_OK &&
        pin_open(reading->supplier->key, product_of(asked->purchase->rule), question->pin, pin,
                 &length)) {
        write_goods(asked, (struct slice){pin, length});
    } else if (question->outcome == PG_OK) {
        log_message(LOG_ERROR, "voucher_unreadable", "%.*s: is secret_key another one?",
                    (int)asked->purchase->rule.length, asked->purchase->rule.at);
        asked->result = SUPPLIER_DECLINED;
    }
    asked->done(asked);
}

static bool deliver(struct supplier *supplier, struct supplier_question *asked)
{
    struct reading *reading = arena_alloc(asked->arena, sizeof *reading);
    if (reading == NULL)
        return false;
    *reading = (struct reading){{.arena = asked->arena, .done = answered}, supplier, asked};
    return purchases_pin(supplier->pool, &asked->purchase->id, &reading->question);
}

const struct supplier_kind supplier_stock = {deliver, deliver};
