#include "posting/batch.h"

#include <assert.h>

#include "base/memory.h"
#include "posting/batch_changes.h"
#include "posting/order.h"
#include "scripting/bundle.h"

struct batch *batch_new(struct posting_order *const *orders, size_t count)
{
    assert(count > 0);
    struct batch *batch = memory_alloc(sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->orders = memory_alloc(count * sizeof batch->orders[0]);
    if (batch->orders == NULL) {
        memory_free(batch);
        return NULL;
    }
    memcpy(batch->orders, orders, count * sizeof orders[0]);
    batch->count = count;
    for (size_t i = 0; i < count; i++)
        batch->weight += order_weight(orders[i]);
    arena_init(&batch->arena);
    return batch;
}

void batch_free(struct batch *batch)
{
    batch_changes_drop(batch);
    arena_release(&batch->arena);
    memory_free(batch->orders);
    memory_free(batch);
}

void batch_reset(struct batch *batch)
{
    arena_release(&batch->arena);
    batch->ids = NULL;
    batch->id_count = 0;
    batch->subject_ids = NULL;
    batch->subject_count = 0;
    batch->hold_count = 0;
    batch->asked = NULL;
    batch->asked_count = 0;
    batch->verdicts = NULL;
    batch->book = (struct book){0};
    batch->windows = NULL;
    batch->window_count = 0;
    batch->remembered = NULL;
    batch->remembered_count = 0;
    batch->writing = (struct ledger_rows_writing){0};
}

/* An order and its place, to find equal keys by sorting. */
struct keyed {
    struct ledger_key key;
    size_t place;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *left = a;
    const struct keyed *right = b;
    int order = ledger_rows_compare_keys(&left->key, &right->key);
    if (order != 0)
        return order;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* The first to come with a key leads; the others get its answer. */
static bool find_leaders(struct batch *batch)
{
    struct keyed *sorted = arena_array(&batch->arena, batch->count, sizeof sorted[0]);
    batch->asked = arena_array(&batch->arena, batch->count, sizeof batch->asked[0]);
    if (sorted == NULL || batch->asked == NULL)
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct posting_order *order = batch->orders[i];
        assert(order->key.length >= 1 && order->key.length <= 255);
        sorted[i].key.caller = order->caller;
        sorted[i].key.key = order->key;
        memcpy(sorted[i].key.request_hash, order->request_hash, sizeof order->request_hash);
        sorted[i].place = i;
    }
    qsort(sorted, batch->count, sizeof sorted[0], compare_keyed);
    size_t leader = 0;
    for (size_t i = 0; i < batch->count; i++) {
        bool first = i == 0 || ledger_rows_compare_keys(&sorted[i - 1].key, &sorted[i].key) != 0;
        if (first) {
            leader = sorted[i].place;
            batch->verdicts[leader].asked = batch->asked_count;
            batch->asked[batch->asked_count++] = sorted[i].key;
        }
        batch->verdicts[sorted[i].place].leader = leader;
    }
    return true;
}

/* Only the rarer kinds are about something: a batch without them asks for nothing more. */
static bool find_subjects(struct batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (order_is_plain(batch->orders[i]))
            continue;
        count += order_subject(batch->orders[i]) != NULL;
        batch->hold_count += order_makes_hold(batch->orders[i]);
    }
    if (count == 0)
        return true;
    batch->subject_ids = arena_array(&batch->arena, count, sizeof batch->subject_ids[0]);
    batch->book.subjects = arena_array(&batch->arena, count, sizeof batch->book.subjects[0]);
    if (batch->subject_ids == NULL || batch->book.subjects == NULL)
        return false;
    count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct uuid *subject = order_subject(batch->orders[i]);
        if (subject != NULL)
            batch->subject_ids[count++] = *subject;
    }
    batch->subject_count = book_sort_ids(batch->subject_ids, count);
    return true;
}

bool batch_prepare(struct batch *batch, unsigned stripe)
{
    batch->verdicts = arena_array(&batch->arena, batch->count, sizeof batch->verdicts[0]);
    batch->ids =
        arena_array(&batch->arena, batch->weight * ORDER_ACCOUNTS_MAX, sizeof batch->ids[0]);
    if (batch->verdicts == NULL || batch->ids == NULL || !find_leaders(batch) ||
        !find_subjects(batch))
        return false;
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += order_accounts(batch->orders[i], stripe, batch->ids + count);
    batch->id_count = book_sort_ids(batch->ids, count);
    batch->book.accounts =
        arena_array(&batch->arena, batch->id_count, sizeof batch->book.accounts[0]);
    return batch->book.accounts != NULL;
}

static bool has_window(const struct batch *batch, const struct account *account)
{
    for (size_t i = 0; i < batch->window_count; i++)
        if (batch->windows[i] == account)
            return true;
    return false;
}

