/* A test of a product: may it be sold at that price, with those fields? */
#ifndef SCRIPTING_RULE_TEST_SALE_H
#define SCRIPTING_RULE_TEST_SALE_H

struct rule_test_case;

/* sale { "name", product=, price=, fields={ meter = "..." }, refused= }: refused by "price", or by
 * the name of a field. */
void rule_test_sale_run(struct rule_test_case *test);

#endif
