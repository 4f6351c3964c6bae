#include "store/revisions.h"

#include <sys/mman.h>

#include "base/crypto.h"

#define WORDS (UINT32_C(1) << 20)
#define WANTED_FOR 8 /* changes without a read in between, then it is forgotten */

/* A word: 4 bits wanted, 8 bits in doubt (how many changes are on their way), 52 bits revision. */
#define WANTED_MASK UINT64_C(0xf)
#define DOUBT_SHIFT 4
#define DOUBT_MASK UINT64_C(0xff)
#define REVISION_SHIFT 12

struct shared {
    uint64_t generation;
    uint64_t words[WORDS];
};

static struct {
    struct shared *shared; /* NULL: not started */
    uint32_t server;
    uint8_t key[REVISIONS_KEY_SIZE];
} board;

bool revisions_start(void)
{
    void *memory =
        mmap(NULL, sizeof *board.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    board.shared = memory;
    board.shared->generation = 1;
    crypto_random(board.key, sizeof board.key);
    crypto_random(&board.server, sizeof board.server);
    board.server = board.server % INT32_MAX + 1;
    return true;
}

void revisions_stop(void)
{
    if (board.shared != NULL)
        munmap(board.shared, sizeof *board.shared);
    board.shared = NULL;
    board.server = 0;
}

uint32_t revisions_server(void)
{
    return board.server;
}

const uint8_t *revisions_key(void)
{
    return board.key;
}

uint64_t revisions_generation(void)
{
    return board.shared == NULL ? 0 : __atomic_load_n(&board.shared->generation, __ATOMIC_SEQ_CST);
}

void revisions_new_generation(void)
{
    if (board.shared != NULL)
        __atomic_add_fetch(&board.shared->generation, 1, __ATOMIC_SEQ_CST);
}

/* By the end of its id, which is random. */
static uint64_t *word_of(const struct uuid *wallet)
{
    uint32_t tail = (uint32_t)wallet->bytes[12] << 24 | (uint32_t)wallet->bytes[13] << 16 |
                    (uint32_t)wallet->bytes[14] << 8 | wallet->bytes[15];
    return &board.shared->words[tail % WORDS];
}

static uint64_t revision_of(uint64_t word)
{
    return word >> REVISION_SHIFT;
}

static unsigned doubt_of(uint64_t word)
{
    return (unsigned)(word >> DOUBT_SHIFT & DOUBT_MASK);
}

static uint64_t compose(uint64_t revision, unsigned doubt, uint64_t wanted)
{
    return revision << REVISION_SHIFT | (uint64_t)doubt << DOUBT_SHIFT | wanted;
}

/* False: somebody else was quicker, `*old` is what it is now. */
static bool replace(uint64_t *word, uint64_t *old, uint64_t fresh)
{
    return __atomic_compare_exchange_n(word, old, fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool revisions_read(const struct uuid *wallet, uint64_t *revision)
{
    *revision = 0;
    if (board.shared == NULL)
        return false;
    uint64_t word = __atomic_load_n(word_of(wallet), __ATOMIC_SEQ_CST);
    *revision = revision_of(word);
    return doubt_of(word) == 0;
}

void revisions_want(const struct uuid *wallet)
{
    if (board.shared == NULL)
        return;
    uint64_t *word = word_of(wallet);
    uint64_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    while ((old & WANTED_MASK) != WANTED_FOR &&
           !replace(word, &old, (old & ~WANTED_MASK) | WANTED_FOR))
        continue;
}

void revisions_touch(const struct uuid *wallet)
{
    if (board.shared != NULL)
        __atomic_add_fetch(word_of(wallet), UINT64_C(1) << REVISION_SHIFT, __ATOMIC_SEQ_CST);
}

/* A count of doubts that is full stays so. */
static void begin_one(struct revisions_change *change)
{
    uint64_t *word = word_of(&change->wallet);
    uint64_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    unsigned doubt;
    change->generation = revisions_generation();
    do {
        doubt = doubt_of(old);
        change->seen = revision_of(old);
        change->behind = doubt;
    } while (!replace(
        word, &old,
        compose(revision_of(old), doubt == DOUBT_MASK ? doubt : doubt + 1, old & WANTED_MASK)));
}

/* Copies of this change may be made when it is the newest that was begun and all that were begun
 * have ended: its row was locked when it began, so those behind it were older, and those since,
 * each of which has raised the revision, were not more than they. */
static void end_one(struct revisions_change *change)
{
    uint64_t *word = word_of(&change->wallet);
    uint64_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    uint64_t wanted;
    unsigned doubt;
    do {
        doubt = doubt_of(old);
        if (doubt != DOUBT_MASK && doubt > 0)
            doubt--;
        wanted = old & WANTED_MASK;
    } while (
        !replace(word, &old, compose(revision_of(old) + 1, doubt, wanted > 0 ? wanted - 1 : 0)));
    bool newest = doubt == 0 && revision_of(old) - change->seen == change->behind &&
                  change->generation == revisions_generation();
    change->revision = wanted <= 1 ? 0 : newest ? revision_of(old) + 1 : REVISIONS_NEVER;
    change->forget = wanted == 1;
}

void revisions_begin(struct revisions_change *changes, size_t count)
{
    for (size_t i = 0; board.shared != NULL && i < count; i++)
        begin_one(&changes[i]);
}

void revisions_end(struct revisions_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        changes[i].revision = 0;
        changes[i].forget = false;
        if (board.shared != NULL)
            end_one(&changes[i]);
    }
}
