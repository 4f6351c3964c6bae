/* A bundle: one immutable set of rule files, compiled, under the SHA-256 of what they say. Built
 * aside, checked whole; a bundle that exists is good. */
#ifndef SCRIPTING_BUNDLE_H
#define SCRIPTING_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define BUNDLE_FILES_MAX 500
#define BUNDLE_FILE_SIZE_MAX (256 * 1024)
#define BUNDLE_NAME_MAX 64
#define BUNDLE_FINDINGS_MAX 16

/* Something wrong, for people: "rules/transfer.fee.lua:12:5: unknown key 'flatt'; did you mean
 * 'flat'?" */
struct bundle_finding {
    char file[BUNDLE_NAME_MAX];
    int line;   /* from 1; 0: the file as a whole */
    int column; /* from 1; 0: unknown */
    char message[200];
};

struct bundle_report {
    struct bundle_finding findings[BUNDLE_FINDINGS_MAX];
    size_t count; /* more than fit are left out */
};

void bundle_report_add(struct bundle_report *report, const char *file, int line, int column,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

struct bytes;
void bundle_report_write(const struct bundle_report *report, struct bytes *out); /* a line each */

struct bundle;

/* All *.fee.lua of `directory` (its *_test.lua, *.md and hidden files are passed over). Only
 * regular files, no links. NULL: the report says why; nothing else has changed. The reference is
 * the caller's. */
struct bundle *bundle_load(const char *directory, struct bundle_report *report);

void bundle_retain(struct bundle *bundle);
void bundle_release(struct bundle *bundle); /* NULL is fine */

const uint8_t *bundle_hash(const struct bundle *bundle); /* 32 bytes */
size_t bundle_rule_count(const struct bundle *bundle);

/* The files as JSON, {"name": "content", ...}, to be stored: what priced a transaction can be read
 * years later. */
void bundle_write_files(const struct bundle *bundle, struct bytes *out);

struct fee_rule;
const struct fee_rule *
bundle_fee_rules(const struct bundle *bundle); /* bundle_rule_count of them */

#endif
