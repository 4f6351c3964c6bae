/* Posting: orders are queued, taken in batches, decided in C while their accounts are locked,
 * written set-wise, and answered after the database said it's durable. See README.md for the life
 * of a batch.
 *
 * Promises: an order is answered exactly once. One key (of one caller), one transaction, one
 * answer, byte for byte. Answers marked posted are durable. A batch whose fate is unknown
 * (connection lost) is submitted again until it's known. */
#ifndef POSTING_POSTING_H
#define POSTING_POSTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ledger/account.h"
#include "ledger/hold.h"
#include "ledger/limit.h"
#include "ledger/money.h"
#include "ledger/refusal.h"
#include "ledger/transaction.h"
#include "scripting/fee.h"

struct bundle;
struct cache;
struct ev_loop;
struct posting_order;
struct posting_queue;
struct quote;
struct wallets_transaction;

/* One transfer of a bulk. */
struct posting_item {
    struct uuid from; /* wallet, as posting_order's */
    struct uuid to;
    struct money amount;
    struct slice note;
    struct slice reference;
};

#define POSTING_ITEMS_MAX 1000

/* What was decided about an item. Each was decided as if those before it that weren't refused had
 * been posted. */
struct posting_result {
    enum refusal refusal;    /* NONE: it's posted, if its transaction says so */
    const char *reason;      /* a rule's words for RULE_DENIED, else NULL */
    struct uuid transaction; /* nil: not posted */
    int64_t fee;
    int64_t available;          /* for INSUFFICIENT_FUNDS: the payer's */
    struct limit_breach breach; /* for LIMIT_EXCEEDED, as posting_decision's */
};

/* What was decided about an order, for its renderer. Of a bulk only created_at, posted and results
 * are set. */
struct posting_decision {
    enum refusal refusal; /* NONE: it's posted */
    const char *reason;   /* a rule's words for RULE_DENIED, else NULL */
    struct uuid transaction;
    int64_t created_at;         /* Unix us */
    struct money amount;        /* what was asked, or worked out when it was "all of it" */
    int64_t charged;            /* the fee; of a refund or reversal: what the fees gave back */
    int64_t remaining;          /* for REFUND_EXCEEDS_ORIGINAL, CAPTURE_EXCEEDS_HOLD */
    struct limit_breach breach; /* for LIMIT_EXCEEDED; no cap: another bound than a limit's */
    const struct hold *hold;    /* of a hold and what finishes it; NULL: none */
    struct account from_after; /* as after this transaction; for INSUFFICIENT_FUNDS as it stands; id
                                  nil: no such account */
    struct account to_after;
    const struct fee_decision *fee;       /* NULL: no rule was asked */
    const uint8_t *bundle;                /* 32 bytes, NULL: no rule was asked */
    const struct posting_result *results; /* one per item, in their order */
    size_t posted;                        /* so many of them are */
};

enum posting_outcome {
    POSTING_ANSWERED,    /* posted, refused or replayed: status and body are final and durable */
    POSTING_KEY_REUSED,  /* 422: the key belongs to another request */
    POSTING_RULE_FAILED, /* 503: nothing moved, nothing remembered */
    POSTING_EXPIRED,     /* 503: its deadline passed before it was batched; nothing moved */
    POSTING_UNAVAILABLE, /* 503: the same, because there is no database */
    POSTING_POISONED     /* 500: the database refuses just this one; nothing moved. Or what moved is
                            lost */
};

/* What a capture, void, expiry, refund or reversal is about. Of a refund's or reversal's original,
 * also what was booked and never changes: the asker has read it. What may have changed since is
 * read again, under the lock. */
struct posting_subject {
    struct uuid id; /* a hold's, or a transaction's; nil: the caller has none of that id */
    enum transaction_kind kind;
    int64_t amount;
    int64_t fee;
    int64_t refundable; /* of the fee: what refunds of it all give back */
};

