#include "benchmarks/run.h"

#include <errno.h>
#include <ev.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "benchmarks/ask.h"
#include "benchmarks/audit.h"
#include "benchmarks/chaos.h"
#include "benchmarks/load.h"
#include "benchmarks/population.h"
#include "benchmarks/run_options.h"
#include "benchmarks/run_record.h"
#include "benchmarks/scenario_file.h"
#include "benchmarks/site.h"
#include "benchmarks/wire.h"

#define REPLAYS 20000
#define BUSY_WARNING 0.9
#define LATE_WARNING (CLOCK_SECOND / 2)
#define OTHER_FILES 64 /* beside the connections */

/* How a peak is measured, as ci/bench does it: enough at once that full batches wait. */
#define PEAK_CONNECTIONS 64
#define PEAK_STREAMS 24
#define PEAK_SECONDS 5
#define PEAK_WARM_UP 1

enum { PASSED = 0, FAILED = 1, MISUSED = 2, INTERRUPTED = 130 };

struct run {
    struct run_options options;
    struct site site;
    struct scenario scenario;
    struct population *population;
    struct wire_target *target;
    struct ev_loop *loop;
    ev_signal interrupt, terminate;
    struct load load;
    struct load probe;   /* of the peak */
    struct load *active; /* which of them is under way */
    struct chaos chaos;
    struct audit audit;
    struct run_record record;
    pthread_mutex_t telling; /* who has it tells the figures, and nobody else */
    bool cut_short;          /* the audit was */
    char name[40];
    char probe_name[48];
    char rate[40]; /* a multiple of the peak */
    pid_t pids[SITE_PARTS];
    double cpu_before[SITE_PARTS];
};

static unsigned long long many(uint64_t count)
{
    return count;
}

/* ---- before the load */

static bool open_target(struct run *run, char *error, size_t size)
{
    const struct run_options *o = &run->options;
    int port = o->port > 0 ? o->port : run->site.port;
    run->target = wire_target_new("127.0.0.1", port, run->site.ca, error, size);
    if (run->target == NULL)
        return false;
    if (ask_answers(run->target, run->loop))
        return true;
    if (o->port > 0)
        snprintf(error, size,
                 "https://127.0.0.1:%d does not answer with HTTP/2 and a certificate of %s: is the "
                 "server there that --port means?",
                 port, run->site.ca);
    else
        snprintf(error, size,
                 "https://127.0.0.1:%d, where %s/demo.json says the server is, does not answer: "
                 "start `ci/up --data %s` in another terminal, and wait for `moolahd ready`",
                 port, o->data, o->data);
    return false;
}

static bool open_population(struct run *run, char *error, size_t size)
{
    struct population_member first;
    run->population = population_open(run->options.data, error, size);
    if (run->population == NULL)
        return false;
    population_member(run->population, 0, &first);
    if (first.token[0] != '\0')
        return true;
    snprintf(error, size, "there are only the demo users: moolah-bench seed --data %s first",
             run->options.data);
    return false;
}

/* Before the load: a minute of measuring is not to end with a path that can't be written. It's
 * only looked at, so that a run that ends early leaves nothing there. */
static bool check_json(const struct run *run, char *error, size_t size)
{
    const char *path = run->options.json;
    struct stat status;
    char folder[PATH_MAX];
    if (path == NULL)
        return true;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    bool there = stat(path, &status) == 0;
    bool good = access(there ? path : folder, W_OK) == 0;
    if (there && S_ISDIR(status.st_mode)) {
        good = false;
        errno = EISDIR;
    }
    if (!good)
        snprintf(error, size, "--json %s can't be written: %s", path, strerror(errno));
    return good;
}

static bool open_all(struct run *run, char *error, size_t size)
{
    return site_open(&run->site, run->options.data, error, size) && open_target(run, error, size) &&
           open_population(run, error, size);
}

static int chosen(int given, int scenario, int otherwise)
{
    return given > 0 ? given : scenario > 0 ? scenario : otherwise;
}

/* Each connection is an open file: as many as the system lets us have. */
static bool allow_files(int connections, char *error, size_t size)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < wanted) {
        snprintf(error, size,
                 "%d connections need %llu open files, and only %llu are allowed: fewer "
                 "--connections, or a higher limit (ulimit -Hn %llu as root)",
                 connections, many(wanted), many(limit.rlim_max), many(wanted));
        return false;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    return true;
}

