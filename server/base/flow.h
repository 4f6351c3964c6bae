/* A flow: a request's steps, in a table, run by a tiny runner. A step asks (FLOW_WAIT: somebody
 * will call flow_resume) or decides (FLOW_NEXT), or ends it (FLOW_DONE). A step is a plain function
 * that runs to its end.
 *
 * Rules, asserted: flow_resume only while waiting, never from inside a step (never call back from
 * inside the call that asked). A flow that waits is never freed: when its client leaves or its
 * deadline passes it is abandoned, goes on to its end, and `finished` is called exactly once. */
#ifndef BASE_FLOW_H
#define BASE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#define FLOW_STEPS_MAX 12

enum flow_verdict { FLOW_NEXT, FLOW_WAIT, FLOW_DONE };

struct flow;

struct flow_step {
    const char *name; /* the table ends with {NULL, NULL} */
    enum flow_verdict (*run)(struct flow *flow);
};

enum flow_state { FLOW_READY, FLOW_RUNNING, FLOW_WAITING, FLOW_FINISHED };

struct flow {
    const struct flow_step *steps;
    void (*finished)(struct flow *flow); /* last call; may free the flow */
    enum flow_state state;
    uint8_t at;         /* index of the step that runs or waits */
    bool abandoned;     /* nobody wants the answer any more: steps go on all the same */
    int64_t step_began; /* monotonic us */
    uint32_t step_us[FLOW_STEPS_MAX]; /* time per step, waiting included */
};

/* Runs until the first wait or the end. */
void flow_start(struct flow *flow, const struct flow_step *steps,
                void (*finished)(struct flow *flow));

/* The answer a WAIT step asked for is there: go on with the next step. */
void flow_resume(struct flow *flow);

#endif
