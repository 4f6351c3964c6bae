/* Bulks without a database: random ones against the same transfers as orders of their own, which is
 * what each item must have done. All or none: either that, or the book is byte for byte what it
 * was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/zone.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "scripting/bundle.h"

enum { WALLETS = 6, ACCOUNTS = WALLETS + 2, ITEMS = 12, STRIPE = 3 };

static struct bundle *rules;   /* without limits in the way */
static struct bundle *limited; /* four transfers in ten minutes */
static int64_t now;            /* one moment for all: counters begin at it */

static void make_accounts(struct account accounts[ACCOUNTS], unsigned *dice)
{
    static const enum account_kind kinds[] = {ACCOUNT_FEES, ACCOUNT_SETTLEMENT};
    for (int i = 0; i < 2; i++)
        accounts[i] = (struct account){.id = account_system_id(kinds[i], CURRENCY_ZAR, STRIPE),
                                       .kind = kinds[i],
                                       .status = ACCOUNT_ACTIVE,
                                       .currency = CURRENCY_ZAR,
                                       .floor = ACCOUNT_FLOOR_NONE};
    for (int i = 0; i < WALLETS; i++)
        accounts[i + 2] =
            (struct account){.id = {{0x20, (uint8_t)i}},
                             .kind = ACCOUNT_WALLET,
                             .status = rand_r(dice) % 12 == 0 ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE,
                             .currency = CURRENCY_ZAR,
                             .owner = {{0x30, (uint8_t)(i / 2)}},
                             .posted = rand_r(dice) % 30000,
                             .version = 1};
}

/* What was decided about the items of the bulk that was rendered last. */
static struct posting_result results[ITEMS];
static size_t posted;
static enum refusal refusals[ITEMS + 2]; /* of the orders in their order */
static size_t rendered;

static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    bytes_add_text(body, "an answer");
    if (order->items == NULL) {
        refusals[rendered++] = decision->refusal;
        return decision->refusal == REFUSAL_NONE ? 201 : 422;
    }
    memcpy(results, decision->results, order->item_count * sizeof results[0]);
    posted = decision->posted;
    return posted > 0 ? 201 : 422;
}

static void done(struct posting_order *order)
{
    (void)order;
}

static struct posting_order make_order(const char *key, bool anyones)
{
    return (struct posting_order){.kind = TRANSACTION_TRANSFER,
                                  .caller = {{0x30, 0}},
                                  .anyones = anyones,
                                  .key = slice_of(key),
                                  .deadline = INT64_MAX,
                                  .render = render,
                                  .done = done};
}

static struct posting_item make_item(unsigned *dice, bool anyones)
{
    int from = rand_r(dice) % (anyones || rand_r(dice) % 8 == 0 ? WALLETS : 2);
    int to = (from + 1 + rand_r(dice) % (WALLETS - 1)) % WALLETS;
    if (rand_r(dice) % 30 == 0)
        to = rand_r(dice) % (WALLETS + 1); /* itself, or nobody */
    return (struct posting_item){.from = {{0x20, (uint8_t)from}},
                                 .to = {{0x20, (uint8_t)to}},
                                 .amount = {1 + rand_r(dice) % 8000, CURRENCY_ZAR},
                                 .note = SLICE("pay"),
                                 .reference = rand_r(dice) % 2 == 0 ? SLICE("r") : SLICE("s")};
}

static struct batch *decided(struct posting_order *orders, size_t count,
                             const struct account *accounts, struct bundle *bundle)
{
    struct posting_order *list[ITEMS + 2];
    const struct batch_terms terms = {bundle, STRIPE, now, 0};
    for (size_t i = 0; i < count; i++)
        list[i] = &orders[i];
    struct batch *batch = batch_new(list, count);
    assert_non_null(batch);
    assert_true(batch_prepare(batch, STRIPE));
    for (size_t i = 0; i < batch->id_count; i++)
        for (size_t k = 0; k < ACCOUNTS; k++)
            if (uuid_equal(&batch->ids[i], &accounts[k].id))
                batch->book.accounts[batch->book.count++] = accounts[k];
    assert_true(batch_find_windows(batch, bundle));
    for (size_t i = 0; i < batch->window_count; i++) { /* nothing was sent yet */
        struct limit_window *window = arena_alloc(&batch->arena, sizeof *window);
        window->room = batch->weight;
        window->moves = arena_array(&batch->arena, window->room, sizeof window->moves[0]);
        batch->windows[i]->window = window;
    }
    rendered = 0;
    assert_true(batch_decide(batch, &terms));
    return batch;
}

