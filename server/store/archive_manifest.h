/* The manifest of an archive, manifest.json: what its files must be. */
#ifndef STORE_ARCHIVE_MANIFEST_H
#define STORE_ARCHIVE_MANIFEST_H

#include <stdbool.h>

#include "base/slice.h"
#include "store/archive_file.h"

#define ARCHIVE_FORMAT 1
#define ARCHIVE_MANIFEST "manifest.json"

enum { ARCHIVE_TRANSACTIONS, ARCHIVE_POSTINGS, ARCHIVE_TABLES };

struct archive_table {
    char columns[2000]; /* as COPY takes them: "id","kind",... */
    struct archive_file_sum sum;
    char first_id[40], last_id[40]; /* of a transaction; "" when it's empty */
};

struct archive_manifest {
    char month[8];
    struct archive_table tables[ARCHIVE_TABLES];
};

/* "transactions", and "transactions.copy.gz" */
const char *archive_manifest_table(int table);
const char *archive_manifest_file(int table);

struct bytes;
void archive_manifest_write(const struct archive_manifest *manifest, struct bytes *out);

/* False: `error` says what is wrong with it. */
bool archive_manifest_read(struct slice text, struct archive_manifest *manifest, char error[160]);

#endif
