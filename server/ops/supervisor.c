#include "ops/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/listen.h"
#include "ops/notify.h"

#define TICK_NS 20000000 /* how long the master may sleep */
#define HANG_US (10 * CLOCK_SECOND)
#define SHORT_LIFE_US CLOCK_SECOND
#define SHORT_LIVES_FREE 5 /* a worker may die so often at once before it has to wait */
#define BACKOFF_MAX_US (5 * CLOCK_SECOND)
#define UPGRADE_US (30 * CLOCK_SECOND)
#define UPGRADE_FD "MOOLAH_UPGRADE_FD"

struct slot {
    pid_t pid; /* 0: none */
    int64_t started;
    int64_t restart_at;
    int64_t backoff;
    int short_lives; /* in a row */
};

struct supervisor {
    const struct supervisor_settings *settings;
    struct listen_set sockets;
    struct slot slots[SUPERVISOR_SLOTS_MAX];
    struct supervisor_word *words; /* shared with the workers */
    sigset_t signals;
    bool told_ready;
    bool stopping;
    int64_t stop_deadline;
    int64_t watchdog; /* interval, 0: none */
    int64_t watchdog_sent;
    pid_t successor;  /* a new master on its way */
    int successor_fd; /* it says when it serves */
    int64_t successor_deadline;
};

static metric restarts;

void supervisor_register_metrics(void)
{
    restarts = metrics_register(METRIC_COUNTER, "moolah_worker_restarts_total", "",
                                "Workers that died and were started again");
}

static void run_worker(struct supervisor *s, int slot)
{
    int fds[SUPERVISOR_LISTENERS_MAX];
    pid_t master = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master || master == 1)
        _exit(1);
    for (int i = 0; i < s->settings->listeners; i++)
        fds[i] = listen_fd(&s->sockets, slot, i);
    sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
    _exit(s->settings->work(s->settings->owner, slot, fds, &s->words[slot]));
}

static void start_worker(struct supervisor *s, int slot)
{
    int64_t now = clock_monotonic();
    s->words[slot].ready = false;
    s->words[slot].heartbeat = now;
    log_flush();
    pid_t pid = fork();
    if (pid == 0)
        run_worker(s, slot);
    s->slots[slot].started = now;
    s->slots[slot].pid = pid > 0 ? pid : 0;
    s->slots[slot].restart_at = pid > 0 ? 0 : now + CLOCK_SECOND;
    if (pid < 0)
        log_message(LOG_ERROR, "fork_failed", "%s", strerror(errno));
}

static void signal_workers(const struct supervisor *s, int number)
{
    for (int slot = 0; slot < s->settings->workers; slot++)
        if (s->slots[slot].pid > 0)
            kill(s->slots[slot].pid, number);
}

static void worker_died(struct supervisor *s, int slot, int status)
{
    struct slot *dead = &s->slots[slot];
    int64_t now = clock_monotonic();
    bool short_lived = now - dead->started < SHORT_LIFE_US;
    dead->pid = 0;
    metrics_clear_gauges(slot);
    if (s->stopping)
        return;
    metrics_add(restarts, 1);
    log_message(LOG_ERROR, "worker_died", "slot %d: %s %d", slot,
                WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    dead->short_lives = short_lived ? dead->short_lives + 1 : 0;
    dead->backoff = dead->short_lives < SHORT_LIVES_FREE ? 0
                    : dead->backoff == 0                 ? CLOCK_SECOND / 20
                                                         : dead->backoff * 2;
    if (dead->backoff > BACKOFF_MAX_US)
        dead->backoff = BACKOFF_MAX_US;
    dead->restart_at = now + dead->backoff;
}

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->successor) {
            log_message(LOG_ERROR, "upgrade_failed", "the new master died; this one goes on");
            s->successor = 0;
            close(s->successor_fd);
        }
        for (int slot = 0; slot < s->settings->workers; slot++)
            if (s->slots[slot].pid == pid)
                worker_died(s, slot, status);
    }
}

static void stop(struct supervisor *s)
{
    if (s->stopping) {
        signal_workers(s, SIGKILL);
        return;
    }
    s->stopping = true;
    s->stop_deadline = clock_monotonic() + (int64_t)s->settings->drain_s * CLOCK_SECOND;
    log_message(LOG_INFO, "stopping", "draining for at most %d s", s->settings->drain_s);
    notify_send("STOPPING=1");
    signal_workers(s, SIGTERM);
}

static void exec_successor(struct supervisor *s, int ready_fd)
{
    static char sockets[8192];
    char path[4096];
    char number[16];
    snprintf(number, sizeof number, "%d", ready_fd);
    setenv(UPGRADE_FD, number, 1);
    sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
    if (listen_export(&s->sockets, sockets, sizeof sockets) && putenv(sockets) == 0) {
        execvp(s->settings->argv[0], s->settings->argv);
        /* called by a path that leads nowhere any more: the binary we are */
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        if (length > 0) {
            path[length] = '\0';
            execv(path, s->settings->argv);
        }
    }
    _exit(127);
}