static void expect_same_account(const struct account *a, const struct account *b)
{
    assert_true(uuid_equal(&a->id, &b->id) && a->posted == b->posted && a->held == b->held &&
                a->floor == b->floor && a->version == b->version &&
                slice_equal(a->packed, b->packed));
    const struct account *both[] = {a, b};
    int64_t sums[2] = {0, 0};
    int64_t counts[2] = {0, 0};
    for (int k = 0; k < 2; k++) /* without orders of its own it has none */
        for (size_t i = 0; both[k]->window != NULL && i < both[k]->window->count; i++) {
            sums[k] += both[k]->window->moves[i].sum;
            counts[k] += both[k]->window->moves[i].count;
        }
    assert_int_equal(sums[0], sums[1]);
    assert_int_equal(counts[0], counts[1]);
}

/* The same money in the same order, down to versions and texts. */
static void expect_alike(const struct ledger_rows_writing *a, const struct ledger_rows_writing *b)
{
    assert_int_equal(a->account_count, b->account_count);
    for (size_t i = 0; i < a->account_count; i++)
        expect_same_account(&a->accounts[i], &b->accounts[i]);
    assert_int_equal(a->transaction_count, b->transaction_count);
    for (size_t i = 0; i < a->transaction_count; i++) {
        const struct ledger_transaction *left = &a->transactions[i];
        const struct ledger_transaction *right = &b->transactions[i];
        assert_true(left->kind == right->kind && left->amount == right->amount &&
                    left->fee == right->fee && uuid_equal(&left->from, &right->from) &&
                    uuid_equal(&left->to, &right->to) && uuid_equal(&left->caller, &right->caller));
        assert_true(slice_equal(left->note, right->note) &&
                    slice_equal(left->reference, right->reference) &&
                    slice_equal(left->pricing, right->pricing) &&
                    slice_equal(left->facts, right->facts));
        assert_memory_equal(left->trace_id, right->trace_id, 16);
    }
    assert_int_equal(a->posting_count, b->posting_count);
    for (size_t i = 0; i < a->posting_count; i++) {
        const struct posting *left = &a->postings[i];
        const struct posting *right = &b->postings[i];
        assert_true(uuid_equal(&left->account, &right->account) &&
                    left->version == right->version && left->amount == right->amount &&
                    left->posted_after == right->posted_after);
    }
}

/* One key names the first transaction, a link leads from it to each other one. */
static void expect_keys(const struct batch *batch, size_t items)
{
    const struct ledger_rows_writing *w = &batch->writing;
    const struct ledger_key *key = NULL;
    struct uuid first = {{0}};
    size_t members = 0;
    assert_int_equal(w->key_count, batch->count);
    for (size_t i = 0; i < w->key_count; i++)
        if (slice_equals(w->keys[i].key, "bulk"))
            key = &w->keys[i];
    assert_true(slice_equals(key->answer, "an answer"));
    for (size_t i = 0; i < items; i++) {
        const struct uuid *id = &results[i].transaction;
        if (uuid_is_nil(id))
            continue;
        if (uuid_is_nil(&first)) {
            first = *id;
            continue;
        }
        const struct ledger_link *link = &w->links[members++];
        assert_true(uuid_equal(&link->original, &first) && uuid_equal(&link->transaction, id));
        assert_int_equal(link->kind, LEDGER_LINK_BULK);
        assert_true(uuid_compare(id, &w->links[members - 1].original) > 0);
    }
    assert_true(uuid_equal(&key->transaction, &first));
    assert_int_equal(w->link_count, members);
    assert_int_equal(key->status, uuid_is_nil(&first) ? 422 : 201);
}

