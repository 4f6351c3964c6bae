/* A *.limit.lua file: run once in a sandbox, checked, compiled to a struct limit_rule. Nothing of
 * Lua is left afterwards. */
#ifndef SCRIPTING_LIMIT_FILE_H
#define SCRIPTING_LIMIT_FILE_H

#include "scripting/limit_rule.h"

/* False: what is wrong is in the report. The caps name the rule: it must not move afterwards. */
bool limit_file_compile(const char *file, struct slice source, struct limit_rule *rule,
                        struct bundle_report *report);

#endif
