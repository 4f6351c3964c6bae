#include "base/offload.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

enum { JOBS = 2000 };

/* A job that notes where it ran; it may wait at a gate first. */
struct errand {
    struct offload_job job;
    sem_t *gate; /* NULL: go on at once */
    sem_t *arrived;
    int worked;
    int done;
    pthread_t worker;
    int class; /* of the scheduler */
};

static atomic_int works;
static int dones;
static pthread_t loop_thread;

static void work(struct offload_job *job)
{
    struct errand *errand = (struct errand *)job;

    if (errand->arrived != NULL)
        sem_post(errand->arrived);
    while (errand->gate != NULL && sem_wait(errand->gate) != 0)
        ;
    errand->worked++;
    errand->worker = pthread_self();
    pthread_getschedparam(errand->worker, &errand->class, &(struct sched_param){0});
    works++;
}

static void done(struct offload_job *job)
{
    struct errand *errand = (struct errand *)job;

    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_false(pthread_equal(errand->worker, loop_thread));
    assert_int_equal(errand->class, SCHED_IDLE);
    assert_int_equal(errand->worked, errand->done + 1);
    errand->done++;
    dones++;
}

static struct errand errand_of(sem_t *gate, sem_t *arrived)
{
    return (struct errand){.job = {.work = work, .done = done}, .gate = gate, .arrived = arrived};
}

static int begin(void **state)
{
    (void)state;
    works = 0;
    dones = 0;
    loop_thread = pthread_self();
    return 0;
}

/* As the loop does it: wait until the descriptor is readable, then collect. */
static void collect_until(struct offload *offload, int count)
{
    while (dones < count) {
        struct pollfd ready = {.fd = offload_fd(offload), .events = POLLIN};

        assert_int_equal(poll(&ready, 1, 20000), 1);
        offload_collect(offload);
    }
}

static void test_every_job_once(void **state)
{
    (void)state;
    static struct errand errands[JOBS];
    struct offload *offload = offload_new(3, 64);
    int submitted = 0;

    assert_non_null(offload);
    while (submitted < JOBS) {
        errands[submitted] = errand_of(NULL, NULL);
        if (offload_submit(offload, &errands[submitted].job))
            submitted++;
        else
            collect_until(offload, dones + 1);
    }
    collect_until(offload, JOBS);
    assert_int_equal(works, JOBS);
    assert_int_equal(offload_queued(offload), 0);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(errands[i].done, 1);

    struct pollfd quiet = {.fd = offload_fd(offload), .events = POLLIN};

    assert_int_equal(poll(&quiet, 1, 0), 0);
    offload_collect(offload); /* with nothing to collect */
    assert_int_equal(dones, JOBS);
    offload_free(offload);
}

static void test_the_queue_is_bounded(void **state)
{
    (void)state;
    sem_t gate, arrived;
    struct errand errands[5];
    struct offload *offload = offload_new(1, 3);

    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    for (int i = 0; i < 5; i++)
        errands[i] = errand_of(&gate, &arrived);
    assert_true(offload_submit(offload, &errands[0].job));
    while (sem_wait(&arrived) != 0)
        ;
    /* One runs: it waits no longer. Three may. */
    assert_int_equal(offload_queued(offload), 0);
    for (int i = 1; i <= 3; i++) {
        assert_true(offload_submit(offload, &errands[i].job));
        assert_int_equal(offload_queued(offload), i);
    }
    assert_false(offload_submit(offload, &errands[4].job));
    assert_int_equal(offload_queued(offload), 3);
    for (int i = 0; i < 4; i++)
        sem_post(&gate);
    collect_until(offload, 4);
    assert_int_equal(errands[4].worked, 0); /* the refused one stayed the caller's */
    sem_post(&gate);
    assert_true(offload_submit(offload, &errands[4].job));
    collect_until(offload, 5);
    offload_free(offload);
    sem_destroy(&gate);
    sem_destroy(&arrived);
}

static void test_one_thread_keeps_the_order(void **state)
{
    (void)state;
    sem_t gate;
    struct errand errands[20];
    struct offload *offload = offload_new(1, 20);

    sem_init(&gate, 0, 0);
    for (int i = 0; i < 20; i++) {
        errands[i] = errand_of(&gate, NULL);
        assert_true(offload_submit(offload, &errands[i].job));
    }
    for (int i = 0; i < 20; i++) {
        sem_post(&gate);
        collect_until(offload, i + 1);
        assert_int_equal(errands[i].done, 1);
    }
    offload_free(offload);
    sem_destroy(&gate);
}

/* Two that can only both arrive when they run at the same time. */
static void test_threads_work_side_by_side(void **state)
{
    (void)state;
    sem_t gate, arrived;
    struct errand errands[2];
    struct offload *offload = offload_new(2, 2);

    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    for (int i = 0; i < 2; i++) {
        errands[i] = errand_of(&gate, &arrived);
        assert_true(offload_submit(offload, &errands[i].job));
    }
    for (int i = 0; i < 2; i++)
        while (sem_wait(&arrived) != 0)
            ;
    assert_int_equal(works, 0);
    sem_post(&gate);
    sem_post(&gate);
    collect_until(offload, 2);
    offload_free(offload);
    sem_destroy(&gate);
    sem_destroy(&arrived);
}

static struct offload *resubmit_to;

