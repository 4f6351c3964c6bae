/* What a refusal says of the limit that it broke: the same in answers about movements, and about
 * the holds of purchases. */
#ifndef SUPPLY_BREACH_H
#define SUPPLY_BREACH_H

#include "base/clock.h"
#include "http/problem.h"
#include "ledger/limit.h"

/* Outlives the problem: its extras point here. */
struct breach_text {
    char which[32];
    char resets_at[CLOCK_TEXT_MAX];
};

/* Which limit; and, only if its `owner` is told, what is left of it. What a wallet holds or has
 * sent is nobody's business but its owner's. */
void breach_add(struct problem *problem, const struct limit_breach *breach, bool owner,
                struct breach_text *text);

#endif
