/* What the cache keeps of a wallet, as bytes: the balance, and the first page of its statement.
 * Every piece is signed (crypto_short_mac) with the key of revisions.h, for its wallet and
 * generation: what Redis was made to hold by anybody else, what it has mixed up, cut off or kept
 * from an earlier run is no entry. Pure.
 *
 * An entry is a head, which posting can put a newer one over without knowing the rest, and what
 * never changes: of a balance the wallet's owner, currency, time zone, label and birth; of a page
 * its lines, newest first. A line tells only what its transaction's and posting's rows say, which
 * never change; versions are gapless, so which lines a page of a version has is known beforehand.
 * Both heads begin with the version, 8 bytes big-endian: what Redis compares. */
#ifndef STORE_CACHE_ENTRY_H
#define STORE_CACHE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct arena;
struct wallet;
struct wallets_transaction;

#define CACHE_ENTRY_LINES 21 /* a page of the default 20, and one to know that there are more */
#define CACHE_ENTRY_BALANCE_HEAD 49
#define CACHE_ENTRY_PAGE_HEAD 48

struct cache_seal {
    const uint8_t *key; /* 16 bytes */
    uint64_t generation;
};

/* Of a page: whose, and as of when. */
struct cache_page {
    struct uuid wallet;
    struct uuid owner;
    int64_t version; /* the wallet's: its newest line's */
};

/* Append. A line that is too long makes `out` failed. */
void cache_entry_add_balance_head(struct bytes *out, const struct cache_seal *seal,
                                  const struct wallet *wallet, uint64_t revision);
void cache_entry_add_balance_rest(struct bytes *out, const struct cache_seal *seal,
                                  const struct wallet *wallet);
void cache_entry_add_page_head(struct bytes *out, const struct cache_seal *seal,
                               const struct cache_page *page, uint64_t revision);
void cache_entry_add_line(struct bytes *out, const struct cache_seal *seal,
                          const struct uuid *wallet, const struct wallets_transaction *line);

/* Read back; texts point into `entry`. wallet->id and page->wallet say whose it must be. False:
 * it isn't. */
bool cache_entry_read_balance(struct slice entry, const struct cache_seal *seal,
                              struct wallet *wallet, uint64_t *revision);
/* `lines` has room for CACHE_ENTRY_LINES. */
bool cache_entry_read_page(struct slice entry, const struct cache_seal *seal,
                           struct cache_page *page, uint64_t *revision,
                           struct wallets_transaction *lines);

/* How many lines a page of that version has. */
size_t cache_entry_lines(int64_t version);

#endif
