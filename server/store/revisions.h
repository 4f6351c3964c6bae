/* What of this server's wallets has changed since it was cached: a word per wallet in memory shared
 * by all its workers, so that no answer depends on what Redis still knows.
 *
 * A word counts the changes of its wallet (its revision), knows whether one is on its way (in
 * doubt), and whether anybody reads the wallet (wanted). Posting calls revisions_begin while the
 * rows are locked and before anything is written, and revisions_end when it knows how that ended
 * and before it answers. A copy that was read from the database under a revision is good as long as
 * that is still the revision and nothing is in doubt: then no change was committed since, by
 * anybody. So:
 *   - who got an answer sees it in the next read, through every worker of this server;
 *   - no read goes back behind another one: what a commit has shown is never hidden again;
 *   - a worker that is killed between commit and answer leaves its wallets in doubt: they are read
 *     from the database until the server starts anew (words are not given back: nobody else can
 *     know how that ended).
 * Two wallets may share a word: a change of one then makes the other's copy be read again.
 *
 * 8 MiB of memory, touched as wallets are. Where it isn't started (the command line, tests) there
 * is nothing to remember and nothing may be cached. */
#ifndef STORE_REVISIONS_H
#define STORE_REVISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

#define REVISIONS_KEY_SIZE 16

/* In the master, before the fork. Everything made under an earlier one is void. */
bool revisions_start(void);
void revisions_stop(void);

/* Which server this is, among those on one database: 1 .. 2^31-1, by chance. 0: not started. */
uint32_t revisions_server(void);

/* What copies are signed with, and under which generation: nobody else can make one. */
const uint8_t *revisions_key(void);
uint64_t revisions_generation(void);

/* Somebody else may have changed what we have copies of: none of them is good any more. */
void revisions_new_generation(void);

/* False: a change is on its way, or nothing is kept: no copy is good, none may be made. */
bool revisions_read(const struct uuid *wallet, uint64_t *revision);

/* Somebody reads it: the next few changes are worth telling the cache. */
void revisions_want(const struct uuid *wallet);

/* It has changed, otherwise than by posting: after the commit, before the answer. */
void revisions_touch(const struct uuid *wallet);

/* No copy is good under it: there is, or will be, a newer one, which goes over it. */
#define REVISIONS_NEVER UINT64_MAX

/* A set of wallets whose change is on its way. */
struct revisions_change {
    struct uuid wallet;
    uint64_t seen; /* the revision when it began */
    uint64_t generation;
    unsigned behind;   /* changes before it whose end was not known then */
    uint64_t revision; /* revisions_end: of copies that are made of it; 0: nobody wants any */
    bool forget;       /* revisions_end: nobody has read it for long: its copies may go */
};

/* While the rows are locked, before the commit is sent. Who can't say when they are
 * (store/status.c) begins before, and touches before it ends. */
void revisions_begin(struct revisions_change *changes, size_t count);
/* Committed or not, but known; before anybody is answered. */
void revisions_end(struct revisions_change *changes, size_t count);

#endif