/* One bulk between two other orders, or alone. */
struct scene {
    struct account accounts[ACCOUNTS];
    struct posting_item items[ITEMS];
    size_t count;
    bool alone;
    struct bundle *bundle;
    struct posting_order orders[3];
    struct posting_order singles[ITEMS + 2];
    size_t single_count;
};

static void put_single(struct scene *scene, const struct posting_order *like,
                       const struct posting_item *item, const char *key)
{
    struct posting_order *order = &scene->singles[scene->single_count++];
    *order = *like;
    order->items = NULL;
    order->key = slice_of(key);
    order->from = item->from;
    order->to = item->to;
    order->amount = item->amount;
    order->note = item->note;
    order->reference = item->reference;
}

static void make_scene(struct scene *scene, unsigned *dice)
{
    bool anyones = rand_r(dice) % 2 == 0;
    struct posting_order bulk = make_order("bulk", anyones);
    make_accounts(scene->accounts, dice);
    scene->count = 1 + (size_t)rand_r(dice) % ITEMS;
    scene->alone = rand_r(dice) % 3 == 0;
    scene->bundle = rand_r(dice) % 2 == 0 ? rules : limited;
    for (size_t i = 0; i < scene->count; i++)
        scene->items[i] = make_item(dice, anyones);
    bulk.items = scene->items;
    bulk.item_count = scene->count;
    bulk.all = rand_r(dice) % 2 == 0;
    bulk.trace_id[5] = 7;
    scene->orders[0] = bulk;
    if (scene->alone)
        return;
    for (int i = 0; i < 3; i += 2) {
        const struct posting_item item = make_item(dice, anyones);
        scene->single_count = 0;
        put_single(scene, &bulk, &item, i == 0 ? "before" : "behind");
        scene->orders[i] = scene->singles[0];
    }
    scene->orders[1] = bulk;
}

/* The same without a bulk: its items by themselves, or left out. */
static struct batch *by_themselves(struct scene *scene, bool with_items)
{
    static const char *const keys[ITEMS] = {"a", "b", "c", "d", "e", "f",
                                            "g", "h", "i", "j", "k", "l"};
    const struct posting_order *bulk = &scene->orders[!scene->alone];
    scene->single_count = 0;
    if (!scene->alone)
        scene->singles[scene->single_count++] = scene->orders[0];
    for (size_t i = 0; with_items && i < scene->count; i++)
        put_single(scene, bulk, &scene->items[i], keys[i]);
    if (!scene->alone)
        scene->singles[scene->single_count++] = scene->orders[2];
    return decided(scene->singles, scene->single_count, scene->accounts, scene->bundle);
}

static bool expect_results(const struct scene *scene)
{
    bool refused = false;
    for (size_t i = 0; i < scene->count; i++) {
        assert_int_equal(results[i].refusal, refusals[i + !scene->alone]);
        refused = refused || results[i].refusal != REFUSAL_NONE;
    }
    return refused;
}

static void test_items_are_orders(void **state)
{
    int whole = 0, undone = 0, parts = 0, limits = 0;
    (void)state;
    for (unsigned seed = 1; seed < 1500; seed++) {
        unsigned dice = seed;
        static struct scene scene;
        make_scene(&scene, &dice);
        const struct posting_order *bulk = &scene.orders[!scene.alone];
        struct batch *batch =
            decided(scene.orders, scene.alone ? 1 : 3, scene.accounts, scene.bundle);
        assert_int_equal(batch->weight, scene.count + (scene.alone ? 0 : 2));
        struct batch *other = by_themselves(&scene, true);
        bool refused = expect_results(&scene);
        bool nothing = bulk->all && refused;
        expect_keys(batch, scene.count);
        whole += !refused;
        undone += nothing;
        parts += refused && posted > 0;
        for (size_t i = 0; i < scene.count; i++)
            limits += results[i].refusal == REFUSAL_LIMIT_EXCEEDED;
        for (size_t i = 0; i < scene.count; i++)
            assert_int_equal(uuid_is_nil(&results[i].transaction),
                             nothing || results[i].refusal != REFUSAL_NONE);
        if (nothing && scene.alone) {
            assert_int_equal(batch->writing.transaction_count + batch->writing.posting_count +
                                 batch->writing.account_count + batch->writing.link_count,
                             0);
            for (size_t i = 0; i < batch->book.count; i++)
                assert_true(batch->book.accounts[i].counters == NULL &&
                            !batch->book.accounts[i].counted);
            for (size_t i = 0; i < batch->window_count; i++)
                assert_int_equal(batch->windows[i]->window->count, 0);
        } else if (nothing) {
            batch_free(other);
            other = by_themselves(&scene, false);
        }
        if (!(nothing && scene.alone))
            expect_alike(&batch->writing, &other->writing);
        batch_free(batch);
        batch_free(other);
    }
    assert_true(whole > 100 && undone > 100 && parts > 100 && limits > 100);
}

