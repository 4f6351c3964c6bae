/* A fee rule's `adjust = function(tx, q, m) ... end`: what a table can't say. The function lives
 * on, compiled, in a sandbox of its own, and is a function of its facts alone: everything that it
 * can reach is frozen before its first call, and a local that it changes is put back and the call
 * fails. It may run ADJUST_INSTRUCTIONS in ADJUST_MEMORY_MAX bytes; both are counted, so a verdict
 * is the same on every machine. The sandbox's CPU time is only the last resort. */
#ifndef SCRIPTING_ADJUST_H
#define SCRIPTING_ADJUST_H

#include "scripting/fee_rule.h"

#define ADJUST_INSTRUCTIONS 5000
#define ADJUST_MEMORY_MAX 262144
#define ADJUST_KEPT_MAX 131072 /* of it, what its file's locals may take */

struct lua_State;
struct sandbox;
struct sandbox_fault;

/* Inside a protected call: the function on top of the stack becomes the one that adjust_new makes
 * an adjust of. Popped. */
void adjust_mark(struct lua_State *lua);

/* For that rule, whose lines are there. Takes the sandbox in any case. NULL: `fault` says why. */
struct adjust *adjust_new(struct sandbox *sandbox, struct fee_rule *rule,
                          struct sandbox_fault *fault);
void adjust_free(struct adjust *adjust); /* NULL is fine */

size_t adjust_memory(const struct adjust *adjust); /* bytes */

enum adjust_outcome { ADJUST_DONE, ADJUST_DENIED, ADJUST_FAILED };

/* What rule->adjust makes of the rule's lines. A line that it doesn't name, but computed of one
 * that it changed, is computed again. DENIED, FAILED: `fault` has the reason, and the lines stay.
 */
enum adjust_outcome adjust_lines(const struct fee_rule *rule, const struct fee_facts *facts,
                                 int64_t lines[FEE_LINES_MAX], struct sandbox_fault *fault);

#endif