static bool set_up_load(struct run *run, char *error, size_t size)
{
    const struct run_options *o = &run->options;
    struct load_settings *s = &run->load.settings;
    if (o->zipf >= 0)
        run->scenario.zipf = o->zipf;
    scenario_prepare(&run->scenario,
                     o->wallets > 0 ? o->wallets : population_count(run->population));
    snprintf(run->name, sizeof run->name, "%llx", many((uint64_t)clock_now()));
    s->run = (struct scenario_run){&run->scenario, run->population, run->name,
                                   run->site.partner_key, (uint64_t)clock_now()};
    s->target = run->target;
    s->connections = chosen(o->connections, run->scenario.connections, 64);
    s->streams = chosen(o->streams, run->scenario.streams, 8);
    s->closed = o->rate == NULL;
    s->arrivals = o->arrivals;
    s->warm_up = o->warm_up;
    s->grace = 15;
    s->progress = !o->quiet;
    return allow_files(s->connections + run->scenario.idle, error, size);
}

static void explain_wrong(const struct load *load)
{
    const struct load_wrong *first = &load->first_wrong;
    if (first->status == 0)
        return;
    char count[40] = "in the warm-up";
    if (load->wrong > 0)
        snprintf(count, sizeof count, "%llu", many(load->wrong));
    run_options_say("WRONG answers: %s; the first: %s was answered %d %s%s%s", count, first->call,
                    first->status, first->body,
                    first->request_id[0] == '\0' ? "" : ", X-Request-Id ", first->request_id);
}

/* What the server reaches with the same calls, in a closed loop. They are in nobody's journal:
 * their keys are another run's. 0: it could not be had. */
static double measure_peak(struct run *run, char *error, size_t size)
{
    struct load *probe = &run->probe;
    probe->settings = run->load.settings;
    snprintf(run->probe_name, sizeof run->probe_name, "%sp", run->name);
    probe->settings.run.name = run->probe_name;
    probe->settings.connections = PEAK_CONNECTIONS;
    probe->settings.streams = PEAK_STREAMS;
    probe->settings.closed = true;
    probe->settings.warm_up = PEAK_WARM_UP;
    probe->settings.progress = false;
    bool made = arrivals_parse(&probe->settings.arrivals, "1", PEAK_SECONDS);
    run_options_say("measuring the server's peak first, %d s in a closed loop (--peak N: without)",
                    PEAK_SECONDS);
    run->active = probe;
    bool ran = made && load_run(probe, run->loop, NULL, error, size);
    run->active = &run->load;
    double peak = ran && probe->measured > 0 ? (double)probe->ok / probe->measured : 0;
    if (ran && peak <= 0) {
        explain_wrong(probe);
        snprintf(error, size, "no right answer came while the peak was measured");
    }
    return peak;
}

/* A scenario at a multiple of the peak: an open loop at that rate. */
static bool set_rate(struct run *run, char *error, size_t size)
{
    struct run_options *o = &run->options;
    struct load_settings *s = &run->load.settings;
    double times = run->scenario.of_peak;
    if (times <= 0 || o->rate != NULL || o->closed)
        return true;
    double peak = o->peak > 0 ? o->peak : measure_peak(run, error, size);
    run->load.interrupted = run->probe.interrupted;
    if (peak <= 0 || run->load.interrupted)
        return false;
    snprintf(run->rate, sizeof run->rate, "%.0f", fmax(1, peak * times));
    o->rate = run->rate;
    s->closed = false;
    run_options_say("%g times a peak of %.0f/s: --rate %s", times, peak, run->rate);
    if (!arrivals_parse(&s->arrivals, run->rate, o->seconds)) {
        snprintf(error, size, "%s requests a second are more than can be sent", run->rate);
        return false;
    }
    s->arrivals.poisson = o->poisson;
    return true;
}

/* ---- the load */

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct run *run = watcher->data;
    (void)loop;
    (void)events;
    load_stop(run->active);
}

static void mind_signals(struct run *run)
{
    ev_signal_init(&run->interrupt, on_signal, SIGINT);
    ev_signal_init(&run->terminate, on_signal, SIGTERM);
    run->interrupt.data = run->terminate.data = run;
    ev_signal_start(run->loop, &run->interrupt);
    ev_signal_start(run->loop, &run->terminate);
}

/* From here on a signal ends us, as it does others. */
static void leave_signals(struct run *run)
{
    ev_signal_stop(run->loop, &run->interrupt);
    ev_signal_stop(run->loop, &run->terminate);
}

static void on_tick(void *owner, double second)
{
    struct run *run = owner;
    if (run->options.chaos)
        chaos_tick(&run->chaos, second);
}

static void on_right(void *owner, double began, double answered)
{
    struct run *run = owner;
    chaos_right(&run->chaos, began, answered);
}

static bool on_end(void *owner, double second)
{
    const struct run *run = owner;
    return chaos_wants_more(&run->chaos, second);
}

