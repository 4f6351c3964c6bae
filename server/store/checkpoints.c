#include "store/checkpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/memory.h"

#define TAIL 4096 /* more than a line */

static bool fail(char error[160], const char *path, const char *what)
{
    snprintf(error, 160, "%.100s: %.50s", path, what);
    return false;
}

/* What stands behind the last newline was being written when we, or the machine, died. */
static bool read_last(struct checkpoints *file, const char *path, char error[160])
{
    char tail[TAIL];
    int64_t from = file->size > TAIL ? file->size - TAIL : 0;
    ssize_t got = pread(file->fd, tail, sizeof tail, from);
    if (got < 0)
        return fail(error, path, strerror(errno));
    size_t end = (size_t)got;
    while (end > 0 && tail[end - 1] != '\n')
        end--;
    if (end < (size_t)got && ftruncate(file->fd, from + (int64_t)end) != 0)
        return fail(error, path, strerror(errno));
    file->size = from + (int64_t)end;
    file->has_last = end > 0;
    if (end == 0)
        return from == 0 || fail(error, path, "does not end in a checkpoint");
    size_t begin = --end;
    while (begin > 0 && tail[begin - 1] != '\n')
        begin--;
    return seal_read_checkpoint((struct slice){tail + begin, end - begin}, &file->last) ||
           fail(error, path, "its last line is no checkpoint");
}

bool checkpoints_open(struct checkpoints *file, const char *path, char error[160])
{
    struct stat status;
    *file = (struct checkpoints){.fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640)};
    if (file->fd < 0)
        return fail(error, path, strerror(errno));
    bool good =
        flock(file->fd, LOCK_EX | LOCK_NB) == 0 || fail(error, path, "another server writes to it");
    if (good && fstat(file->fd, &status) != 0)
        good = fail(error, path, strerror(errno));
    if (good) {
        file->size = status.st_size;
        good = read_last(file, path, error);
    }
    if (!good)
        checkpoints_close(file);
    return good;
}

void checkpoints_close(struct checkpoints *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

bool checkpoints_append(struct checkpoints *file, const struct bytes *lines,
                        const struct checkpoint *last)
{
    ssize_t written = write(file->fd, lines->at, lines->length);
    bool whole = written == (ssize_t)lines->length && fdatasync(file->fd) == 0;
    if (!whole) {
        int reason = written >= 0 && written < (ssize_t)lines->length ? ENOSPC : errno;
        (void)!ftruncate(file->fd, file->size);
        errno = reason;
        return false;
    }
    file->size += written;
    file->has_last = true;
    file->last = *last;
    return true;
}

bool checkpoints_read_key(const char *path, uint8_t seed[CRYPTO_SEED_SIZE], char error[160])
{
    char text[2 * CRYPTO_SEED_SIZE + 2];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(error, path, strerror(errno));
    ssize_t length = read(fd, text, sizeof text);
    bool closed = fstat(fd, &status) == 0 && (status.st_mode & 077) == 0;
    close(fd);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    bool good =
        length > 0 && seal_read_hex((struct slice){text, (size_t)length}, seed, CRYPTO_SEED_SIZE);
    memory_wipe(text, sizeof text);
    if (!good)
        return fail(error, path, "no key: 64 hex digits are one");
    return closed || fail(error, path, "readable by others: chmod 600");
}
