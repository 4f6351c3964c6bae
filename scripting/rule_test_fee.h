/* Tests of what things cost: an example, and a property over a range of amounts. */
#ifndef SCRIPTING_RULE_TEST_FEE_H
#define SCRIPTING_RULE_TEST_FEE_H

struct rule_test_case;

/* example { "name", kind=, amount=, tier=, own=, fee= or lines= or refused= } */
void rule_test_fee_example(struct rule_test_case *test);

/* property { "name", kind=, amount={from, to}, tier= or tiers=, own=, refused=, check=function(tx,
 * q) }: checked at the ends, at every slab's border and its neighbours, and at amounts spread over
 * the range, the same ones every time. What fails is told of the smallest amount. */
void rule_test_fee_property(struct rule_test_case *test);

#endif
