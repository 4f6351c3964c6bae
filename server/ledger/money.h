/* Money: a signed 64-bit count of minor units. Checked arithmetic only, no floating point. An
 * amount a client may name is 1 .. 2^53-1 (what every JSON reader keeps exact); a wallet's balance
 * stays in that range, too. */
#ifndef LEDGER_MONEY_H
#define LEDGER_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"

#define MONEY_MAX INT64_C(9007199254740991)

struct money {
    int64_t minor;
    currency currency;
};

/* False when the result would not fit; `*out` is untouched then. */
bool money_add(int64_t a, int64_t b, int64_t *out);

/* total * part / whole, rounded down; 0 <= part <= whole, whole > 0, total >= 0. */
int64_t money_share(int64_t total, int64_t part, int64_t whole);

static inline bool money_is_amount(int64_t minor)
{
    return minor >= 1 && minor <= MONEY_MAX;
}

#endif
