/* A folder of a test's own, and files in it. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
    char path[64];
};

static inline void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/moolah-unit-XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        abort();
}

static inline const char *folder_file(const struct folder *folder, const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

static inline void folder_put_bytes(const struct folder *folder, const char *name, const void *text,
                                    size_t length)
{
    FILE *file = fopen(folder_file(folder, name), "we");

    if (file == NULL || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        abort();
}

static inline void folder_put(const struct folder *folder, const char *name, const char *text)
{
    folder_put_bytes(folder, name, text, strlen(text));
}

static inline void folder_remove(const struct folder *folder)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf '%s'", folder->path);
    if (system(command) != 0)
        abort();
}

#endif
