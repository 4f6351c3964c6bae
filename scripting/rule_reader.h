/* Reading a rule file's table, raw and strictly: what is wrong is found at the place where it
 * stands. Everything here runs inside one protected call (sandbox.h). */
#ifndef SCRIPTING_RULE_READER_H
#define SCRIPTING_RULE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "scripting/bundle.h"

struct lua_State;

struct rule_reader {
    struct lua_State *lua;
    const char *file;
    struct slice source;
    struct bundle_report *report;
    bool wrong;       /* something was found; the report may be full */
    char code[4];     /* the rule's currency */
    const char *list; /* the one whose member is being read; NULL: none */
    int member;       /* from 1 */
};

/* A finding at the place where `key` stands in the table being read. */
void rule_reader_fault(struct rule_reader *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Push table[key], raw; returns its type. */
int rule_reader_push(struct rule_reader *r, int table, const char *key);

void rule_reader_check_keys(struct rule_reader *r, int table, const char *const *known);

/* A text of 1..most bytes into `out`, which holds one more. */
bool rule_reader_text(struct rule_reader *r, int table, const char *key, size_t most, char *out);

/* The same, made of a-z, 0-9, '.', '_' and '-'. */
bool rule_reader_name(struct rule_reader *r, int table, const char *key, size_t most, char *out);

/* least..most; -1: it's something else, and that was said. */
int64_t rule_reader_integer(struct rule_reader *r, int table, const char *key, int64_t least,
                            int64_t most);

/* The value at `at`: an amount above zero in the rule's currency. -1: it's something else. */
int64_t rule_reader_amount(struct rule_reader *r, int at, const char *key);

/* How many members a list has: 1, 2, ... without a gap and nothing else. -1: it's no list, or has
 * more than `most`. */
int rule_reader_list_length(struct rule_reader *r, int table, int most);

#endif
