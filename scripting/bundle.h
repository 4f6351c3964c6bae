/* A bundle: one immutable set of rule files, compiled, under the SHA-256 of what they say. Built
 * aside, checked whole; a bundle that exists is good. */
#ifndef SCRIPTING_BUNDLE_H
#define SCRIPTING_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/currency.h"
#include "base/slice.h"

#define BUNDLE_FILES_MAX 500
#define BUNDLE_FILE_SIZE_MAX 32768 /* bytes: what Lua's compiler may take is the square of it */
#define BUNDLE_SIZE_MAX 4194304    /* of all files together, with their names */
#define BUNDLE_CPU_MAX_US 1000000  /* for all files together: a worker stands still meanwhile */
#define BUNDLE_NAME_MAX 64
#define BUNDLE_PATH_MAX 256
#define BUNDLE_FINDINGS_MAX 16

/* Something wrong, for people: "rules/transfer.fee.lua:12:5: unknown key 'flatt'; did you mean
 * 'flat'?" */
struct bundle_finding {
    char file[BUNDLE_PATH_MAX];
    int line;   /* from 1; 0: the file as a whole */
    int column; /* from 1; 0: unknown */
    char message[200];
};

struct bundle_report {
    struct bundle_finding findings[BUNDLE_FINDINGS_MAX];
    size_t count; /* more than fit are left out */
};

/* Printable whatever a file says: a control character or a byte that is no UTF-8 becomes '?'. */
void bundle_report_add(struct bundle_report *report, const char *file, int line, int column,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

bool bundle_report_is_full(const struct bundle_report *report);

struct bytes;
void bundle_report_write(const struct bundle_report *report, struct bytes *out); /* a line each */

struct bundle;

/* All *.fee.lua, *.limit.lua and *.product.lua of `directory` (its *_test.lua, *.md and hidden
 * files are passed over). Only regular files of UTF-8, no links. NULL: the report says why; nothing
 * else has changed. The reference is the caller's. */
struct bundle *bundle_load(const char *directory, struct bundle_report *report);

/* The same bundle again, from another's image: the files' names and contents as they are hashed. An
 * image is bundle_image's, not anybody's bytes: it's trusted to be well-formed. */
struct bundle *bundle_from_image(struct slice image, struct bundle_report *report);
struct slice bundle_image(const struct bundle *bundle);

void bundle_retain(struct bundle *bundle);
void bundle_release(struct bundle *bundle); /* NULL is fine */

const uint8_t *bundle_hash(const struct bundle *bundle); /* 32 bytes */
size_t bundle_rule_count(const struct bundle *bundle);   /* fees */
size_t bundle_limit_count(const struct bundle *bundle);

/* What a wallet of that tier and currency may send and hold; no caps where no file says anything.
 * Lives as long as the bundle. */
struct limit_caps;
bool bundle_has_rolling(const struct bundle *bundle); /* any rolling window, of whomever */
const struct limit_caps *bundle_caps(const struct bundle *bundle, int tier, currency which);
size_t bundle_product_count(const struct bundle *bundle);

/* The files as JSON, {"name": "content", ...}, to be stored: what priced a transaction can be read
 * years later. */
void bundle_write_files(const struct bundle *bundle, struct bytes *out);

struct fee_rule;
const struct fee_rule *
bundle_fee_rules(const struct bundle *bundle); /* bundle_rule_count of them */

struct limit_rule;
const struct limit_rule *bundle_limit_rules(const struct bundle *bundle);

struct product;
const struct product *bundle_products(const struct bundle *bundle);

/* What a file of the bundle says; {NULL,0}: it has none of that name. */
struct slice bundle_source(const struct bundle *bundle, const char *file);

/* Read one file as rule files are read: regular, no link, UTF-8, within its size. Its length; -1:
 * the report says why not. */
ssize_t bundle_read_file(int directory, const char *name, char text[BUNDLE_FILE_SIZE_MAX + 1],
                         struct bundle_report *report);

#endif
