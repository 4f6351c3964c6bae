#include "base/offload.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

/* A list that grows at its end. */
struct jobs {
    struct offload_job *first;
    struct offload_job *last;
};

struct offload {
    pthread_mutex_t lock; /* guards everything down to `stopping` */
    pthread_cond_t wake;
    struct jobs queue;
    struct jobs finished;
    int queued;
    bool stopping;

    int queue_max;
    int eventfd;
    int running; /* threads started */
    pthread_t threads[];
};

static int turns;         /* 0: no limit */
static int turns_fd = -1; /* a byte of it per turn, to be locked */

bool offload_share_turns(int at_once)
{
    assert(at_once > 0);
    if (turns_fd < 0)
        turns_fd = memfd_create("offload", MFD_CLOEXEC);
    turns = at_once;
    return turns_fd >= 0;
}

/* A thread's own view of the file: locks belong to it, and end with it. */
static int open_turns(void)
{
    char path[32];
    if (turns == 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", turns_fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

static bool lock_turn(int fd, int turn, short kind, int command)
{
    struct flock place = {.l_type = kind, .l_whence = SEEK_SET, .l_start = turn, .l_len = 1};
    int result;
    do
        result = fcntl(fd, command, &place);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Any that is free, else wait for one. Without /proc or locks nobody waits. */
static int take_turn(int fd)
{
    for (int turn = 0; fd >= 0 && turn < turns; turn++)
        if (lock_turn(fd, turn, F_WRLCK, F_OFD_SETLK))
            return turn;
    int turn = turns == 0 ? 0 : (int)(gettid() % turns);
    if (fd >= 0)
        (void)lock_turn(fd, turn, F_WRLCK, F_OFD_SETLKW);
    return turn;
}

static void jobs_add(struct jobs *jobs, struct offload_job *job)
{
    job->next = NULL;
    if (jobs->first == NULL)
        jobs->first = job;
    else
        jobs->last->next = job;
    jobs->last = job;
}

static struct offload_job *jobs_take(struct jobs *jobs)
{
    struct offload_job *job = jobs->first;

    if (job != NULL)
        jobs->first = job->next;
    return job;
}

static void ring(struct offload *offload)
{
    const uint64_t one = 1;
    ssize_t written = write(offload->eventfd, &one, sizeof one);

    (void)written; /* only a full counter could refuse, and that one is readable */
}

/* The scheduler's lowest class: whoever answers requests (the loops, PostgreSQL, Redis) takes the
 * core from a thread of the pool at once, and a core with nothing else on it counts as free for
 * them. A kernel that says no leaves us as we were. */
static void stand_back(void)
{
    const struct sched_param none = {0};

    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}

/* Rings outside the lock: the loop's thread takes the core over at that moment, and would wait for
 * the lock of a thread that isn't let run. */
static void *serve(void *pointer)
{
    struct offload *offload = pointer;
    int fd = open_turns();

    stand_back();

    pthread_mutex_lock(&offload->lock);
    while (!offload->stopping) {
        struct offload_job *job = jobs_take(&offload->queue);

        if (job == NULL) {
            pthread_cond_wait(&offload->wake, &offload->lock);
            continue;
        }
        offload->queued--;
        pthread_mutex_unlock(&offload->lock);
        int turn = take_turn(fd);
        job->work(job);
        if (fd >= 0)
            (void)lock_turn(fd, turn, F_UNLCK, F_OFD_SETLK);
        pthread_mutex_lock(&offload->lock);
        jobs_add(&offload->finished, job);
        pthread_mutex_unlock(&offload->lock);
        ring(offload);
        pthread_mutex_lock(&offload->lock);
    }
    pthread_mutex_unlock(&offload->lock);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Signals belong to the loop's thread: the pool's threads block all of them. */
static bool start_threads(struct offload *offload, int threads)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (offload->running < threads) {
        pthread_t *thread = &offload->threads[offload->running];

        if (pthread_create(thread, NULL, serve, offload) != 0)
            break;
        pthread_setname_np(*thread, "offload");
        offload->running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return offload->running == threads;
}

struct offload *offload_new(int threads, int queue_max)
{
    assert(threads > 0 && queue_max > 0);

    struct offload *offload =
        memory_alloc(sizeof *offload + (size_t)threads * sizeof offload->threads[0]);

    if (offload == NULL)
        return NULL;
    offload->queue_max = queue_max;
    offload->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (offload->eventfd < 0) {
        memory_free(offload);
        return NULL;
    }
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->wake, NULL);
    if (!start_threads(offload, threads)) {
        offload_free(offload);
        return NULL;
    }
    return offload;
}

void offload_free(struct offload *offload)
{
    if (offload == NULL)
        return;
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->wake);
    pthread_mutex_unlock(&offload->lock);
    for (int i = 0; i < offload->running; i++)
        pthread_join(offload->threads[i], NULL);
    pthread_cond_destroy(&offload->wake);
    pthread_mutex_destroy(&offload->lock);
    close(offload->eventfd);
    memory_free(offload);
}

bool offload_submit(struct offload *offload, struct offload_job *job)
{
    assert(job->work != NULL && job->done != NULL);
    pthread_mutex_lock(&offload->lock);

    bool room = offload->queued < offload->queue_max;

    if (room) {
        jobs_add(&offload->queue, job);
        offload->queued++;
        pthread_cond_signal(&offload->wake);
    }
    pthread_mutex_unlock(&offload->lock);
    return room;
}

int offload_fd(const struct offload *offload)
{
    return offload->eventfd;
}

void offload_collect(struct offload *offload)
{
    uint64_t count;

    pthread_mutex_lock(&offload->lock);

    /* Before the list is taken: what isn't on it yet rings again. Nothing to read: called without
     * being told to. */
    ssize_t got = read(offload->eventfd, &count, sizeof count);
    struct jobs finished = offload->finished;

    offload->finished = (struct jobs){0};
    pthread_mutex_unlock(&offload->lock);
    (void)got;

    struct offload_job *job;

    /* Taken off the list before done, which may free the job or submit it again. */
    while ((job = jobs_take(&finished)) != NULL)
        job->done(job);
}

int offload_queued(const struct offload *offload)
{
    /* The lock is no part of what const promises. */
    pthread_mutex_t *lock = (pthread_mutex_t *)&offload->lock;

    pthread_mutex_lock(lock);

    int queued = offload->queued;

    pthread_mutex_unlock(lock);
    return queued;
}
