/* The live tie-out: while the server serves, a few accounts a second, one after the other, round
 * and round: does the balance stand with the last posting, and each of the newest postings follow
 * from the one before? What doesn't is drift: counted in moolah_drift_total, which must stay 0, and
 * named in the log. */
#ifndef STORE_TIE_OUT_H
#define STORE_TIE_OUT_H

#include <stdbool.h>

#include "base/uuid.h"

struct pg_pool;
struct pg_statement;

extern const struct pg_statement *const tie_out_statements[];

void tie_out_register_metrics(void); /* in the master, once */

struct tie_out {
    struct uuid last; /* the account looked at last */
    bool asked;       /* and not answered yet */
};

/* The next few accounts. Call it twice a second or so; `tie_out` must stay where it is. */
void tie_out_look(struct tie_out *tie_out, struct pg_pool *pool);

#endif
