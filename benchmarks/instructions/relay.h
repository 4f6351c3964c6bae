/* Between the gate and a real Redis: answers are held back until they have all come, so that a
 * round of the gate's loop finds them at once, however fast Redis was. */
#ifndef INSTRUCTIONS_RELAY_H
#define INSTRUCTIONS_RELAY_H

#include <stdbool.h>

#include "base/bytes.h"

struct ev_loop;
struct gate;
struct pg_pool;

struct relay {
    char address[220]; /* for the gate's settings */
    int listener;
    int gate;
    int redis;
    struct bytes held; /* answers */
};

/* Listen in `scratch` and connect to the Redis there. False: it could not. */
bool relay_open(struct relay *relay, const char *scratch);

/* A gate behind it, with its breaker closed; it knows pieces_token. NULL: it didn't come about. */
struct gate *relay_gate(struct relay *relay, struct ev_loop *loop);

/* What the gate has written goes to Redis; what that answers is held. */
bool relay_ask(struct relay *relay);

/* Give the gate what is held. */
bool relay_answer(struct relay *relay);

#endif
