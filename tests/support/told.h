/* What a webhook's receiver was told, held against a journal of what its partner did: all of it, at
 * least once, nothing else, and each wallet's in order (told.sql). */
#ifndef SUPPORT_TOLD_H
#define SUPPORT_TOLD_H

#include <stdio.h>

#include "support/receiver.h"

struct stack;

struct told {
    const struct receiver *receiver;
    char path[100]; /* of the journal */
    FILE *journal;
};

void told_init(struct told *told, const struct receiver *receiver);
void told_release(struct told *told);

/* The partner's call with this key was answered so: "{"id":"tx_..." */
void told_note(struct told *told, const char *key, const char *answer);

/* Wait until all that was noted has been told, without waiting for further attempts' time; asserts
 * that it happens within a minute, and the rest. `database`: conninfo of the schema's owner. */
void told_await(struct told *told, const struct stack *stack, const char *database);

#endif
