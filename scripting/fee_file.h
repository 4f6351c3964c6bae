/* A *.fee.lua file: run once in a sandbox, checked, compiled to a struct fee_rule. Nothing of Lua
 * is left afterwards, but its adjust if it has one. */
#ifndef SCRIPTING_FEE_FILE_H
#define SCRIPTING_FEE_FILE_H

#include "scripting/fee_rule.h"

/* What a compiled rule has beside itself. */
void fee_file_release(struct fee_rule *rule);

/* False: what is wrong is in the report. */
bool fee_file_compile(const char *file, struct slice source, struct fee_rule *rule,
                      struct bundle_report *report);

#endif