/* A new binary on the same sockets. It says when all its workers serve; only then do ours stop. */
static void upgrade(struct supervisor *s)
{
    int ends[2];
    if (s->successor > 0 || s->stopping || pipe2(ends, O_NONBLOCK) != 0)
        return;
    log_flush();
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        exec_successor(s, ends[1]);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    if (pid < 0) {
        close(ends[0]);
        return;
    }
    s->successor = pid;
    s->successor_fd = ends[0];
    s->successor_deadline = clock_monotonic() + UPGRADE_US;
    log_message(LOG_INFO, "upgrading", "new master is process %d", (int)pid);
}

static void watch_successor(struct supervisor *s)
{
    char byte;
    if (s->successor == 0)
        return;
    ssize_t got = read(s->successor_fd, &byte, 1);
    if (got == 1) {
        char state[64];
        snprintf(state, sizeof state, "MAINPID=%d\nREADY=1", (int)s->successor);
        notify_send(state);
        close(s->successor_fd);
        s->successor = 0;
        stop(s);
        return;
    }
    bool closed = got == 0;
    if (!closed && clock_monotonic() < s->successor_deadline)
        return;
    log_message(LOG_ERROR, "upgrade_failed", "the new master doesn't serve; this one goes on");
    kill(s->successor, SIGKILL);
    close(s->successor_fd);
    s->successor = 0;
}

static void tell_ready(struct supervisor *s)
{
    const char *upgrade_fd = getenv(UPGRADE_FD);
    for (int slot = 0; slot < s->settings->workers; slot++)
        if (!__atomic_load_n(&s->words[slot].ready, __ATOMIC_ACQUIRE))
            return;
    s->told_ready = true;
    notify_send("READY=1");
    s->settings->ready(s->settings->owner);
    if (upgrade_fd == NULL)
        return;
    int fd = (int)strtol(upgrade_fd, NULL, 10);
    ssize_t written = write(fd, "r", 1);
    (void)written;
    close(fd);
    unsetenv(UPGRADE_FD);
}

static void look_after_workers(struct supervisor *s)
{
    int64_t now = clock_monotonic();
    bool all_well = true;
    for (int slot = 0; slot < s->settings->workers; slot++) {
        struct slot *at = &s->slots[slot];
        if (at->pid == 0 && !s->stopping && at->restart_at <= now)
            start_worker(s, slot);
        int64_t beat = __atomic_load_n(&s->words[slot].heartbeat, __ATOMIC_RELAXED);
        bool hangs = at->pid > 0 && now - beat > HANG_US;
        all_well = all_well && !hangs && at->pid > 0;
        if (!hangs)
            continue;
        log_message(LOG_ERROR, "worker_hangs", "slot %d has stood still for 10 s: killed", slot);
        s->words[slot].heartbeat = now;
        kill(at->pid, SIGKILL);
    }
    if (s->watchdog > 0 && all_well && now - s->watchdog_sent >= s->watchdog) {
        notify_send("WATCHDOG=1");
        s->watchdog_sent = now;
    }
}

static bool is_finished(struct supervisor *s)
{
    bool any = false;
    if (!s->stopping)
        return false;
    for (int slot = 0; slot < s->settings->workers; slot++)
        any = any || s->slots[slot].pid > 0;
    if (any && clock_monotonic() > s->stop_deadline)
        signal_workers(s, SIGKILL);
    return !any;
}

static void take_signal(struct supervisor *s, int number)
{
    switch (number) {
    case SIGCHLD:
        reap(s);
        break;
    case SIGHUP:
        notify_send("RELOADING=1");
        if (s->settings->may_reload(s->settings->owner))
            signal_workers(s, SIGHUP);
        notify_send("READY=1");
        break;
    case SIGTERM:
    case SIGINT:
        stop(s);
        break;
    case SIGUSR2:
        upgrade(s);
        break;
    default:
        break;
    }
}

static bool prepare(struct supervisor *s)
{
    const struct supervisor_settings *settings = s->settings;
    size_t size = SUPERVISOR_SLOTS_MAX * sizeof s->words[0];
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    s->words = memory;
    sigemptyset(&s->signals);
    const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&s->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &s->signals, NULL);
    if (listen_inherit(&s->sockets, settings->listeners, settings->workers) ||
        listen_open(&s->sockets, settings->addresses, settings->listeners, settings->workers))
        return true;
    fprintf(stderr, "moolahd: %s\n", s->sockets.error);
    return false;
}

int supervisor_run(const struct supervisor_settings *settings)
{
    static struct supervisor supervisor;
    struct supervisor *s = &supervisor;
    const struct timespec tick = {.tv_nsec = TICK_NS};
    s->settings = settings;
    if (!prepare(s))
        return 1;
    s->watchdog = notify_watchdog_interval();
    for (int slot = 0; slot < settings->workers; slot++)
        start_worker(s, slot);
    while (!is_finished(s)) {
        int number = sigtimedwait(&s->signals, NULL, &tick);
        if (number > 0)
            take_signal(s, number);
        look_after_workers(s);
        watch_successor(s);
        if (!s->told_ready && !s->stopping)
            tell_ready(s);
        log_flush();
    }
    listen_close(&s->sockets);
    log_message(LOG_INFO, "stopped", "all workers have ended");
    log_flush();
    return 0;
}
