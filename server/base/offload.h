/* Work that blocks (argon2id) on a small thread pool with a bounded queue, in the scheduler's
 * lowest class: it gets the cores' idle time, and under full load next to nothing. The loop's
 * thread submits, and is told by an eventfd that finished work waits to be picked up; `done` runs
 * in the loop's thread, never inside offload_submit. */
#ifndef BASE_OFFLOAD_H
#define BASE_OFFLOAD_H

#include <stdbool.h>

struct offload;

struct offload_job {
    void (*work)(struct offload_job *job); /* on a pool thread: touches nothing but the job */
    void (*done)(struct offload_job *job); /* back in the loop's thread */
    struct offload_job *next;
};

/* Before the processes are forked that will have pools: all of them together run at most `at_once`
 * jobs at the same time; the turn of one that dies is free at once. Not called: each pool runs as
 * many as it has threads. False: errno. */
bool offload_share_turns(int at_once);

struct offload *offload_new(int threads, int queue_max);
/* Waits for running work, drops what is queued without calling done. */
void offload_free(struct offload *offload);

/* False: the queue is full (answer 503 overloaded). The job stays the caller's and must live until
 * done. */
bool offload_submit(struct offload *offload, struct offload_job *job);

int offload_fd(const struct offload *offload); /* readable when something is done */
void offload_collect(struct offload *offload); /* calls done for all that is */
int offload_queued(const struct offload *offload);

#endif
