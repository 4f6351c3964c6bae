/* What each kind of movement does, as a small table of functions: which accounts it needs, what
 * speaks against it, what it posts. order.c takes every order through them in the same way:
 *
 *     find the parties -> check (everything that can say no) -> post (cannot fail) -> answer */
#ifndef POSTING_ORDER_KIND_H
#define POSTING_ORDER_KIND_H

#include "ledger/book.h"
#include "ledger/limit.h"
#include "ledger/refund.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "posting/posting.h"

/* One order on its way through the decision. */
struct decision {
    const struct posting_order *order;
    const struct batch_terms *terms;
    struct transfer transfer;        /* parties, amount and fee */
    struct subject *subject;         /* NULL: it needs none, or there is none */
    struct refund_original original; /* of a refund or reversal */
    struct hold hold;                /* the one it makes */
    struct fee_facts facts;
    struct slice pricing; /* JSON: what is stored with the transaction */
    struct slice priced_facts;
    const uint8_t *bundle;
    int64_t remaining;          /* what could still have been asked for */
    bool priced;                /* a rule was asked */
    bool failed;                /* and had no answer */
    bool early;                 /* not yet: nothing is remembered */
    bool unsound;               /* an account's counters can't be: nothing moves */
    struct account *counted;    /* whose counters it changes; NULL: nobody's */
    struct limit_breach breach; /* of LIMIT_EXCEEDED */
    enum refusal refusal;
    struct fee_decision fee; /* last: a kilobyte of which only its head is emptied */
};

struct order_kind {
    enum account_kind from; /* ACCOUNT_SETTLEMENT: the lane's own; 0: order->from */
    enum account_kind to;   /* likewise */
    bool leaves_to;         /* the receiver isn't even looked at */
    bool fees;              /* the fees may be touched */
    bool subject;           /* it's about something earlier, and linked to it */
    bool derived;           /* its receipt is derived from its transaction, not kept */
    void (*check)(struct decision *d);
    bool (*price)(struct decision *d, struct arena *arena); /* what is stored; false: no memory */
    int (*post)(struct decision *d, const struct uuid *id, struct posting *postings);
};

/* Before a decision is used. order.c */
void order_begin(struct decision *d, const struct posting_order *order,
                 const struct batch_terms *terms);

/* Everything that can say no, but for the limits: d->refusal. False: there is no answer, but
 * ink->outcome. order.c */
bool order_check(struct decision *d, struct book *book, struct order_ink *ink);

/* Take d->order through its decision, all but the answer. ink->outcome is what came of it;
 * answered: d->refusal, or it's written down and has its id. False: out of memory, nothing moved.
 * order.c */
bool order_run(struct decision *d, struct book *book, struct order_ink *ink, struct uuid *id);

/* The order that an item of a bulk is. order_bulk.c */
void order_bulk_item(const struct posting_order *bulk, size_t at, struct posting_order *item);

/* order_decide for a bulk. order_bulk.c */
bool order_bulk_decide(const struct posting_order *bulk, const struct batch_terms *terms,
                       struct book *book, struct order_ink *ink, struct ledger_key *key);

/* order_move.c */
extern const struct order_kind order_move_deposit, order_move_transfer, order_move_withdrawal;
/* order_hold.c */
extern const struct order_kind order_hold_place, order_hold_capture, order_hold_void,
    order_hold_expiry;
/* order_refund.c */
extern const struct order_kind order_refund_refund, order_refund_reversal;

/* order_limit.c: what the caps say. Then, once nothing speaks against it: get the counters ready
 * that it will change, and change them once it has its id. False: out of memory. */
struct order_ink;
bool order_limit_check(struct decision *d, struct order_ink *ink);
bool order_limit_prepare(struct decision *d, struct order_ink *ink);
void order_limit_count(struct decision *d, struct order_ink *ink, const struct uuid *id);

/* What it costs, by the rules for `kind`: d->transfer.fee, or a refusal, or d->failed. A rule that
 * fails refuses the movement: it never makes it free. */
void order_price_ask(struct decision *d, const char *kind);

/* Has the bundle rules of that kind? A fee for it is then never free by accident. */
bool order_price_has(const struct decision *d, const char *kind);

/* What is stored with the transaction. False: out of memory. */
struct arena;
bool order_price_write(struct decision *d, struct arena *arena);

/* The lines that order_price_write wrote. False: out of memory. */
bool order_price_read(struct slice pricing, struct arena *arena, struct fee_decision *fee);

/* The same for a capture: the lines of its hold; of a partner's scaled to the part. They sum to its
 * fee. */
bool order_price_capture(struct decision *d, struct arena *arena);

#endif
