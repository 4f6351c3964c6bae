#include "benchmarks/instructions/orders.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "benchmarks/instructions/pieces.h"
#include "scripting/bundle.h"

#define WALLETS 200
#define STRIPE 1
#define NOW INT64_C(1796112000000000) /* 2026-12-01T08:00:00Z */

static void done(struct posting_order *order)
{
    (void)order;
}

/* Everybody has one wallet; its owner's id is the wallet's, but for a bit. */
static struct uuid owner_of(struct uuid wallet)
{
    wallet.bytes[15] ^= 1;
    return wallet;
}

static void fill(struct orders *orders, unsigned i)
{
    struct receipt_order *receipt = &orders->receipts[i];
    struct posting_order *order = &receipt->order;
    struct uuid hash = pieces_id(5000 + i);
    snprintf(orders->keys[i], sizeof orders->keys[i], "order-2026-%06u",
             (i * 7919 + 271828) % 999983);
    receipt->request_id = pieces_id(6000 + i);
    order->kind = TRANSACTION_TRANSFER;
    order->from = pieces_id(1000 + i * 37 % WALLETS);
    order->to = pieces_id(1000 + (i * 53 + 1) % WALLETS);
    if (uuid_equal(&order->from, &order->to))
        order->to = pieces_id(1000 + (i * 53 + 2) % WALLETS);
    order->caller = owner_of(order->from);
    order->key = slice_of(orders->keys[i]);
    order->amount = (struct money){1000 + (int64_t)(i * 7907) % 200000, CURRENCY_ZAR};
    order->note = SLICE("lunch at the market");
    order->deadline = INT64_MAX;
    order->render = receipt_render;
    order->done = done;
    memcpy(order->request_hash, hash.bytes, sizeof hash.bytes);
    memcpy(order->trace_id, hash.bytes, sizeof hash.bytes);
    orders->list[i] = order;
}

static struct account account_of(const struct uuid *id, const struct uuid *fees)
{
    bool is_fees = uuid_equal(id, fees);
    return (struct account){
        .id = *id,
        .kind = is_fees ? ACCOUNT_FEES : ACCOUNT_WALLET,
        .status = ACCOUNT_ACTIVE,
        .tier = is_fees ? 0 : 1,
        .currency = CURRENCY_ZAR,
        .owner = is_fees ? (struct uuid){{0}} : owner_of(*id),
        .posted = 2000000,
        .version = 1000,
    };
}

/* What the database would answer to the batch's first flight. */
static bool make_accounts(struct orders *orders)
{
    const struct uuid fees = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, STRIPE);
    struct batch *batch = batch_new(orders->list, ORDERS_COUNT);
    bool good = batch != NULL && batch_prepare(batch, STRIPE);
    for (size_t i = 0; good && i < batch->id_count; i++)
        orders->accounts[i] = account_of(&batch->ids[i], &fees);
    orders->account_count = good ? batch->id_count : 0;
    if (batch != NULL)
        batch_free(batch);
    return good;
}

bool orders_make(struct orders *orders)
{
    struct bundle_report report = {.count = 0};
    memset(orders, 0, sizeof *orders);
    for (unsigned i = 0; i < ORDERS_COUNT; i++)
        fill(orders, i);
    orders->terms = (struct batch_terms){
        .bundle = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report), .stripe = STRIPE, .now = NOW};
    return zone_open() == NULL && orders->terms.bundle != NULL && make_accounts(orders);
}

bool orders_decide(const struct orders *orders, struct batch *batch)
{
    if (!batch_prepare(batch, STRIPE))
        return false;
    assert(batch->id_count == orders->account_count);
    memcpy(batch->book.accounts, orders->accounts,
           orders->account_count * sizeof orders->accounts[0]);
    batch->book.count = orders->account_count;
    return batch_decide(batch, &orders->terms);
}

bool orders_are_posted(const struct batch *batch)
{
    return batch->writing.transaction_count == ORDERS_COUNT &&
           batch->writing.posting_count == (size_t)ORDERS_COUNT * 3 &&
           batch->writing.key_count == ORDERS_COUNT;
}
