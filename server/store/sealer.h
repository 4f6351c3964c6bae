/* Makes the seals (docs/proof.md), in the background: looks which transactions are certainly
 * complete, hashes them, chains a seal, signs it, and writes its checkpoint to a file outside the
 * database. On a connection of its own; hashes and writes files on a thread of the lowest class, so
 * that posting goes first. On every server; a lock in the database lets one of them seal, and all
 * of them keep their checkpoints.
 *
 * It stops, tells so (log sealing_stopped, metric moolah_sealing_stopped), and goes on by itself
 * when that is over: when its checkpoints can't be written; when they are ahead of the database or
 * say something else (a backup was restored, history was rewritten); when a transaction's postings
 * don't sum to zero. */
#ifndef STORE_SEALER_H
#define STORE_SEALER_H

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct sealer;

struct sealer_settings {
    const char *conninfo;
    const char *origin;      /* seal_is_origin */
    const char *key;         /* a file; NULL: seals are not signed */
    const char *checkpoints; /* a file; NULL: none are kept */
    int64_t every_us;
};

void sealer_register_metrics(void); /* in the master, once */

/* Texts must outlive it. NULL: out of memory or descriptors. */
struct sealer *sealer_new(struct ev_loop *loop, const struct sealer_settings *settings);

#endif
