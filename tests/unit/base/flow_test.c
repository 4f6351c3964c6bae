#include "base/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/unit/base/dies.h"

/* A flow whose steps do what a script says and write down that they ran. */
struct scripted {
    struct flow flow;
    enum flow_verdict verdicts[FLOW_STEPS_MAX];
    char trace[64];
    int finished;
    bool frees;
};

static struct scripted *from(struct flow *flow)
{
    return (struct scripted *)flow;
}

static void note(struct scripted *op, char what)
{
    size_t length = strlen(op->trace);

    assert_true(length + 1 < sizeof op->trace);
    op->trace[length] = what;
}

static enum flow_verdict act(struct flow *flow)
{
    struct scripted *op = from(flow);

    assert_int_equal(flow->state, FLOW_RUNNING);
    note(op, (char)('a' + flow->at));
    return op->verdicts[flow->at];
}

static void finished(struct flow *flow)
{
    assert_int_equal(flow->state, FLOW_FINISHED);
    from(flow)->finished++;
    if (from(flow)->frees)
        memory_free(flow);
}

static const struct flow_step three[] = {
    {"first", act}, {"second", act}, {"third", act}, {NULL, NULL}};

static void test_steps_run_in_order(void **state)
{
    (void)state;
    struct scripted op = {.verdicts = {FLOW_NEXT, FLOW_NEXT, FLOW_NEXT}};

    flow_start(&op.flow, three, finished);
    assert_string_equal(op.trace, "abc");
    assert_int_equal(op.finished, 1);
}

static void test_done_skips_the_rest(void **state)
{
    (void)state;
    struct scripted op = {.verdicts = {FLOW_NEXT, FLOW_DONE, FLOW_NEXT}};

    flow_start(&op.flow, three, finished);
    assert_string_equal(op.trace, "ab");
    assert_int_equal(op.finished, 1);
}

static void test_an_empty_table_finishes(void **state)
{
    (void)state;
    static const struct flow_step none[] = {{NULL, NULL}};
    struct scripted op = {0};

    flow_start(&op.flow, none, finished);
    assert_int_equal(op.finished, 1);
}

static void test_waiting_and_going_on(void **state)
{
    (void)state;
    struct scripted op = {.verdicts = {FLOW_WAIT, FLOW_NEXT, FLOW_WAIT}};

    flow_start(&op.flow, three, finished);
    assert_int_equal(op.flow.state, FLOW_WAITING);
    assert_string_equal(op.trace, "a");
    flow_resume(&op.flow);
    assert_int_equal(op.flow.state, FLOW_WAITING);
    assert_string_equal(op.trace, "abc");
    assert_int_equal(op.finished, 0);
    flow_resume(&op.flow); /* the last step waited: behind it is the end */
    assert_string_equal(op.trace, "abc");
    assert_int_equal(op.finished, 1);
}

/* Every table of three verdicts, against what the rules say must happen. */
static void test_all_scripts(void **state)
{
    (void)state;
    for (int script = 0; script < 27; script++) {
        struct scripted op = {0};
        const int verdicts[] = {script % 3, script / 3 % 3, script / 9};
        char expected[4] = "";
        int resumes = 0;

        for (int i = 0; i < 3; i++) {
            op.verdicts[i] = (enum flow_verdict)verdicts[i];
            expected[i] = (char)('a' + i);
            resumes += verdicts[i] == FLOW_WAIT;
            if (verdicts[i] == FLOW_DONE)
                break;
        }
        flow_start(&op.flow, three, finished);
        for (; resumes > 0; resumes--) {
            assert_int_equal(op.finished, 0);
            flow_resume(&op.flow);
        }
        assert_string_equal(op.trace, expected);
        assert_int_equal(op.finished, 1);
    }
}

static void test_an_abandoned_flow_goes_on(void **state)
{
    (void)state;
    struct scripted op = {.verdicts = {FLOW_WAIT, FLOW_NEXT, FLOW_NEXT}};

    flow_start(&op.flow, three, finished);
    op.flow.abandoned = true;
    flow_resume(&op.flow);
    assert_string_equal(op.trace, "abc");
    assert_int_equal(op.finished, 1);
    assert_true(op.flow.abandoned);
}

/* ASan sees it when the runner touches a flow after finished. */
static void test_finished_may_free(void **state)
{
    (void)state;
    struct scripted *op = memory_alloc(sizeof *op);

    assert_non_null(op);
    op->frees = true;
    op->verdicts[1] = FLOW_WAIT;
    flow_start(&op->flow, three, finished);
    flow_resume(&op->flow);
}

static enum flow_verdict be_slow(struct flow *flow)
{
    int64_t begin = clock_monotonic();

    (void)flow;
    while (clock_monotonic() - begin < 2000)
        ;
    return FLOW_NEXT;
}

static void test_times_each_step_waiting_included(void **state)
{
    (void)state;
    static const struct flow_step steps[] = {
        {"slow", be_slow}, {"waits", act}, {"quick", act}, {NULL, NULL}};
    struct scripted op = {.verdicts = {0, FLOW_WAIT, FLOW_NEXT}};
    int64_t begin = clock_monotonic();

    flow_start(&op.flow, steps, finished);
    be_slow(NULL);
    flow_resume(&op.flow);

    int64_t all = clock_monotonic() - begin;
    int64_t sum = (int64_t)op.flow.step_us[0] + op.flow.step_us[1] + op.flow.step_us[2];

    assert_true(op.flow.step_us[0] >= 2000);
    assert_true(op.flow.step_us[1] >= 2000);
    assert_true(sum <= all);
    assert_int_equal(op.flow.step_us[3], 0);
}

static void resume_unstarted(void *unused)
{
    struct scripted op = {0};

    (void)unused;
    flow_resume(&op.flow);
}

static void resume_finished(void *unused)
{
    struct scripted op = {.verdicts = {FLOW_DONE}};

    (void)unused;
    flow_start(&op.flow, three, finished);
    flow_resume(&op.flow);
}

static enum flow_verdict answer_at_once(struct flow *flow)
{
    flow_resume(flow);
    return FLOW_WAIT;
}

static void resume_from_inside(void *unused)
{
    static const struct flow_step steps[] = {{"asks", answer_at_once}, {NULL, NULL}};
    struct scripted op = {0};

    (void)unused;
    flow_start(&op.flow, steps, finished);
}

static void start_twice(void *unused)
{
    struct scripted op = {.verdicts = {FLOW_WAIT}};

    (void)unused;
    flow_start(&op.flow, three, finished);
    flow_start(&op.flow, three, finished);
}

static void too_many_steps(void *unused)
{
    static struct flow_step steps[FLOW_STEPS_MAX + 2];
    struct scripted op = {0};

    (void)unused;
    for (int i = 0; i <= FLOW_STEPS_MAX; i++)
        steps[i] = (struct flow_step){"step", act};
    flow_start(&op.flow, steps, finished);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(resume_unstarted, NULL));
    assert_true(dies(resume_finished, NULL));
    assert_true(dies(resume_from_inside, NULL));
    assert_true(dies(start_twice, NULL));
    assert_true(dies(too_many_steps, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_run_in_order),
        cmocka_unit_test(test_done_skips_the_rest),
        cmocka_unit_test(test_an_empty_table_finishes),
        cmocka_unit_test(test_waiting_and_going_on),
        cmocka_unit_test(test_all_scripts),
        cmocka_unit_test(test_an_abandoned_flow_goes_on),
        cmocka_unit_test(test_finished_may_free),
        cmocka_unit_test(test_times_each_step_waiting_included),
        cmocka_unit_test(test_misuse_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
