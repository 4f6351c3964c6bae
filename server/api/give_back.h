/* What refunds and reversals have in common: the original is read first, with everything of it that
 * never changes; what of it went back already is posting's business, under the lock. */
#ifndef API_GIVE_BACK_H
#define API_GIVE_BACK_H

#include "api/movement.h"
#include "store/history.h"

struct give_back {
    struct call call;
    struct movement movement;
    struct wallets_question question;
    struct history_question archive;
};

struct give_back *give_back_of(struct flow *flow);

/* Steps: read the original; when it isn't here, is its month archived? Report what posting said.
 */
enum flow_verdict give_back_ask_original(struct flow *flow);
enum flow_verdict give_back_ask_archive(struct flow *flow);
enum flow_verdict give_back_report(struct flow *flow);

/* The original that was found, or NULL: there is none. */
const struct wallets_transaction *give_back_original(const struct give_back *op);

/* Ask posting. `original`: NULL refuses there, so that it's remembered under the key; but in an
 * archived month it may be there again tomorrow, and only a key that is known has an answer. */
enum flow_verdict give_back_ask_posting(struct give_back *op,
                                        const struct wallets_transaction *original);

#endif
