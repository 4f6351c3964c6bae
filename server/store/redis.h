/* One connection to Redis (7 or newer) on the loop; what is asked in a turn leaves at its end, with
 * a breaker: while it is down or slower than the timeout, nothing is asked and the caller goes
 * another way; it comes back by itself. None of our commands expects an error for an answer: one
 * (the functions are gone, a replica, no memory left, ...) opens the breaker, too, and Redis is
 * connected and given its functions anew. The only user of hiredis besides gate.c's reading of
 * replies and verify_cache.c. */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct bytes;
struct ev_loop;
struct redis;
struct redisReply;

struct redis_settings {
    const char *address; /* store/redis_address.h */
    int64_t timeout_us;
    const char *functions; /* Redis functions to load at connect: a library's source; NULL: none */
};

/* A command's words, binary-safe. */
struct redis_command {
    int count;
    const char *const *words;
    const size_t *lengths;
};

/* `reply` NULL: no answer (down, too slow); freed after the call. */
typedef void redis_answer(void *owner, const struct redisReply *reply);

void redis_register_metrics(void);
struct redis *redis_new(struct ev_loop *loop, const struct redis_settings *settings);
void redis_free(struct redis *redis); /* open questions are answered NULL */

/* False: the breaker is open, or out of memory: `answer` isn't called. Else it is, once, never from
 * inside. */
bool redis_ask(struct redis *redis, const struct redis_command *command, redis_answer *answer,
               void *owner);

/* Slower than that from now on: the breaker opens. */
void redis_set_timeout(struct redis *redis, int64_t timeout_us);

/* The same for a command that is written already, in Redis' protocol: "*<words>\r\n", then each by
 * redis_add_word. */
bool redis_ask_written(struct redis *redis, struct slice command, redis_answer *answer,
                       void *owner);

void redis_add_word(struct bytes *command, const void *word, size_t length);

bool redis_is_up(const struct redis *redis); /* the breaker is closed */

#endif
