#include "api/purchase_view.h"

#include "api/receipt.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "supply/pin.h"

static void write_id(struct json_writer *writer, const char *name, const char *prefix,
                     const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    json_write_key(writer, name);
    if (uuid_is_nil(id)) {
        json_write_null(writer);
        return;
    }
    uuid_format(id, prefix, text);
    json_write_text(writer, text);
}

static const char *status_name(enum purchases_status status)
{
    switch (status) {
    case PURCHASE_RESERVED:
    case PURCHASE_HELD:
    case PURCHASE_DELIVERING:
    case PURCHASE_UNKNOWN:
    case PURCHASE_DELIVERED:
    case PURCHASE_VOIDING:
        break;
    case PURCHASE_CAPTURED:
        return "delivered";
    case PURCHASE_VOIDED:
        return "voided";
    case PURCHASE_REFUSED:
        return "refused";
    }
    return "in_progress";
}

/* False: out of memory, or they can't be opened. */
static bool write_goods(struct json_writer *writer, const struct call *call,
                        const struct purchases_purchase *purchase)
{
    json_write_key(writer, "goods");
    if (purchase->status != PURCHASE_CAPTURED) {
        json_write_null(writer);
        return true;
    }
    char *goods = arena_alloc(&call->request->arena, purchase->goods.length);
    if (goods == NULL ||
        !pin_open_goods(call->service->settings.secret_key, &purchase->id, purchase->goods, goods))
        return false;
    json_write_raw(writer, (struct slice){goods, purchase->goods.length - CRYPTO_SEAL_EXTRA});
    return true;
}

static void write_facts(struct json_writer *writer, const struct purchases_purchase *purchase)
{
    char code[4];
    currency_text(purchase->currency, code);
    write_id(writer, "id", "pur_", &purchase->id);
    json_write_key(writer, "status");
    json_write_text(writer, status_name(purchase->status));
    write_id(writer, "wallet", "wal_", &purchase->wallet);
    write_id(writer, "product", "prd_", &purchase->product);
    json_write_key(writer, "rule");
    json_write_string(writer, purchase->rule);
    json_write_key(writer, "amount");
    json_write_int(writer, purchase->amount);
    json_write_key(writer, "currency");
    json_write_text(writer, code);
    json_write_key(writer, "fields");
    json_write_raw(writer, purchase->fields);
    write_id(writer, "hold", "hld_", &purchase->hold);
    write_id(writer, "transaction", "tx_", &purchase->transaction);
}

bool purchase_view_write(struct json_writer *writer, const struct call *call,
                         const struct purchases_purchase *purchase)
{
    json_write_object(writer);
    write_facts(writer, purchase);
    bool good = write_goods(writer, call, purchase);
    if (!good)
        json_write_null(writer);
    receipt_write_time(writer, "created_at", purchase->created_at);
    json_write_object_end(writer);
    return good;
}

static void write_text(struct json_writer *writer, const char *name, struct slice text)
{
    json_write_key(writer, name);
    if (text.at == NULL)
        json_write_null(writer);
    else
        json_write_string(writer, text);
}

void purchase_view_write_for_operator(struct json_writer *writer,
                                      const struct purchases_purchase *purchase)
{
    json_write_object(writer);
    write_facts(writer, purchase);
    write_text(writer, "supplier", purchase->supplier);
    write_text(writer, "supplier_reference", purchase->reference);
    write_text(writer, "outcome",
               purchase->decided == PURCHASE_DELIVERED ? SLICE("delivered") : SLICE("failed"));
    receipt_write_time(writer, "created_at", purchase->created_at);
    json_write_object_end(writer);
}

enum flow_verdict purchase_view_answer(struct call *call, const struct purchases_purchase *purchase,
                                       bool made)
{
    struct bytes body;
    struct json_writer writer;
    if (purchase->status == PURCHASE_REFUSED)
        return call_answer_stored(call, purchase->refusal_status, purchase->refusal);
    bytes_init(&body, &call->request->arena);
    json_write_init(&writer, &body);
    if (!purchase_view_write(&writer, call, purchase))
        return call_refuse(call, PROBLEM_INTERNAL, NULL);
    if (!made)
        return call_answer(call, 200, &body);
    return call_answer(call, purchase->status < PURCHASE_CAPTURED ? 202 : 201, &body);
}
