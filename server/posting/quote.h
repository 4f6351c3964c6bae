/* Quotes: what a movement costs now, and the promise to price it so for a minute, whatever rules
 * are deployed meanwhile. Nothing is kept: the promise travels with the caller, as a text that is
 * sealed (crypto_seal) under the key all servers share. So it holds on every server of the ledger
 * and over restarts; no old bundle is needed for it, and nobody makes one up or reads what is in
 * it.
 *
 * A quote fixes the price, and nothing else: money, limits and the state of the wallets are looked
 * at when it moves. It may be used more than once, by movements with keys of their own. */
#ifndef POSTING_QUOTE_H
#define POSTING_QUOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/book.h"
#include "ledger/limit.h"
#include "posting/posting.h"

struct arena;
struct batch_terms;

#define QUOTE_LIFETIME_US INT64_C(60000000)
#define QUOTE_TEXT_MAX 4096 /* characters: eight lines with the longest names have 2,200 */

struct quote {
    enum transaction_kind kind; /* 0: it's none of ours, and fits nothing */
    struct uuid caller;
    struct uuid from;
    struct uuid to; /* of a withdrawal nil */
    struct money amount;
    int64_t expires_at; /* Unix us; from then on it's over */
    uint8_t bundle[32];
    struct slice pricing; /* JSON, as they are stored with the transaction; {NULL,0}: there are no
                             rules for that kind, it's free */
    struct slice facts;
    struct fee_decision fee; /* what `pricing` says */
};

/* What would be decided now. */
struct quote_outcome {
    enum posting_outcome outcome; /* ANSWERED, or why there is no answer */
    enum refusal refusal;         /* there is no quote */
    enum refusal limits;          /* there is, but now the limits would refuse it */
    struct limit_breach breach;   /* which one; no cap: none of the payer's */
    struct quote quote;
};

/* Decide `order` on a snapshot of its accounts, as if its payer had money enough. The book's payer
 * is changed. False: out of memory. */
bool quote_decide(const struct posting_order *order, const struct batch_terms *terms,
                  struct book *book, struct arena *arena, struct quote_outcome *result);

/* Does it belong to that movement? */
bool quote_fits(const struct quote *quote, const struct posting_order *order);

/* The text for its caller. {NULL,0}: out of memory. */
struct slice quote_seal(const uint8_t key[32], const struct quote *quote, struct arena *arena);

/* And back. What nobody sealed under the key becomes a quote of kind 0. False: out of memory. */
bool quote_open(const uint8_t key[32], struct slice text, struct arena *arena, struct quote *quote);

#endif