/* Three items, of which `bad` is the last. */
static struct posting_order three(struct posting_item items[3], struct posting_item bad)
{
    struct posting_order bulk = make_order("bulk", true);
    for (int i = 0; i < 2; i++)
        items[i] = (struct posting_item){
            .from = {{0x20, (uint8_t)i}}, .to = {{0x20, 3}}, .amount = {100, CURRENCY_ZAR}};
    items[2] = bad;
    bulk.items = items;
    bulk.item_count = 3;
    return bulk;
}

static void rich(struct account accounts[ACCOUNTS])
{
    unsigned dice = 5;
    make_accounts(accounts, &dice);
    for (int i = 2; i < ACCOUNTS; i++) {
        accounts[i].status = ACCOUNT_ACTIVE;
        accounts[i].posted = 10000;
    }
}

static void expect_untouched(const struct batch *batch, const struct account *accounts)
{
    for (size_t i = 0; i < batch->book.count; i++)
        for (size_t k = 0; k < ACCOUNTS; k++)
            if (uuid_equal(&batch->book.accounts[i].id, &accounts[k].id))
                assert_memory_equal(&batch->book.accounts[i], &accounts[k], sizeof accounts[k]);
    assert_int_equal(batch->writing.transaction_count, 0);
    assert_int_equal(batch->writing.posting_count, 0);
    assert_int_equal(batch->writing.link_count, 0);
}

static void test_all_or_none(void **state)
{
    struct account accounts[ACCOUNTS];
    struct posting_item items[3];
    (void)state;
    rich(accounts);
    const struct posting_item bad = {
        .from = {{0x20, 2}}, .to = {{0x20, 4}}, .amount = {10001, CURRENCY_ZAR}};
    struct posting_order bulk = three(items, bad);
    bulk.all = true;
    struct batch *batch = decided(&bulk, 1, accounts, rules);
    assert_int_equal(batch->verdicts[0].outcome, POSTING_ANSWERED);
    assert_int_equal(batch->verdicts[0].status, 422);
    assert_int_equal(results[2].refusal, REFUSAL_INSUFFICIENT_FUNDS);
    assert_int_equal(results[2].available, 10000);
    assert_int_equal(results[0].refusal, REFUSAL_NONE);
    expect_untouched(batch, accounts);
    assert_int_equal(batch->writing.key_count, 1); /* and it's remembered */
    assert_true(uuid_is_nil(&batch->writing.keys[0].transaction));
    batch_free(batch);
}

