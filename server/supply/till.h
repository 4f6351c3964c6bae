/* The till: drives purchases from row to row, each step repeatable.
 *
 *     reserved    hold the money                      refused: the end, the voucher is free again
 *     held        write down that the supplier is asked, then ask it
 *     delivering  found by another driver: nobody knows whether it was asked: unknown
 *     unknown     ask what became of it, ever more seldom; never heard of it: ask for it again
 *     delivered   the goods are in the row, sealed: capture the money
 *     voiding     there are none: give the hold up
 *     captured, voided, refused    the end
 *
 * Never charged without goods: only what is delivered is captured. Never served without charge:
 * only what is captured is given out, and until then the money is held; its hold is nobody else's
 * to end and outlasts any question. The orders' keys are made of the purchase's id, so each happens
 * once, whoever asks. A worker drives what came to it; slot 0 looks every second for what is due
 * because its driver died, or because it waits for its supplier. */
#ifndef SUPPLY_TILL_H
#define SUPPLY_TILL_H

#include "store/purchases.h"
#include "supply/supplier.h"

struct ev_loop;
struct outbound;
struct posting_queue;
struct till;

#define TILL_SUPPLIERS_MAX 16

struct till_settings {
    struct pg_pool *pool;
    struct posting_queue *posting;
    struct outbound *outbound;
    const uint8_t *key;           /* 32 bytes: seals goods; borrowed */
    const char *const *suppliers; /* supplier_parse's texts, ended by NULL */
    unsigned stripe;              /* of the suppliers' accounts, for new purchases */
    int64_t timeout_us;           /* of one question to a supplier */
    bool sweeps;                  /* slot 0 */
};

void till_register_metrics(void);

/* NULL: out of memory. */
struct till *till_new(struct ev_loop *loop, const struct till_settings *settings);
void till_free(struct till *till); /* what it drives goes on with the next sweep */
void till_stop(struct till *till); /* take up nothing that is due */
bool till_is_idle(const struct till *till);

/* May a purchase from it begin? False: there is no such supplier, or its breaker is shut. */
bool till_admits(struct till *till, const char *supplier);

/* How long the driver of a purchase has it for itself: purchases_create's next_at. */
#define TILL_LEASE_US (INT64_C(60) * 1000000)

/* Who waits for a purchase's end; stays where it is until `done`, which comes once: at its end, at
 * the deadline, or when it has to wait longer than that. */
struct till_ticket {
    void (*done)(struct till_ticket *ticket);
    struct arena *arena;                /* of the answer */
    int64_t deadline;                   /* monotonic us */
    struct purchases_purchase purchase; /* as it then is */
};

/* Drive a new purchase. Its bytes are copied. False: too much at once; the sweep will see to it,
 * and `done` isn't called. */
bool till_drive(struct till *till, const struct purchases_purchase *purchase,
                struct till_ticket *ticket);

/* While it's younger its supplier may still be asked for it, or the question be on its way: nobody
 * decides what became of it. */
#define TILL_OPEN_US (INT64_C(360) * 1000000)

/* The account that a supplier's money goes to, for a new purchase. */
struct uuid till_account(const struct till *till, currency which);

#endif
