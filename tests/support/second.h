/* A moolahd beside the stack's, on ports and with limits of its own. */
#ifndef SUPPORT_SECOND_H
#define SUPPORT_SECOND_H

#include <sys/types.h>

#include "support/stack.h"

struct second {
    pid_t master;
    int port; /* of the public listener; the operators' is the next */
    char config[200];
    int output; /* what it says */
};

/* With the stack's configuration, changed by a sed script (or ""), ready within a moment; aborts
 * when it isn't. `workers`: how many. */
void second_start(struct second *second, const struct stack *stack, int port, int workers,
                  const char *script);

/* Its `nth` worker; 0: there is none right now. */
pid_t second_worker(const struct second *second, int nth);

/* TERM, and its exit code; -1: it died. */
int second_stop(struct second *second);

/* -9, all of it at once. */
void second_kill(struct second *second);

#endif
