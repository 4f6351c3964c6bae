/* Has a folder of rules changed? Asked every so often (200 ms): by names, sizes, times and inodes.
 * A change counts once the folder has stayed the same for one more look, so that a save of several
 * files, or half of one, settles first. */
#ifndef SCRIPTING_WATCH_H
#define SCRIPTING_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    uint64_t settled; /* the signature last reported */
    uint64_t seen;    /* at the last look */
    bool started;
};

/* The first call remembers and says false. */
bool watch_poll(struct watch *watch, const char *directory);

#endif
