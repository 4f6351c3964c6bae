/* A Lua state for rule files: an allow list, not a deny list. No I/O, no clock, no randomness, no
 * way to catch an error, no library function that works without the count hook; memory is capped,
 * and a spent instruction budget stays spent. */
#ifndef SCRIPTING_SANDBOX_H
#define SCRIPTING_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct lua_State;
struct sandbox;

#define SANDBOX_MEMORY_MAX (8 * 1024 * 1024)
#define SANDBOX_MESSAGE_MAX 256

/* NULL: out of memory. */
struct sandbox *sandbox_new(void);
void sandbox_free(struct sandbox *sandbox);

struct lua_State *sandbox_lua(const struct sandbox *sandbox);
size_t sandbox_memory(const struct sandbox *sandbox);

/* Instructions that may run from now on. */
void sandbox_budget(struct sandbox *sandbox, int instructions);

/* Load a text chunk (never bytecode) as `name`, and leave its function on the stack. False: message
 * is "line: what", or "what". */
bool sandbox_load(struct sandbox *sandbox, const char *name, struct slice source,
                  char message[SANDBOX_MESSAGE_MAX]);

/* lua_pcall with `arguments` on the stack and `results` wanted. The error object is never given to
 * rule code again: a string is copied, anything else is "error object is no string". */
bool sandbox_call(struct sandbox *sandbox, int arguments, int results,
                  char message[SANDBOX_MESSAGE_MAX]);

#endif
