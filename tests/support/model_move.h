/* The model's part about money that moves. */
#ifndef SUPPORT_MODEL_MOVE_H
#define SUPPORT_MODEL_MOVE_H

#include "support/model.h"

/* Of a STEP_DEPOSIT .. STEP_REVERSAL without a flaw. */
void model_move_expect(struct model *model, const struct step *step,
                       struct model_expected *expected);

/* How far a limit of the wallet is used; `count`: by number, not by sum. */
int64_t model_move_used(const struct model_wallet *wallet, const struct model_rules_cap *cap,
                        bool count);

bool model_move_is_frozen(const struct model *model, int wallet);

#endif
