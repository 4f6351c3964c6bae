/* ISO 4217: the currencies a wallet can be in, and how many digits their minor unit has. */
#ifndef BASE_CURRENCY_H
#define BASE_CURRENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Three capital letters as one number, so that currencies compare with ==: "ZAR" is 0x5A4152. 0 is
 * none. */
typedef uint32_t currency;

#define CURRENCY_ZAR ((currency)0x5A4152)

/* 0 when `code` isn't one of the table's (case matters). */
currency currency_parse(struct slice code);

void currency_text(currency which, char text[4]);

/* Digits of the minor unit: ZAR 2, JPY 0, KWD 3. */
int currency_digits(currency which);

#endif
