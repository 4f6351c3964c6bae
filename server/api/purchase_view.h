/* A purchase as its buyer sees it. */
#ifndef API_PURCHASE_VIEW_H
#define API_PURCHASE_VIEW_H

#include "api/call.h"
#include "store/purchases.h"

/* Answer it: as it is, with its goods once it's captured; a refusal as the problem it was. `made`:
 * for the request that makes it (201, and 202 while it's under way), else 200. */
enum flow_verdict purchase_view_answer(struct call *call, const struct purchases_purchase *purchase,
                                       bool made);

#endif
