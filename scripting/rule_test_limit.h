/* A test of limits: what one wallet moves, one movement after the other. */
#ifndef SCRIPTING_RULE_TEST_LIMIT_H
#define SCRIPTING_RULE_TEST_LIMIT_H

struct rule_test_case;

/* sequence { "name", tier=, { send=, kind=, after=, times=, refused= }, { receive= }, ... }: it
 * begins on a Monday that is a month's first day, at midnight in Johannesburg; `after` is the time
 * since the movement before. What is refused isn't counted. The zones are open (base/zone.h). */
void rule_test_limit_sequence(struct rule_test_case *test);

#endif
