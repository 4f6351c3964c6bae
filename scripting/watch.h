/* Has a folder of rules changed? Asked every so often (200 ms): by names, sizes, times and inodes.
 * A change counts once the folder has stayed the same for one more look, so that a save of several
 * files, or half of one, settles first. */
#ifndef SCRIPTING_WATCH_H
#define SCRIPTING_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: the folder was never looked at. */
struct watch {
    uint64_t settled; /* the signature last reported */
    uint64_t seen;    /* at the last look */
};

/* True: the folder is another than the one last reported, and has stayed so since the last look. A
 * folder that isn't there is one, too. */
bool watch_poll(struct watch *watch, const char *directory);

/* Is it still the folder last reported? Asked after reading it: what was read while somebody wrote
 * may be half of a save. */
bool watch_is_settled(const struct watch *watch, const char *directory);

#endif
