/* Reading a rule file: run once in a sandbox, its table read raw and strictly, and what is wrong is
 * found at the place where it stands. What a kind of rule says is its own file's business
 * (fee_file.c, limit_file.c, product.c): each embeds a struct rule_reader first. */
#ifndef SCRIPTING_RULE_READER_H
#define SCRIPTING_RULE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/slice.h"
#include "scripting/bundle.h"

struct lua_State;
struct sandbox;

#define RULE_READER_INSTRUCTIONS 100000 /* a file may run so many: 32 slabs take 300 */
#define RULE_READER_AMOUNT_MAX INT64_C(9007199254740991) /* 2^53-1: what a client may name */

/* The table being read, and how messages call it: {"slabs", 2, "slab", 2}. All zero: the file's. */
struct rule_place {
    const char *list;
    int member; /* from 1; 0: `list` is no list */
    const char *word;
    int number;
};

struct rule_reader {
    const char *file;
    struct slice source;
    struct bundle_report *report;
    struct lua_State *lua;
    bool wrong;   /* something was found; the report may be full */
    char code[4]; /* the rule's currency */
    struct rule_place place;
    bool keep;            /* `read` says: the sandbox shall live on */
    struct sandbox *kept; /* it does: the caller's; NULL: it doesn't */
};

/* A kind of file. */
struct rule_kind {
    bool (*is)(struct lua_State *lua, int at);           /* vocabulary_is_... */
    void (*read)(struct rule_reader *reader, int table); /* what it returned */
    const char *ending;                                  /* "return fee { ... }" */
};

/* Run the file and read it. False: what is wrong is in the report. */
bool rule_reader_compile(struct rule_reader *r, const struct rule_kind *kind);

/* ---- for `read`, inside one protected call (sandbox.h) */

/* A finding at the place where `key` stands in the table being read. */
void rule_reader_fault(struct rule_reader *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Push table[key], raw; returns its type. */
int rule_reader_push(struct rule_reader *r, int table, const char *key);

bool rule_reader_has(struct rule_reader *r, int table, const char *key);

void rule_reader_check_keys(struct rule_reader *r, int table, const char *const *known);

/* A text of 1..most bytes into `out`, which holds one more. */
bool rule_reader_text(struct rule_reader *r, int table, const char *key, size_t most, char *out);

/* The same, made of a-z, 0-9, '.', '_' and '-'. */
bool rule_reader_name(struct rule_reader *r, int table, const char *key, size_t most, char *out);

/* False: it isn't 1..most, that was said, and `*out` stays. */
bool rule_reader_integer(struct rule_reader *r, int table, const char *key, int64_t most,
                         int64_t *out);

/* False: absent, or neither true nor false, which was said. */
bool rule_reader_bool(struct rule_reader *r, int table, const char *key, bool *present);

/* An amount of at least `least` in the rule's currency. `*out` stays when it's absent, or something
 * else, which was said. */
void rule_reader_amount(struct rule_reader *r, int table, const char *key, int64_t least,
                        int64_t *out);

/* The same of the value on top of the stack, which must be one. */
void rule_reader_take_amount(struct rule_reader *r, const char *key, int64_t least, int64_t *out);

/* The rule's currency, which becomes r->code. 0: none, and that was said. */
currency rule_reader_currency(struct rule_reader *r, int table);

/* What all rules have. */
struct rule_head {
    char id[48];
    int64_t version;
    char owner[64];
    char name[64]; /* "transfer.p2p@3" */
};
void rule_reader_head(struct rule_reader *r, int table, struct rule_head *head);

/* How many members a list has: 1, 2, ... without a gap and nothing else. -1: it's no list, or has
 * more than `most`. */
int rule_reader_list_length(struct rule_reader *r, int table, int most);

#endif
