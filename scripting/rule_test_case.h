/* One test of a file of tests, while it runs: what its kinds have in common. */
#ifndef SCRIPTING_RULE_TEST_CASE_H
#define SCRIPTING_RULE_TEST_CASE_H

#include "scripting/fee.h"
#include "scripting/rule_reader.h"

struct arena;
struct rule_coverage;
struct sandbox;

#define RULE_TEST_MONEY_MAX 40

struct rule_test_case {
    struct rule_reader reader; /* its source begins at the test's line */
    struct sandbox *sandbox;
    const struct bundle *bundle;
    struct rule_coverage *coverage;
    struct arena *arena; /* freed behind the test */
    char name[101];
    int from, items; /* on Lua's stack: the named keys, what stands behind the name */
};

/* It failed, or makes no sense: told at the place where `key` stands. */
void rule_test_case_fault(struct rule_test_case *test, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* table[key] as an amount, whose currency is the test's from now on. False: absent, or wrong, which
 * was said. */
bool rule_test_case_money(struct rule_test_case *test, int table, const char *key, int64_t *minor);

/* from.tier; 0 when absent. */
int rule_test_case_tier(struct rule_test_case *test);

/* table.refused, what a test expects: a reason or part of it; "": any; NULL: none, it's to pass. */
const char *rule_test_case_refused(struct rule_test_case *test, int table);

/* "ZAR 2.50" */
void rule_test_case_format(int64_t minor, currency which, char text[RULE_TEST_MONEY_MAX]);

/* `code` as a currency. */
currency rule_test_case_currency(const struct rule_test_case *test);

#endif