static void done_and_again(struct offload_job *job)
{
    struct errand *errand = (struct errand *)job;

    done(job);
    if (errand->done < 50)
        assert_true(offload_submit(resubmit_to, job));
}

static void done_and_free(struct offload_job *job)
{
    done(job);
    memory_free(job);
}

static void test_done_may_submit_or_free(void **state)
{
    (void)state;
    struct errand errand = errand_of(NULL, NULL);

    resubmit_to = offload_new(2, 100);
    errand.job.done = done_and_again;
    assert_true(offload_submit(resubmit_to, &errand.job));
    for (int i = 0; i < 50; i++) {
        struct errand *own = memory_alloc(sizeof *own);

        *own = errand_of(NULL, NULL);
        own->job.done = done_and_free;
        assert_true(offload_submit(resubmit_to, &own->job));
    }
    collect_until(resubmit_to, 100);
    assert_int_equal(errand.done, 50);
    offload_free(resubmit_to);
}

static void *open_gate(void *gate)
{
    sem_post(gate);
    return NULL;
}

/* Running work is waited for, what waits is dropped, nobody is told. */
static void test_free_with_work_left(void **state)
{
    (void)state;
    sem_t gate, arrived;
    struct errand errands[3];
    struct offload *offload = offload_new(1, 3);
    pthread_t opener;

    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    for (int i = 0; i < 3; i++) {
        errands[i] = errand_of(&gate, &arrived);
        assert_true(offload_submit(offload, &errands[i].job));
    }
    while (sem_wait(&arrived) != 0)
        ;
    assert_int_equal(pthread_create(&opener, NULL, open_gate, &gate), 0);
    sem_post(&gate); /* enough for two, should freeing not stop the pool: the third would hang */
    offload_free(offload);
    pthread_join(opener, NULL);
    assert_int_equal(errands[0].worked, 1);
    assert_int_equal(dones, 0);
    sem_destroy(&gate);
    sem_destroy(&arrived);
    offload_free(NULL);
}

static void note_mask(struct offload_job *job)
{
    sigset_t mask;

    work(job);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGHUP))
        abort();
}

static void test_signals_stay_with_the_loop(void **state)
{
    (void)state;
    struct errand errand = errand_of(NULL, NULL);
    sigset_t before, after;

    pthread_sigmask(SIG_SETMASK, NULL, &before);

    struct offload *offload = offload_new(2, 1);

    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    errand.job.work = note_mask;
    assert_true(offload_submit(offload, &errand.job));
    collect_until(offload, 1);
    offload_free(offload);
}

static void test_no_memory(void **state)
{
    (void)state;
    memory_fail_after(0);
    assert_null(offload_new(2, 2));
    memory_fail_never();
}

static atomic_int at_work;
static atomic_int most_at_work;

static void crowd(struct offload_job *job)
{
    int now = ++at_work;
    if (now > most_at_work)
        most_at_work = now;
    for (int i = 0; i < 3000; i++)
        sched_yield();
    at_work--;
    work(job);
}

static void collect(struct offload *offload)
{
    struct pollfd ready = {.fd = offload_fd(offload), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 30000), 1);
    offload_collect(offload);
}

static pid_t start_process_at_work(void)
{
    static struct errand endless;
    static sem_t arrived, never;
    int ends[2];
    char told;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        sem_init(&arrived, 0, 0);
        sem_init(&never, 0, 0);
        endless = (struct errand){.job = {work, done}, .gate = &never, .arrived = &arrived};
        struct offload *offload = offload_new(1, 1);
        if (offload == NULL || !offload_submit(offload, &endless.job))
            _exit(1);
        while (sem_wait(&arrived) != 0)
            ;
        (void)!write(ends[1], "x", 1);
        for (;;)
            pause();
    }
    assert_true(child > 0);
    assert_int_equal(read(ends[0], &told, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return child;
}

/* However many threads and processes there are, so many at once; one that is killed leaves its turn
 * to the others. The limit stays: the last test. */
static void test_turns(void **state)
{
    static struct errand errands[60];
    static struct errand after = {.job = {work, done}};
    struct offload *pools[2];
    (void)state;
    assert_true(offload_share_turns(1));
    for (int i = 0; i < 2; i++)
        assert_non_null(pools[i] = offload_new(3, 60));
    for (int i = 0; i < 60; i++) {
        errands[i] = (struct errand){.job = {crowd, done}};
        assert_true(offload_submit(pools[i % 2], &errands[i].job));
    }
    for (int before = dones; dones < before + 60;)
        for (int i = 0; i < 2; i++)
            offload_collect(pools[i]);
    assert_int_equal(most_at_work, 1);

    pid_t child = start_process_at_work();
    assert_true(offload_submit(pools[0], &after.job));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (after.done == 0)
        collect(pools[0]);
    for (int i = 0; i < 2; i++)
        offload_free(pools[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_job_once, begin),
        cmocka_unit_test_setup(test_the_queue_is_bounded, begin),
        cmocka_unit_test_setup(test_one_thread_keeps_the_order, begin),
        cmocka_unit_test_setup(test_threads_work_side_by_side, begin),
        cmocka_unit_test_setup(test_done_may_submit_or_free, begin),
        cmocka_unit_test_setup(test_free_with_work_left, begin),
        cmocka_unit_test_setup(test_signals_stay_with_the_loop, begin),
        cmocka_unit_test_setup(test_no_memory, begin),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
