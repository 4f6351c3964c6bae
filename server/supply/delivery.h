/* What we say to an HTTP supplier, and what it may answer (docs/purchases.md is its manual). Pure:
 * bytes in, bytes out. */
#ifndef SUPPLY_DELIVERY_H
#define SUPPLY_DELIVERY_H

#include "supply/supplier.h"

#define DELIVERY_ANSWER_MAX 8192
#define DELIVERY_GOODS_MAX 8 /* texts */
#define DELIVERY_GOODS_TEXT_MAX 200

/* May a text among goods be called that? */
bool delivery_is_name(struct slice name);

/* The body of a question for goods. */
void delivery_write(const struct purchases_purchase *purchase, struct bytes *out);

/* The answer's meaning, strictly: it must be about this purchase, to the cent, and nothing else may
 * stand in it. What can't be believed is SUPPLIER_UNKNOWN. Fills in question->result, goods and
 * reference. `asks`: it was asked what became of it. */
void delivery_read(struct supplier_question *question, int status, struct slice body, bool asks);

#endif
