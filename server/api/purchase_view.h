/* A purchase as its buyer sees it, and as operators do. */
#ifndef API_PURCHASE_VIEW_H
#define API_PURCHASE_VIEW_H

#include "api/call.h"
#include "store/purchases.h"

/* Answer it: as it is, with its goods once it's captured; a refusal as the problem it was. `made`:
 * for the request that makes it (201, and 202 while it's under way), else 200. */
enum flow_verdict purchase_view_answer(struct call *call, const struct purchases_purchase *purchase,
                                       bool made);

/* The same as a member of a list. False: its goods can't be opened, or out of memory. */
bool purchase_view_write(struct json_writer *writer, const struct call *call,
                         const struct purchases_purchase *purchase);

/* For operators: where it's from, and what was decided about it; its goods are nothing to them. */
void purchase_view_write_for_operator(struct json_writer *writer,
                                      const struct purchases_purchase *purchase);

#endif
