/* The wallets that a batch changes are in doubt from before its commit is sent until its fate is
 * known: nobody trusts a copy of them meanwhile (store/revisions.h). */
#ifndef POSTING_BATCH_CHANGES_H
#define POSTING_BATCH_CHANGES_H

#include <stdbool.h>

struct batch;
struct cache;

/* Decided, and about to be written. False: out of memory: it must not be. */
bool batch_changes_begin(struct batch *batch);

/* The connection died behind the commit: what this submission changes stays in doubt until a later
 * one tells. */
void batch_changes_keep(struct batch *batch);

/* It's durable, and nobody has been answered yet: copies may be made, and `cache` (or NULL) is
 * offered them. */
void batch_changes_end(struct batch *batch, struct cache *cache);

void batch_changes_drop(struct batch *batch); /* batch_free's */

#endif
