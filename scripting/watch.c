#include "scripting/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

enum { NEVER_LOOKED, NO_FOLDER, FOLDER };

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t entry_signature(int directory, const char *name)
{
    struct stat status;
    uint64_t hash = mix(UINT64_C(14695981039346656037), name, strlen(name));
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return hash;
    hash = mix(hash, &status.st_size, sizeof status.st_size);
    hash = mix(hash, &status.st_mtim, sizeof status.st_mtim);
    hash = mix(hash, &status.st_ctim, sizeof status.st_ctim);
    return mix(hash, &status.st_ino, sizeof status.st_ino);
}

/* The entries' sum: their order in the folder doesn't matter. */
static uint64_t signature(const char *directory)
{
    uint64_t sum = FOLDER;
    DIR *listing = opendir(directory);
    if (listing == NULL)
        return NO_FOLDER;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.')
            sum += entry_signature(dirfd(listing), entry->d_name);
    closedir(listing);
    return sum;
}

bool watch_poll(struct watch *watch, const char *directory)
{
    uint64_t now = signature(directory);
    bool stayed = now == watch->seen;
    watch->seen = now;
    if (!stayed || now == watch->settled)
        return false;
    watch->settled = now;
    return true;
}

bool watch_is_settled(const struct watch *watch, const char *directory)
{
    return signature(directory) == watch->settled;
}