/* One rule that fails, one row that can't be: nothing of the whole bulk, nothing remembered. */
static void test_a_failure_is_of_all_of_it(void **state)
{
    struct account accounts[ACCOUNTS];
    struct posting_item items[3];
    const currency usd = currency_parse(SLICE("USD"));
    (void)state;
    for (int all = 0; all < 2; all++) {
        rich(accounts);
        accounts[2 + 2].currency = accounts[2 + 4].currency = usd; /* no rule prices it */
        const struct posting_item unpriced = {
            .from = {{0x20, 2}}, .to = {{0x20, 4}}, .amount = {1, usd}};
        struct posting_order bulk = three(items, unpriced);
        bulk.all = all == 1;
        struct batch *batch = decided(&bulk, 1, accounts, rules);
        assert_int_equal(batch->verdicts[0].outcome, POSTING_RULE_FAILED);
        assert_true(batch->verdicts[0].body.length > 0);
        expect_untouched(batch, accounts);
        assert_int_equal(batch->writing.key_count, 0);
        batch_free(batch);

        rich(accounts);
        accounts[2 + 4].posted = -1; /* under its floor */
        items[2].amount.currency = CURRENCY_ZAR;
        batch = decided(&bulk, 1, accounts, rules);
        assert_int_equal(batch->verdicts[0].outcome, POSTING_POISONED);
        expect_untouched(batch, accounts);
        assert_int_equal(batch->writing.key_count, 0);
        batch_free(batch);
    }
}

static void test_what_is_whole(void **state)
{
    struct posting_item items[3];
    (void)state;
    struct posting_order bulk =
        three(items, (struct posting_item){.amount = {MONEY_MAX, CURRENCY_ZAR}});
    assert_true(order_is_whole(&bulk));
    assert_int_equal(order_weight(&bulk), 3);
    items[2].amount.minor = 0;
    assert_false(order_is_whole(&bulk));
    items[2].amount = (struct money){1, 0};
    assert_false(order_is_whole(&bulk));
    bulk.item_count = 0;
    assert_false(order_is_whole(&bulk));
    bulk.item_count = POSTING_ITEMS_MAX + 1;
    assert_false(order_is_whole(&bulk));
    bulk.item_count = 1;
    bulk.kind = TRANSACTION_DEPOSIT;
    assert_false(order_is_whole(&bulk));
}

static void test_memory_runs_out(void **state)
{
    struct account accounts[ACCOUNTS];
    struct posting_item items[3];
    const struct batch_terms terms = {rules, STRIPE, now, 0};
    bool good = false;
    (void)state;
    rich(accounts);
    struct posting_order bulk = three(
        items,
        (struct posting_item){.from = {{0x20, 2}}, .to = {{0x20, 4}}, .amount = {1, CURRENCY_ZAR}});
    struct posting_order *list[] = {&bulk};
    for (long n = 0; !good; n++) {
        assert_true(n < 100);
        memory_fail_after(n);
        struct batch *batch = batch_new(list, 1);
        good = batch != NULL && batch_prepare(batch, STRIPE);
        for (size_t i = 0; good && i < batch->id_count; i++)
            for (size_t k = 0; k < ACCOUNTS; k++)
                if (uuid_equal(&batch->ids[i], &accounts[k].id))
                    batch->book.accounts[batch->book.count++] = accounts[k];
        good = good && batch_decide(batch, &terms);
        memory_fail_never();
        if (good)
            assert_int_equal(batch->writing.transaction_count, 3);
        if (batch != NULL)
            batch_free(batch);
    }
}

static struct bundle *load_limited(void)
{
    static struct bundle_report report;
    char folder[] = "/tmp/moolah-bulk-XXXXXX";
    char command[400];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command,
             "cp " MOOLAH_SOURCE_DIR "/rules/*.fee.lua %s/ && echo \"return limit { id = "
             "'wallet.send', version = 1, owner = 'risk', currency = 'ZAR', tiers = { [0] = { "
             "rolling = { { window = '10m', count = 4 } } }, [1] = {}, [2] = {}, [3] = {} } }\" > "
             "%s/wallet.limit.lua",
             folder, folder);
    assert_int_equal(system(command), 0);
    struct bundle *bundle = bundle_load(folder, &report);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return bundle;
}

static int set_up(void **state)
{
    static struct bundle_report report;
    (void)state;
    rules = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);
    limited = load_limited();
    now = clock_now();
    return rules == NULL || limited == NULL || zone_open() != NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    bundle_release(rules);
    bundle_release(limited);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_are_orders),          cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_a_failure_is_of_all_of_it), cmocka_unit_test(test_what_is_whole),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
