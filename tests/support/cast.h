/* Users and wallets for walks (step.h), fresh for each: made by the dozen, with SQL, as sign-up and
 * sign-in write them, without hashing a password for each. */
#ifndef SUPPORT_CAST_H
#define SUPPORT_CAST_H

#include "support/model.h"
#include "support/stack.h"

/* No day begins in their wallets' time zone before the walks are over: what is sent is sent in one
 * day. To be called once, before the first is taken. */
void cast_settle_clock(const struct stack *stack);

/* Its name: for wallets that are opened on the way. */
const char *cast_time_zone(void);

/* Into the model, and the users' access tokens. `crowded`: step_tiers. */
void cast_take(const struct stack *stack, bool crowded, struct model *model,
               char tokens[STEP_USERS][96]);

#endif
