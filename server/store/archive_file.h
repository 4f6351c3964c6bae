/* A file of an archive: what COPY says, a line per row, compressed by gzip; with the SHA-256 of
 * both, the lines (what counts) and the file (what sha256sum says). Blocking: for the command line.
 */
#ifndef STORE_ARCHIVE_FILE_H
#define STORE_ARCHIVE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/crypto.h"

struct archive_file;

struct archive_file_sum {
    uint8_t content[CRYPTO_HASH_SIZE];
    uint8_t file[CRYPTO_HASH_SIZE]; /* only archive_file_check */
    int64_t rows;
};

/* A new file, in place of an old one of that name. NULL: errno says why. */
struct archive_file *archive_file_create(const char *path);
bool archive_file_write(struct archive_file *file, const void *data, size_t length);

/* NULL: errno says why. */
struct archive_file *archive_file_open(const char *path);
/* 0: its end. -1: it can't be read, or is damaged. */
ssize_t archive_file_read(struct archive_file *file, void *data, size_t size);

/* The end of either; what was written is on the disk then. The sum is of what passed. False: it
 * isn't all there. NULL is fine, and false. */
bool archive_file_close(struct archive_file *file, struct archive_file_sum *sum);

/* Read one from end to end. False: it can't be read, or is damaged. */
bool archive_file_check(const char *path, struct archive_file_sum *sum);

/* `data` as a whole small file: written aside, on the disk, then given its name. */
bool archive_file_put(const char *folder, const char *name, const void *data, size_t length);

#endif