struct posting_order {
    /* the asker fills in; everything lives until `done` */
    enum transaction_kind kind;
    struct uuid caller; /* user or partner: the key's scope */
    bool anyones;       /* a partner, or the system: `from` needn't be the caller's */
    struct slice key;   /* 1..255 visible characters */
    uint8_t request_hash[32];
    struct uuid from;    /* wallet; ignored for a deposit (settlement pays) */
    struct uuid to;      /* wallet; ignored for a withdrawal; nil: the phone number is nobody's ->
                            recipient_not_found */
    struct money amount; /* 1 .. MONEY_MAX; 0 with a subject: all of it that is left */
    struct posting_subject subject;
    bool subject_away;   /* nobody can say now: known keys are answered, others expire */
    int64_t expires_in;  /* of a hold, us */
    bool purchase;       /* of a hold: `to` is a supplier's account, and no wallet */
    bool allow_negative; /* a reversal may take more than there is */
    const struct posting_item *items; /* a bulk: these instead of from, to and amount; NULL: none */
    size_t item_count;                /* 1 .. POSTING_ITEMS_MAX, with items */
    bool all;                         /* every item, or none */
    const struct quote *quote; /* the price it was promised; NULL: the rules say. No bulk's */
    struct slice note;         /* {NULL,0}: none; valid UTF-8 without NUL */
    struct slice reference;
    uint8_t trace_id[16];
    int64_t deadline; /* monotonic us */
    /* Append the answer for `decision` to `body` and return its status. Called while rows are
     * locked: no I/O. Must be pure. */
    int (*render)(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body);
    /* Append the same bytes again, from what was written down of the transaction: its row, and the
     * payer's balance after it. */
    void (*recall)(const struct posting_order *order, const struct wallets_transaction *posted,
                   struct bytes *body);
    void (*done)(struct posting_order *order); /* once, never from inside posting_submit */

    /* answered */
    enum posting_outcome outcome;
    int status;          /* of POSTING_ANSWERED */
    struct slice body;   /* valid only inside `done`: copy it. Of RULE_FAILED: why, for people */
    bool replayed;       /* the answer is an earlier one */
    uint32_t batch_size; /* how many shared its batch */

    /* posting's own */
    struct posting_order *next;
    int64_t queued_at;
};

struct posting_settings {
    const char *conninfo;  /* of the database, as moolah_server */
    int lanes;             /* batches in flight: a connection each; start with 2 */
    int batch_max;         /* orders in a batch, a bulk counts as many as it has items (one with
                              more goes alone); start with 256 */
    int queue_max;         /* waiting orders, counted likewise; past it submit says no */
    unsigned stripe_first; /* system accounts: lane i uses stripe stripe_first + i */
    const currency *currencies; /* system accounts exist for these; ended by 0 */
    struct cache *cache;        /* is offered what changed; NULL: none */
    int64_t answer_timeout_us;  /* a database silent for so long is lost; 0: 30 s */
    /* Told of the accounts as a batch has left them, once it's durable and before its orders are
     * answered. NULL: nobody wants to know. */
    void (*changed)(void *owner, const struct account *accounts, size_t count);
    void *changed_owner;
};

void posting_register_metrics(void);

struct posting_queue *posting_new(struct ev_loop *loop, const struct posting_settings *settings);
void posting_free(
    struct posting_queue *queue); /* after a drain; open orders are dropped without `done` */

/* Other sizes from the next batch on. False: out of memory, the old ones stay. */
bool posting_set_sizes(struct posting_queue *queue, int batch_max, int queue_max);

/* Asked before any work is spent on a request that will become an order: false when those that wait
 * already would take more than a tenth of its deadline. Answer 503 overloaded at once then; a short
 * line keeps the promise to all others. */
bool posting_admits(const struct posting_queue *queue, int64_t deadline_us);

/* False: too much waits already; answer 503 overloaded. */
bool posting_submit(struct posting_queue *queue, struct posting_order *order);

/* Who asks for what the server does by itself (expiries). Their keys have its scope. */
extern const struct uuid posting_system_caller;

/* The bundle that prices from the next batch on; a reference is taken. */
void posting_set_bundle(struct posting_queue *queue, struct bundle *bundle);

/* The one that prices now; NULL: none yet. Borrowed until the loop goes on. */
const struct bundle *posting_bundle(const struct posting_queue *queue);

/* Of the system accounts: the first that its lanes use. */
unsigned posting_stripe(const struct posting_queue *queue);

bool posting_is_ready(
    const struct posting_queue *queue); /* some lane has a database and there is a bundle */
int posting_waiting(const struct posting_queue *queue); /* queued and in flight: 0 when drained */

#endif
