#include "posting/batch_changes.h"

#include <assert.h>

#include "base/memory.h"
#include "posting/batch.h"
#include "store/cache.h"
#include "store/revisions.h"

/* Of one submission. */
struct batch_changes {
    struct batch_changes *older;
    bool unknown; /* its connection died behind the commit */
    size_t count;
    struct revisions_change wallets[]; /* in the order of writing.accounts */
};

static void end(struct batch_changes *changes)
{
    revisions_end(changes->wallets, changes->count);
    memory_free(changes);
}

/* What was rolled back for sure is in doubt no more. */
static void end_known(struct batch *batch)
{
    struct batch_changes **link = &batch->changes;
    while (*link != NULL) {
        struct batch_changes *changes = *link;
        if (changes->unknown) {
            link = &changes->older;
        } else {
            *link = changes->older;
            end(changes);
        }
    }
}

bool batch_changes_begin(struct batch *batch)
{
    const struct ledger_rows_writing *writing = &batch->writing;
    end_known(batch);
    struct batch_changes *changes =
        memory_alloc(sizeof *changes + writing->account_count * sizeof changes->wallets[0]);
    if (changes == NULL)
        return false;
    for (size_t i = 0; i < writing->account_count; i++)
        if (writing->accounts[i].kind == ACCOUNT_WALLET)
            changes->wallets[changes->count++].wallet = writing->accounts[i].id;
    revisions_begin(changes->wallets, changes->count);
    changes->older = batch->changes;
    batch->changes = changes;
    return true;
}

void batch_changes_keep(struct batch *batch)
{
    assert(batch->changes != NULL);
    batch->changes->unknown = true;
}

void batch_changes_end(struct batch *batch, struct cache *cache)
{
    struct batch_changes *changes = batch->changes;
    assert(changes != NULL);
    for (struct batch_changes *older = changes->older, *next; older != NULL; older = next) {
        next = older->older;
        end(older);
    }
    batch->changes = NULL;
    revisions_end(changes->wallets, changes->count);
    if (cache != NULL)
        cache_offer(cache, &batch->writing, changes->wallets, changes->count);
    memory_free(changes);
}

void batch_changes_drop(struct batch *batch)
{
    for (struct batch_changes *next; batch->changes != NULL; batch->changes = next) {
        next = batch->changes->older;
        end(batch->changes);
    }
}
