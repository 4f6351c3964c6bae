#include "store/archive_file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"

#define PIECE 65536

struct archive_file {
    gzFile stream;
    int disk; /* the same file, to be synced; -1: it is read */
    bool failed;
    int64_t rows;
    struct crypto_sum content;
};

static struct archive_file *start(int fd, const char *mode)
{
    struct archive_file *file = memory_alloc(sizeof *file);
    if (file != NULL && fd >= 0)
        file->stream = gzdopen(fd, mode);
    if (file == NULL || file->stream == NULL) {
        if (fd >= 0)
            close(fd);
        memory_free(file);
        return NULL;
    }
    file->disk = -1;
    crypto_sum_begin(&file->content);
    return file;
}

struct archive_file *archive_file_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct archive_file *file = fd < 0 ? NULL : start(fd, "wb6");
    if (file == NULL)
        return NULL;
    file->disk = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    file->failed = file->disk < 0;
    return file;
}

struct archive_file *archive_file_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? NULL : start(fd, "rb");
}

/* COPY's text format escapes line ends in values: each that is left ends a row. */
static void pass(struct archive_file *file, const char *data, size_t length)
{
    crypto_sum_add(&file->content, data, length);
    for (size_t i = 0; i < length; i++)
        file->rows += data[i] == '\n';
}

bool archive_file_write(struct archive_file *file, const void *data, size_t length)
{
    assert(length <= INT32_MAX);
    pass(file, data, length);
    if (length > 0 && gzwrite(file->stream, data, (unsigned)length) != (int)length)
        file->failed = true;
    return !file->failed;
}

ssize_t archive_file_read(struct archive_file *file, void *data, size_t size)
{
    assert(size <= INT32_MAX);
    int got = gzread(file->stream, data, (unsigned)size);
    if (got < 0)
        file->failed = true;
    else
        pass(file, data, (size_t)got);
    return got;
}

bool archive_file_close(struct archive_file *file, struct archive_file_sum *sum)
{
    if (file == NULL)
        return false;
    bool good = gzclose(file->stream) == Z_OK && !file->failed;
    if (file->disk >= 0) {
        good = fsync(file->disk) == 0 && good;
        good = close(file->disk) == 0 && good;
    }
    sum->rows = file->rows;
    crypto_sum_end(&file->content, sum->content);
    memory_free(file);
    return good;
}

static bool hash_file(const char *path, uint8_t hash[CRYPTO_HASH_SIZE])
{
    static char piece[PIECE];
    struct crypto_sum sum;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    crypto_sum_begin(&sum);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        crypto_sum_add(&sum, piece, got);
    crypto_sum_end(&sum, hash);
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

bool archive_file_check(const char *path, struct archive_file_sum *sum)
{
    static char piece[PIECE];
    ssize_t got = -1;
    struct archive_file *file = archive_file_open(path);
    if (file == NULL)
        return false;
    while ((got = archive_file_read(file, piece, sizeof piece)) > 0)
        continue;
    return archive_file_close(file, sum) && got == 0 && hash_file(path, sum->file);
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

bool archive_file_put(const char *folder, const char *name, const void *data, size_t length)
{
    char path[1200];
    char aside[1200];
    char parent[1200];
    snprintf(parent, sizeof parent, "%s/..", folder); /* the folder may be new */
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(aside, sizeof aside, "%s/%s.new", folder, name);
    FILE *file = fopen(aside, "wbe");
    if (file == NULL)
        return false;
    bool good = fwrite(data, 1, length, file) == length;
    good = fflush(file) == 0 && fsync(fileno(file)) == 0 && good;
    good = fclose(file) == 0 && good;
    return good && rename(aside, path) == 0 && sync_folder(folder) && sync_folder(parent);
}
