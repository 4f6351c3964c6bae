#include "ops/supervisor.h"

#include <errno.h>
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
#include "ops/upgrade.h"

#define TICK_NS 20000000 /* how long the master may sleep */
#define SHORT_LIFE_US CLOCK_SECOND
#define SHORT_LIVES_FREE 5 /* a worker may die so often at once before it has to wait */
#define BACKOFF_MAX_US (INT64_C(5) * CLOCK_SECOND)

struct slot {
    pid_t pid; /* 0: none */
    int64_t started;
    int64_t restart_at;
    int64_t backoff;
    int short_lives; /* in a row */
};

struct supervisor {
    const struct supervisor_settings *settings;
    pid_t pid;
    struct listen_set sockets;
    struct slot slots[SUPERVISOR_SLOTS_MAX];
    struct supervisor_word *words; /* shared with the workers */
    sigset_t signals;
    bool told_ready;
    bool reloading;
    int64_t reloads; /* HUPs that were passed on */
    bool stopping;
    int64_t stop_deadline;
    int64_t watchdog; /* how often to tell it, 0: none */
    int64_t watchdog_told;
    uint64_t dropped; /* log lines, counted already */
    struct upgrade upgrade;
};

static struct {
    metric restarts;
    metric reloads;
    metric refused;
    metric upgrades_failed;
    metric dropped;
} metrics;

void supervisor_register_metrics(void)
{
    const char *reloads = "moolah_reloads_total";
    const char *help = "HUPs: configuration, certificate and rules taken, or refused as a whole";
    metrics.restarts = metrics_register(METRIC_COUNTER, "moolah_worker_restarts_total", "",
                                        "Workers that died and were started again");
    metrics.reloads = metrics_register(METRIC_COUNTER, reloads, "result=\"accepted\"", help);
    metrics.refused = metrics_register(METRIC_COUNTER, reloads, "result=\"refused\"", help);
    metrics.upgrades_failed = metrics_register(METRIC_COUNTER, "moolah_upgrades_failed_total", "",
                                               "Upgrades (USR2) whose new master did not serve");
    metrics.dropped = metrics_register(METRIC_COUNTER, "moolah_log_lines_dropped_total", "",
                                       "Log lines lost because their reader stood still");
}

static void run_worker(struct supervisor *s, int slot)
{
    static struct listen_socket sockets[LISTEN_MAX];
    struct supervisor_seat seat = {.slot = slot, .sockets = sockets, .word = &s->words[slot]};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->pid) /* it died before it could take us with it */
        _exit(1);
    seat.count = listen_of_slot(&s->sockets, slot, s->settings->workers, sockets);
    _exit(s->settings->work(s->settings->owner, &seat));
}

static void start_worker(struct supervisor *s, int slot)
{
    int64_t now = clock_monotonic();
    s->words[slot].ready = false;
    s->words[slot].heartbeat = now;
    s->words[slot].reloads = s->reloads; /* it begins with what was loaded last */
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
    metrics_add(metrics.restarts, 1);
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
        if (upgrade_reap(&s->upgrade, pid, status))
            metrics_add(metrics.upgrades_failed, 1);
        for (int slot = 0; slot < s->settings->workers; slot++)
            if (s->slots[slot].pid == pid)
                worker_died(s, slot, status);
    }
}

/* A successor that doesn't serve yet stops with us. */
static void end_at_once(const struct supervisor *s)
{
    signal_workers(s, SIGKILL);
    if (s->upgrade.pid > 0)
        kill(s->upgrade.pid, SIGKILL);
}

static void drain(struct supervisor *s)
{
    s->stopping = true;
    s->stop_deadline = clock_monotonic() + (int64_t)s->settings->drain_s * CLOCK_SECOND;
    log_message(LOG_INFO, "stopping", "draining for at most %d s", s->settings->drain_s);
    signal_workers(s, SIGTERM);
    if (s->upgrade.pid > 0)
        kill(s->upgrade.pid, SIGTERM);
}

static void stop(struct supervisor *s)
{
    if (s->stopping) {
        end_at_once(s);
        return;
    }
    notify_send("STOPPING=1");
    drain(s);
}

static void reload(struct supervisor *s)
{
    if (s->stopping)
        return;
    notify_reloading();
    s->reloading = true;
    if (!s->settings->may_reload(s->settings->owner)) {
        metrics_add(metrics.refused, 1);
        return;
    }
    metrics_add(metrics.reloads, 1);
    s->reloads++;
    signal_workers(s, SIGHUP);
}

/* systemd hears that the reload is over when every worker has dealt with it. */
static void look_whether_reloaded(struct supervisor *s)
{
    if (!s->reloading)
        return;
    for (int slot = 0; slot < s->settings->workers; slot++)
        if (__atomic_load_n(&s->words[slot].reloads, __ATOMIC_ACQUIRE) < s->reloads)
            return;
    s->reloading = false;
    notify_send("READY=1");
}