/* A part whose first process is another one at the end has lost what the first had used. */
static void on_measuring(void *owner, bool begins)
{
    struct run *run = owner;
    for (int i = 0; i < SITE_PARTS; i++) {
        enum site_part part = (enum site_part)i;
        pid_t pid = site_pid(&run->site, part);
        double now = site_cpu(&run->site, part);
        if (!begins)
            run->record.cpu[i] = pid > 0 && pid == run->pids[i] ? now - run->cpu_before[i] : NAN;
        run->pids[i] = pid;
        run->cpu_before[i] = now;
    }
    double sign = begins ? -1 : 1;
    run->record.pool_cpu += sign * site_pool_cpu(&run->site);
    run->record.idle_cpu += sign * site_idle_cpu();
    if (!begins && run->record.pool_cpu < 0) /* a worker has died meanwhile */
        run->record.pool_cpu = NAN;
    if (!begins) /* while its connections stand */
        run->record.memory_moolahd = site_memory(&run->site, SITE_MOOLAHD);
}

static bool drive(struct run *run, char *error, size_t size)
{
    static const char batches[] = "moolah_posting_batch_orders";
    const struct load_watcher watcher = {run, on_tick, on_measuring, on_right, on_end};
    const struct arrivals *arrivals = &run->load.settings.arrivals;
    struct ask_histogram before;
    struct ask_histogram after;
    if (run->options.chaos)
        chaos_plan(&run->chaos, &run->site, arrivals_seconds(arrivals));
    run->record.memory_before = site_memory(&run->site, SITE_MOOLAHD);
    bool asked = run->options.port == 0 && ask_metrics(&run->site, run->loop, batches, &before);
    if (run->load.interrupted || !load_run(&run->load, run->loop, &watcher, error, size))
        return false;
    chaos_end(&run->chaos, arrivals_seconds(arrivals));
    asked = asked && ask_metrics(&run->site, run->loop, batches, &after);
    bool counted = asked && !run->options.chaos && after.count > before.count;
    run->record.batch_mean =
        counted ? (after.sum - before.sum) / (after.count - before.count) : NAN;
    return true;
}

/* ---- after it */

static bool moves_money(const struct scenario *scenario)
{
    for (int i = 0; i < scenario->call_count; i++)
        if (scenario->calls[i].key)
            return true;
    return false;
}

static void fill_record(struct run *run)
{
    struct run_record *r = &run->record;
    const struct run_options *o = &run->options;
    r->name = o->name == NULL ? run->scenario.name : o->name;
    r->load = &run->load;
    r->audit = o->audit && !run->load.interrupted && !run->cut_short ? &run->audit : NULL;
    r->chaos = o->chaos ? &run->chaos : NULL;
    r->rate = o->rate;
    r->unaudited = r->audit == NULL && moves_money(&run->scenario);
}

/* What somebody should know who reads the figures. */
static void warn(const struct run *run)
{
    const struct load *load = &run->load;
    uint64_t refused = load->statuses[429] + load->statuses[503];
    uint64_t answered = 0;
    for (int status = 1; status < LOAD_STATUSES; status++)
        answered += load->statuses[status];
    if (load->busy > BUSY_WARNING)
        run_options_say(
            "the load generator itself was at work for %.0f %% of the time: what you see may be "
            "its limit",
            100 * load->busy);
    if (load->lag_most > LATE_WARNING)
        run_options_say(
            "the load generator was up to %.1f s behind its own schedule: latencies hold that "
            "wait, "
            "and less reached the server than was meant to",
            (double)load->lag_most / CLOCK_SECOND);
    if (refused * 2 > answered && run->scenario.of_peak <= 0)
        run_options_say(
            "most answers were refusals: %llu of %llu (429: %llu, 503: %llu). To measure what the "
            "server does, ask less at once: fewer --connections and --streams, or a lower --rate%s",
            many(refused), many(answered), many(load->statuses[429]), many(load->statuses[503]),
            load->statuses[429] > load->statuses[503]
                ? "; or seed more wallets: 429 limits each user"
                : "");
}

