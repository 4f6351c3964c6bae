/* A Lua state for rule files: an allow list, not a deny list. No I/O, no clock, no randomness, no
 * address of anything, no way to catch an error, no library function that works without the count
 * hook; memory is capped, and a spent budget stays spent.
 *
 * The instruction budget makes a verdict the same everywhere. It is not enough: one instruction can
 * copy megabytes (`a .. b`), or walk a hash chain of 100,000 keys that were chosen to collide. So
 * the thread's CPU time is looked at as well, every 100 instructions. Loading is bounded by the
 * source's length alone: a chain of `or` takes Lua's compiler time by the square of it (0.1 s for
 * 32 KiB, 5 s for 256 KiB). */
#ifndef SCRIPTING_SANDBOX_H
#define SCRIPTING_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct lua_State;
struct sandbox;

#define SANDBOX_MEMORY_MAX 8388608
#define SANDBOX_CPU_MAX_US 100000
#define SANDBOX_MESSAGE_MAX 256

/* NULL: out of memory. */
struct sandbox *sandbox_new(void);
void sandbox_free(struct sandbox *sandbox);

struct lua_State *sandbox_lua(const struct sandbox *sandbox);
size_t sandbox_memory(const struct sandbox *sandbox);

/* Instructions that may run from now on, within SANDBOX_CPU_MAX_US. Without a budget nothing is
 * counted. */
void sandbox_budget(struct sandbox *sandbox, int instructions);

/* The same for a call out of many: the CPU's clock is asked only once 100 instructions have run. */
void sandbox_rebudget(struct sandbox *sandbox, int instructions);

/* Memory it may take from now on; at first SANDBOX_MEMORY_MAX. */
void sandbox_cap(struct sandbox *sandbox, size_t most);

/* CPU time of this thread, in microseconds. */
int64_t sandbox_cpu_us(void);

/* What went wrong, in the source's line; 0: unknown. */
struct sandbox_fault {
    int line;
    char message[SANDBOX_MESSAGE_MAX];
};

/* Load a text chunk (never bytecode), and leave its function on the stack. */
bool sandbox_load(struct sandbox *sandbox, struct slice source, struct sandbox_fault *fault);

/* lua_pcall with `arguments` on the stack and `results` wanted. The error object is never given to
 * rule code again: a string is copied, anything else is "error object is no string". */
bool sandbox_call(struct sandbox *sandbox, int arguments, int results, struct sandbox_fault *fault);

#endif
