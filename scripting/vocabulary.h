/* The words of rule files: `fee { ... }`, `limit { ... }`, `product { ... }`, amounts (`ZAR
 * "100.00"`) and rates (`pct "0.90"`). They become integers at load; digits are checked against the
 * currency. Each is a small table: {amount=, code=} or {ppm=}. */
#ifndef SCRIPTING_VOCABULARY_H
#define SCRIPTING_VOCABULARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/slice.h"

struct lua_State;

/* Give the globals table the words. Currencies come on demand: any ISO 4217 code is one. */
void vocabulary_open(struct lua_State *lua);

/* Take the words that make a file's table away again, with what they made last. */
void vocabulary_forget(struct lua_State *lua);

/* "100", "100.5", "100.50" with at most `digits` decimals, as an integer of 10^-digits. Not
 * negative. False: it's none, or too large. */
bool vocabulary_decimal(struct slice text, int digits, int64_t *out);

/* Is the value at `at` what the last `fee { }`, the last `limit { }` made? */
bool vocabulary_is_fee(struct lua_State *lua, int at);
bool vocabulary_is_limit(struct lua_State *lua, int at);
bool vocabulary_is_product(struct lua_State *lua, int at);

#endif
