#include "base/flow.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"

/* Adds the time since the step began, or was last looked at, and begins the next measurement. */
static void take_time(struct flow *flow)
{
    int64_t now = clock_monotonic();
    int64_t spent = flow->step_us[flow->at] + (now - flow->step_began);

    flow->step_us[flow->at] = spent > UINT32_MAX ? UINT32_MAX : (uint32_t)spent;
    flow->step_began = now;
}

static void finish(struct flow *flow)
{
    flow->state = FLOW_FINISHED;
    flow->finished(flow); /* may free the flow: nothing here touches it any more */
}

static void run(struct flow *flow)
{
    flow->state = FLOW_RUNNING;
    while (flow->steps[flow->at].name != NULL) {
        assert(flow->at < FLOW_STEPS_MAX);

        enum flow_verdict verdict = flow->steps[flow->at].run(flow);

        assert(flow->state == FLOW_RUNNING);
        if (verdict == FLOW_WAIT) {
            flow->state = FLOW_WAITING;
            return;
        }
        take_time(flow);
        if (verdict == FLOW_DONE)
            break;
        flow->at++;
    }
    finish(flow);
}

void flow_start(struct flow *flow, const struct flow_step *steps,
                void (*finished)(struct flow *flow))
{
    assert(flow->state == FLOW_READY);
    assert(steps != NULL && finished != NULL);
    flow->steps = steps;
    flow->finished = finished;
    flow->at = 0;
    flow->abandoned = false;
    memset(flow->step_us, 0, sizeof flow->step_us);
    flow->step_began = clock_monotonic();
    run(flow);
}

void flow_resume(struct flow *flow)
{
    assert(flow->state == FLOW_WAITING);
    take_time(flow);
    flow->at++;
    run(flow);
}