/* Everything that makes the run a failure, told. */
static bool judge(const struct run *run)
{
    const struct load *load = &run->load;
    const struct audit *audit = &run->audit;
    const struct chaos_fault *unhealed = chaos_failed(&run->chaos);
    bool wrong = load->first_wrong.status != 0;
    bool none = load->ok == 0 && load->latency.count == 0;
    bool failed = run->options.audit && audit->faults > 0;
    explain_wrong(load);
    if (none)
        run_options_say("not one answer was right");
    if (unhealed != NULL)
        run_options_say(unhealed->done
                            ? "after '%s' in second %.0f not one right answer came: see "
                              "moolahd.log in %s"
                            : "the fault '%s', due in second %.0f, found nobody to strike "
                              "for a minute: see what ci/up says, and moolahd.log in %s",
                        unhealed->what, unhealed->second, run->options.data);
    if (failed)
        run_options_say("the audit FAILED, %llu faults; the first: %s", many(audit->faults),
                        audit->first);
    return !failed && !none && unhealed == NULL && (!wrong || run->options.chaos);
}

static int finish(struct run *run)
{
    bool keyed = moves_money(&run->scenario);
    fill_record(run);
    run_record_print(&run->record, !keyed || (run->options.audit && run->audit.faults == 0));
    if (keyed && !run->options.audit)
        run_options_say(
            "no throughput is printed, as nobody has looked whether the money is right: --audit "
            "does");
    warn(run);
    bool good = judge(run);
    if (run->options.json == NULL || run_record_write(&run->record, run->options.json))
        return good ? PASSED : FAILED;
    run_options_say("the record could not be written to %s: %s", run->options.json,
                    strerror(errno));
    return FAILED;
}

/* Nobody has audited it, and nobody is to compare it with others. */
static int finish_early(struct run *run)
{
    if (run->load.measured > 0) {
        printf("interrupted after %.1f s of measuring: no audit, no record\n", run->load.measured);
        fill_record(run);
        run_record_print(&run->record, !moves_money(&run->scenario));
        explain_wrong(&run->load);
    } else {
        run_options_say("interrupted before anything was measured");
    }
    return INTERRUPTED;
}

static void ending_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
}

/* A thread that tells what was measured when somebody ends the run while the audit is at work: it
 * waits for the ledger in calls that no loop interrupts. It only reads what is settled by then. */
static void *mind_audit(void *owner)
{
    struct run *run = owner;
    sigset_t signals;
    int number;
    ending_signals(&signals);
    while (sigwait(&signals, &number) != 0)
        continue;
    pthread_mutex_lock(&run->telling);
    run->cut_short = true;
    printf("the audit was interrupted: what follows is UNAUDITED, and there is no record\n");
    fill_record(run);
    run_record_print(&run->record, !moves_money(&run->scenario));
    explain_wrong(&run->load);
    _exit(FAILED);
}

/* False: it could not be done (`error`). After it nobody else tells anything. */
static bool audit(struct run *run, const struct audit_depth *depth, char *error, size_t size)
{
    pthread_t thread;
    sigset_t signals;
    ending_signals(&signals);
    pthread_mutex_init(&run->telling, NULL);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, mind_audit, run) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    bool good = audit_run(&run->audit, &run->load, &run->site, run->loop, depth);
    pthread_mutex_lock(&run->telling);
    if (!good)
        snprintf(error, size, "%s", run->audit.first);
    return good;
}

static void release(struct run *run)
{
    load_release(&run->load);
    load_release(&run->probe);
    wire_target_free(run->target);
    population_free(run->population);
}

static int measure(struct run *run, char *error, size_t size)
{
    bool keys_only = run->options.keys_only && !run->options.chaos;
    const struct audit_depth depth = {keys_only ? REPLAYS / 10 : REPLAYS, !keys_only};
    mind_signals(run);
    bool driven = set_rate(run, error, size) && drive(run, error, size);
    leave_signals(run);
    if (run->load.interrupted)
        return finish_early(run);
    if (!driven)
        return FAILED;
    if (run->options.audit && !audit(run, &depth, error, size))
        return FAILED;
    error[0] = '\0';
    return finish(run);
}

int run_main(int argc, char **argv)
{
    static struct run run;
    char error[800] = "out of memory";
    int code = run_options_read(&run.options, argc, argv);
    if (code >= 0)
        return code;
    signal(SIGPIPE, SIG_IGN);
    run.loop = ev_default_loop(EVFLAG_AUTO);
    run.active = &run.load;
    bool understood = scenario_file_load(&run.scenario, run.options.scenario, error, sizeof error);
    code = understood ? FAILED : MISUSED;
    if (understood && open_all(&run, error, sizeof error)) {
        bool fits = run_options_fit(&run.options, &run.scenario, population_count(run.population),
                                    error, sizeof error);
        if (!fits)
            code = MISUSED;
        else if (check_json(&run, error, sizeof error) && set_up_load(&run, error, sizeof error))
            code = measure(&run, error, sizeof error);
    }
    if ((code == FAILED || code == MISUSED) && error[0] != '\0')
        run_options_say("%s", error);
    release(&run);
    return code;
}
