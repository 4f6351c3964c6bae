/* Checked integer arithmetic, for C and for rules: 64-bit integers, 128 bits in between, rounding
 * always stated. */
#ifndef SCRIPTING_INTEGERS_H
#define SCRIPTING_INTEGERS_H

#include <stdbool.h>
#include <stdint.h>

struct lua_State;

enum rounding { ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN, ROUND_UP };

/* "half_up" "half_even" "down" "up" */
bool integers_parse_rounding(const char *text, enum rounding *rounding);

/* a * b / c, rounded. a, b >= 0, c > 0 (asserted). False: it doesn't fit into 64 bits. */
bool integers_muldiv(int64_t a, int64_t b, int64_t c, enum rounding rounding, int64_t *out);

/* Put muldiv(a, b, c, rounding), add(a, b), sub(a, b), min(a, b), max(a, b) into the table on top
 * of the stack; each raises an error on anything but integers, and where the result would not fit.
 */
void integers_open(struct lua_State *lua);

#endif
