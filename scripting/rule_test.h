/* Runs the tests that stand beside the rules: `transfer.fee.lua` has `transfer.fee_test.lua`, which
 * returns tests { example { ... }, property { ... }, sequence { ... }, sale { ... } }. They run in
 * a sandbox as rules do, against the whole bundle. docs/rules.md teaches the words. */
#ifndef SCRIPTING_RULE_TEST_H
#define SCRIPTING_RULE_TEST_H

#include "scripting/bundle.h"

struct rule_coverage;

struct rule_test_result {
    size_t files;
    size_t passed;
    size_t failed;
    bool good;                   /* nothing failed, and every file made sense */
    struct bundle_report report; /* why not */
};

/* All *_test.lua of the folder that `bundle` was loaded from, in the order of their names. The
 * coverage is added to. The zones are open (base/zone.h). */
void rule_test_run(const char *directory, const struct bundle *bundle,
                   struct rule_coverage *coverage, struct rule_test_result *result);

#endif
