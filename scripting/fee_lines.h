/* What a fee file says about the price: its one line ("fee"), or its `lines`. */
#ifndef SCRIPTING_FEE_LINES_H
#define SCRIPTING_FEE_LINES_H

#include "scripting/fee_rule.h"

struct rule_reader;

/* From the file's table into rule->lines and rule->slabs. What is wrong is said. */
void fee_lines_read(struct rule_reader *r, int table, struct fee_rule *rule);

#endif