static void find_window(struct batch *batch, const struct bundle *bundle, const struct uuid *from)
{
    struct account *payer = book_find(&batch->book, from);
    if (payer != NULL && payer->kind == ACCOUNT_WALLET &&
        bundle_caps(bundle, payer->tier, payer->currency)->rolling && !has_window(batch, payer))
        batch->windows[batch->window_count++] = payer;
}

bool batch_find_windows(struct batch *batch, const struct bundle *bundle)
{
    if (bundle == NULL || !bundle_has_rolling(bundle))
        return true;
    batch->windows = arena_array(&batch->arena, batch->weight, sizeof batch->windows[0]);
    if (batch->windows == NULL)
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct posting_order *order = batch->orders[i];
        if (limit_class_of(order->kind) == LIMIT_NONE)
            continue;
        if (order->items == NULL)
            find_window(batch, bundle, &order->from);
        for (size_t k = 0; order->items != NULL && k < order->item_count; k++)
            find_window(batch, bundle, &order->items[k].from);
    }
    return true;
}

static bool same_request(const struct ledger_key *key, const struct posting_order *order)
{
    return memcmp(key->request_hash, order->request_hash, sizeof order->request_hash) == 0;
}

/* What an earlier batch remembered under the keys asked for: both lists are sorted alike. */
static void replay_remembered(struct batch *batch, const struct ledger_key **found)
{
    size_t r = 0;
    for (size_t a = 0; a < batch->asked_count && r < batch->remembered_count; a++)
        if (ledger_rows_compare_keys(&batch->asked[a], &batch->remembered[r]) == 0)
            found[a] = &batch->remembered[r++];
    assert(r == batch->remembered_count);
}

/* False: out of memory. */
static bool replay(struct batch_verdict *verdict, const struct ledger_key *key,
                   const struct posting_order *order, struct arena *arena)
{
    if (!same_request(key, order)) {
        verdict->outcome = POSTING_KEY_REUSED;
        return true;
    }
    verdict->outcome = POSTING_ANSWERED;
    verdict->status = key->status;
    verdict->body = key->answer;
    verdict->replayed = true;
    if (key->answer.at != NULL)
        return true;
    if (key->posted == NULL) { /* the lane has asked, and there is none: its answer is lost */
        verdict->outcome = POSTING_POISONED;
        verdict->replayed = false;
        return true;
    }
    struct bytes body;
    bytes_init(&body, arena);
    order->recall(order, key->posted, &body);
    verdict->body = bytes_view(&body);
    return !body.failed;
}

static void follow(struct batch *batch, size_t place)
{
    struct batch_verdict *verdict = &batch->verdicts[place];
    const struct batch_verdict *first = &batch->verdicts[verdict->leader];
    size_t leader = verdict->leader;
    const struct ledger_key *key = &batch->asked[first->asked];

    assert(leader < place);
    if (!same_request(key, batch->orders[place])) {
        /* a leader that isn't remembered leaves the key free: ask again */
        verdict->outcome =
            first->outcome == POSTING_ANSWERED ? POSTING_KEY_REUSED : POSTING_EXPIRED;
        return;
    }
    *verdict = *first;
    verdict->leader = leader;
    verdict->replayed = first->outcome == POSTING_ANSWERED;
}

/* Room for all that the batch could write. */
static bool make_room(struct batch *batch, struct order_ink *ink)
{
    struct arena *arena = &batch->arena;
    if (batch->hold_count > 0)
        ink->holds = arena_array(arena, batch->hold_count, sizeof ink->holds[0]);
    bool links = batch->subject_count > 0 || batch->weight > batch->count; /* or bulks */
    if (links)
        ink->links = arena_array(arena, batch->weight, sizeof ink->links[0]);
    if ((batch->hold_count > 0 && ink->holds == NULL) || (links && ink->links == NULL))
        return false;
    ink->arena = arena;
    ink->transactions = arena_array(arena, batch->weight, sizeof ink->transactions[0]);
    ink->postings =
        arena_array(arena, batch->weight * TRANSACTION_POSTINGS_MAX, sizeof ink->postings[0]);
    return ink->transactions != NULL && ink->postings != NULL;
}

static bool decide_orders(struct batch *batch, const struct batch_terms *terms,
                          const struct ledger_key *const *found, struct order_ink *ink)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_verdict *verdict = &batch->verdicts[i];
        struct posting_order *order = batch->orders[i];
        const struct ledger_key *used = found[batch->verdicts[verdict->leader].asked];
        if (used != NULL) {
            if (!replay(verdict, used, order, &batch->arena))
                return false;
        } else if (verdict->leader != i) {
            follow(batch, i);
        } else if (batch->resubmitted && order->deadline <= terms->monotonic) {
            verdict->outcome = POSTING_EXPIRED;
        } else {
            struct ledger_key *key = &batch->asked[verdict->asked];
            if (!order_decide(order, terms, &batch->book, ink, key))
                return false;
            verdict->outcome = ink->outcome;
            verdict->status = key->status;
            verdict->body = ink->body;
        }
    }
    return true;
}

