/* The configuration: a Lua file that returns one table, read into a C struct by a static list of
 * what is known. All that is wrong is said at once, with file and line. The file can do nothing but
 * compute, in a sandbox: env "NAME" reads the environment, file "PATH" a secret of at most 4 KiB
 * from a regular file; there is no other way out. */
#ifndef SCRIPTING_SETTINGS_H
#define SCRIPTING_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scripting/bundle.h"

struct arena;

enum settings_kind {
    SETTINGS_TEXT,    /* const char * */
    SETTINGS_INTEGER, /* int64_t */
    SETTINGS_NUMBER,  /* double */
    SETTINGS_BOOL,    /* bool */
    SETTINGS_LIST     /* const char **, ended by NULL: texts */
};

struct settings_item {
    const char *path; /* "listen.public": a member of a table in the table */
    enum settings_kind kind;
    size_t offset;         /* in the struct */
    const char *otherwise; /* the default as it would stand in the file; NULL: required */
    double least, most;    /* of numbers */
    const char *help;
};

/* Read `path` into `out` by `items` (ended by a NULL path). Texts lie in the arena. False: the
 * report says what is wrong. */
bool settings_read(const char *path, const struct settings_item *items, void *out,
                   struct arena *arena, struct bundle_report *report);

/* A sample file with every setting, its default and its help. */
struct bytes;
void settings_describe(const struct settings_item *items, struct bytes *out);

#endif
