/* One purchase on its way: what the till's driver does next. sale.c decides, till.c has the rows,
 * the timers and the list of all. */
#ifndef SUPPLY_SALE_H
#define SUPPLY_SALE_H

#include <ev.h>

#include "base/arena.h"
#include "posting/posting.h"
#include "store/purchases.h"
#include "supply/supplier.h"
#include "supply/till.h"

struct sale {
    struct posting_order order;     /* first */
    struct supplier_question asked; /* one thing at a time: an order, a question, a step */
    struct purchases_question question;
    struct purchases_purchase purchase;
    struct till *till;
    struct till_ticket *ticket; /* NULL: nobody waits */
    ev_timer timer;             /* until the ticket's deadline */
    struct arena arena;
    int64_t lease_end;      /* monotonic us: another may drive it then; 0: no step has said */
    int64_t lease_end_wall; /* Unix us: the same, for a machine that was asleep */
    bool found;             /* by the sweep: how far its last driver got is not known */
    bool again;             /* the supplier was asked for it before */
    bool resting;           /* after this step nothing more for now */
    char key[UUID_TEXT_MAX + 24];
    char reference[UUID_TEXT_MAX];
    struct sale *next, *previous;
};

/* Do the next thing. Its answer comes later, and goes on; or the sale is left. */
void sale_advance(struct sale *sale);

/* of till.c */
void till_leave(struct sale *sale); /* and it's gone */
void till_move(struct sale *sale, struct purchases_step step);
void till_rest(struct sale *sale, struct purchases_step step, int64_t delay_us);
bool till_submit(struct sale *sale);
void till_note_stuck(const struct sale *sale);
struct supplier *till_supplier(struct sale *sale);       /* NULL: the configuration has none */
bool till_has_time(const struct sale *sale, int64_t us); /* so much is left of the lease */
const uint8_t *till_key(const struct sale *sale);

#endif
