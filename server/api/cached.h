/* A call whose answer may be in the cache: the gate and the cache are asked in one flight. What
 * comes of it is in `question`, wherever it came from. Embedded first, as struct call is:
 *
 *     { "ask_gate", ask_gate },               cached_ask_gate, after the path and query are read
 *     { "await_copy", cached_await_copy },
 *     { "check_gate", call_check_user },
 *     { "ask_one", ask_one },                 cached_ask, when it is the cache's to answer
 */
#ifndef API_CACHED_H
#define API_CACHED_H

#include "api/call.h"
#include "store/cache.h"
#include "store/wallets.h"

struct cached {
    struct call call;
    struct wallets_question question;
    struct cache_read read;
    bool waits; /* for the cache alone */
};

struct cached *cached_of(struct flow *flow);

/* Ask the gate; and for a copy, unless `wallet` is nil. */
enum flow_verdict cached_ask_gate(struct cached *op, enum cache_what what,
                                  const struct uuid *wallet);

/* A step. */
enum flow_verdict cached_await_copy(struct flow *flow);

/* The copy, if it came and is the caller's; else the database. For a caller that the gate let in.
 */
enum flow_verdict cached_ask(struct cached *op);

/* Have op->question asked of the database without the cache: prepared for it. */
struct wallets_question *cached_question(struct cached *op);

#endif