static void look_after_upgrade(struct supervisor *s)
{
    char state[64];
    pid_t pid = 0;
    switch (upgrade_poll(&s->upgrade, &pid)) {
    case UPGRADE_NOTHING:
        break;
    case UPGRADE_FAILED:
        metrics_add(metrics.upgrades_failed, 1);
        break;
    case UPGRADE_SERVES:
        /* no STOPPING=1: the service goes on */
        snprintf(state, sizeof state, "MAINPID=%d\nREADY=1", (int)pid);
        notify_send(state);
        log_message(LOG_INFO, "upgraded", "process %d serves", (int)pid);
        drain(s);
        break;
    }
}

static void tell_ready(struct supervisor *s)
{
    for (int slot = 0; slot < s->settings->workers; slot++)
        if (!__atomic_load_n(&s->words[slot].ready, __ATOMIC_ACQUIRE))
            return;
    s->told_ready = true;
    s->settings->ready(s->settings->owner);
    notify_send("READY=1");
    upgrade_tell_ready();
}

/* True when all is well: nobody missing, nobody late. */
static bool look_after_workers(struct supervisor *s)
{
    int64_t now = clock_monotonic();
    bool all_well = true;
    for (int slot = 0; slot < s->settings->workers; slot++) {
        struct slot *at = &s->slots[slot];
        if (at->pid == 0 && !s->stopping && at->restart_at <= now)
            start_worker(s, slot);
        int64_t quiet = now - __atomic_load_n(&s->words[slot].heartbeat, __ATOMIC_RELAXED);
        bool hangs = at->pid > 0 && quiet > s->settings->hang_us;
        all_well = all_well && at->pid > 0 && quiet <= s->settings->hang_us / 5;
        if (!hangs)
            continue;
        log_message(LOG_ERROR, "worker_hangs", "slot %d has stood still for %lld ms: killed", slot,
                    (long long)quiet / 1000);
        s->words[slot].heartbeat = now;
        kill(at->pid, SIGKILL);
    }
    return all_well;
}

static void tell_watchdog(struct supervisor *s)
{
    int64_t now = clock_monotonic();
    if (s->watchdog == 0 || !s->told_ready || now - s->watchdog_told < s->watchdog)
        return;
    notify_send("WATCHDOG=1");
    s->watchdog_told = now;
}

static void count_dropped_lines(struct supervisor *s)
{
    uint64_t dropped = log_dropped();
    metrics_add(metrics.dropped, dropped - s->dropped);
    s->dropped = dropped;
}

static bool is_finished(struct supervisor *s)
{
    bool any = s->upgrade.pid > 0;
    if (!s->stopping)
        return false;
    for (int slot = 0; slot < s->settings->workers; slot++)
        any = any || s->slots[slot].pid > 0;
    if (any && clock_monotonic() > s->stop_deadline)
        end_at_once(s);
    return !any;
}

static void take_signal(struct supervisor *s, int number)
{
    switch (number) {
    case SIGCHLD:
        reap(s);
        break;
    case SIGHUP:
        reload(s);
        break;
    case SIGTERM:
    case SIGINT:
        stop(s);
        break;
    case SIGUSR2:
        if (!s->stopping)
            upgrade_start(&s->upgrade, &s->sockets, s->settings->argv, &s->signals);
        break;
    default:
        break;
    }
}

static bool prepare(struct supervisor *s)
{
    const struct supervisor_settings *settings = s->settings;
    char complaint[300];
    size_t size = SUPERVISOR_SLOTS_MAX * sizeof s->words[0];
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    s->words = memory;
    s->pid = getpid();
    s->watchdog = notify_watchdog() / 2;
    upgrade_init(&s->upgrade, settings->argv[0]);
    sigemptyset(&s->signals);
    const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&s->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &s->signals, NULL);
    if (listen_open(&s->sockets, settings->addresses, settings->listeners, settings->workers))
        return true;
    snprintf(complaint, sizeof complaint, "moolahd: %s\n", s->sockets.error);
    upgrade_complain(complaint);
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
    for (int slot = 0; slot < settings->workers; slot++)
        start_worker(s, slot);
    while (!is_finished(s)) {
        int number = sigtimedwait(&s->signals, NULL, &tick);
        if (number > 0)
            take_signal(s, number);
        if (look_after_workers(s))
            tell_watchdog(s);
        look_after_upgrade(s);
        if (!s->told_ready && !s->stopping)
            tell_ready(s);
        look_whether_reloaded(s);
        count_dropped_lines(s);
        log_flush();
    }
    listen_close(&s->sockets);
    log_message(LOG_INFO, "stopped", "all workers have ended");
    log_flush();
    return 0;
}