/* The holds that this batch finished. */
static bool collect_finished(struct batch *batch)
{
    size_t count = 0;
    if (batch->subject_count == 0)
        return true;
    struct hold *finished = arena_array(&batch->arena, batch->subject_count, sizeof finished[0]);
    if (finished == NULL)
        return false;
    for (size_t i = 0; i < batch->book.subject_count; i++)
        if (batch->book.subjects[i].finished)
            finished[count++] = batch->book.subjects[i].hold;
    batch->writing.finished = finished;
    batch->writing.finished_count = count;
    return true;
}

/* Counters that stayed as they are aren't written: null keeps them. */
static bool pack_counters(struct batch *batch, struct account *account)
{
    account->packed = (struct slice){NULL, 0};
    if (!account->counted)
        return true;
    uint8_t *packed = arena_alloc(&batch->arena, LIMIT_PACKED_MAX);
    if (packed == NULL)
        return false;
    account->packed = (struct slice){(const char *)packed, limit_pack(account->counters, packed)};
    return true;
}

/* Only what changed is written. */
static bool collect_writing(struct batch *batch, const struct batch_terms *terms,
                            const int64_t *versions, const struct order_ink *ink)
{
    struct account *changed =
        arena_array(&batch->arena, batch->book.count, sizeof batch->book.accounts[0]);
    struct ledger_key *keys = arena_array(&batch->arena, batch->asked_count, sizeof keys[0]);
    size_t accounts = 0;
    size_t kept = 0;
    if (changed == NULL || keys == NULL)
        return false;
    bool floors = false;
    for (size_t i = 0; i < batch->book.count; i++) {
        if (batch->book.accounts[i].version == versions[i])
            continue;
        floors = floors || batch->book.accounts[i].floor_moved;
        changed[accounts] = batch->book.accounts[i];
        if (!pack_counters(batch, &changed[accounts++]))
            return false;
    }
    for (size_t i = 0; i < batch->asked_count; i++)
        if (batch->asked[i].status != 0) /* decided here, and to be remembered */
            keys[kept++] = batch->asked[i];
    batch->writing = (struct ledger_rows_writing){
        .accounts = changed,
        .account_count = accounts,
        .floors = floors,
        .transactions = ink->transactions,
        .transaction_count = ink->transaction_count,
        .postings = ink->postings,
        .posting_count = ink->posting_count,
        .holds = ink->holds,
        .hold_count = ink->hold_count,
        .links = ink->links,
        .link_count = ink->link_count,
        .keys = keys,
        .key_count = kept,
        .created_at = terms->now,
    };
    assert(kept + ink->member_count >= ink->transaction_count);
    return collect_finished(batch);
}

/* No server's clock takes a wallet back to a day that is over: what it sends is booked in the day
 * that its counters are about. */
static int64_t settle_moment(const struct batch *batch, int64_t clock)
{
    int64_t now = clock;
    for (size_t i = 0; i < batch->book.count; i++) {
        int64_t day = limit_packed_day(batch->book.accounts[i].packed, clock);
        now = day > now ? day : now;
    }
    return now;
}

bool batch_decide(struct batch *batch, const struct batch_terms *asked)
{
    struct order_ink ink = {0};
    struct batch_terms settled = *asked;
    const struct batch_terms *terms = &settled;
    struct arena *arena = &batch->arena;
    const struct ledger_key **found = arena_array(arena, batch->asked_count, sizeof(void *));
    int64_t *versions = arena_array(arena, batch->book.count, sizeof versions[0]);
    if (found == NULL || versions == NULL || !make_room(batch, &ink))
        return false;
    for (size_t i = 0; i < batch->book.count; i++)
        versions[i] = batch->book.accounts[i].version;
    settled.now = settle_moment(batch, asked->now);
    replay_remembered(batch, found);
    return decide_orders(batch, terms, found, &ink) &&
           collect_writing(batch, terms, versions, &ink);
}

void batch_answer(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct posting_order *order = batch->orders[i];
        const struct batch_verdict *verdict = &batch->verdicts[i];
        order->outcome = verdict->outcome;
        order->status = verdict->status;
        order->body = verdict->body;
        order->replayed = verdict->replayed;
        order->batch_size = (uint32_t)batch->count;
        order->done(order);
    }
    batch->count = 0;
}

void batch_give_up(struct batch *batch, enum posting_outcome outcome)
{
    assert(outcome != POSTING_ANSWERED);
    for (size_t i = 0; i < batch->count; i++) {
        batch->orders[i]->outcome = outcome;
        batch->orders[i]->batch_size = (uint32_t)batch->count;
        batch->orders[i]->done(batch->orders[i]);
    }
    batch->count = 0;
}
