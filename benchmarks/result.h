/* A benchmark's result as a C struct, read from the JSON that a run of the harness writes (format
 * 1). Reading is strict where it matters: a member of the wrong kind, a number beyond 1e18, a text
 * beyond 400 bytes or a list beyond its most is an error that names the place (a JSON pointer).
 * Members that are not known are passed over, so an older reader reads a newer file. What is absent
 * or null is NAN, or an empty text: nothing is made up. */
#ifndef BENCHMARKS_RESULT_H
#define BENCHMARKS_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct arena;

#define RESULT_BYTES_MAX ((size_t)64 << 20) /* of a file */
#define RESULT_TEXT_MAX 400
#define RESULT_MESSAGE_MAX 480
#define RESULT_RUNS_MAX 500
#define RESULT_LIST_MAX 10000 /* elements of any other list */

/* A member of machine, versions, settings, data, statuses or cpu_us_per_request. */
struct result_entry {
    const char *name;
    const char *text; /* as it is to be shown */
    double number;    /* NAN: it is none */
};

struct result_entries {
    struct result_entry *at;
    size_t count;
};

struct result_percentiles { /* microseconds */
    double mean, p50, p90, p99, p999, p9999, max;
};

struct result_quantile {
    double part; /* 0 to 1: this part of the calls was at most */
    double us;
};

struct result_second { /* a point of a run's time line */
    double t;          /* seconds since the run began */
    double offered, ok, refused, failed;
    double p50, p99; /* microseconds */
};

struct result_fault {
    double t;
    const char *what;
};

struct result_call {
    const char *name;
    double sent, ok, p50, p99;
};

struct result_run {
    const char *name, *scenario, *mode, *audit; /* audit: "passed", "failed", "off" */
    double connections, streams, rate, seconds;
    double throughput, offered; /* per second */
    double sent;
    struct result_percentiles latency, service;
    double batch_mean, bench_busy;       /* bench_busy: the generator's share of its core */
    struct result_entries statuses, cpu; /* cpu: microseconds a request, by process */
    struct result_quantile *spectrum;
    size_t spectrum_count;
    struct result_second *series;
    size_t series_count;
    struct result_fault *faults;
    size_t fault_count;
    struct result_call *calls;
    size_t call_count;
};

struct result_load { /* a point of the throughput-latency curve */
    double offered, throughput, p50, p99, batch_mean;
};

struct result_guarantee {
    const char *name;
    double per_second;
};

struct result_baseline {
    const char *name, *unit;
    double value;
};

struct result_figure {
    const char *name, *unit;
    double value, target; /* target NAN: none was set */
    bool lower;           /* lower is better */
};

struct result {
    const char *at, *commit;
    bool quick;
    struct result_entries machine, versions, settings, data;
    struct result_run *runs;
    size_t run_count;
    struct result_load *curve;
    size_t curve_count;
    struct result_guarantee *guarantees;
    size_t guarantee_count;
    struct result_baseline *baselines;
    size_t baseline_count;
    struct result_figure *figures;
    size_t figure_count;
};

/* All of it lies in the arena. NULL: the message says what is wrong and where. */
const struct result *result_parse(struct slice text, struct arena *arena,
                                  char message[RESULT_MESSAGE_MAX]);

/* The same of a file; the message begins with its path. Of a file that is for another command it
 * names that command. */
const struct result *result_read(const char *path, struct arena *arena,
                                 char message[RESULT_MESSAGE_MAX]);

const struct result_run *result_find_run(const struct result *result, const char *name);

/* NAN when there is no such member, or it is no number. */
double result_number(const struct result_entries *entries, const char *name);
const char *result_text(const struct result_entries *entries, const char *name); /* NULL: none */

/* What may be shown as the run's throughput: NAN when its audit failed. Money that went wrong has
 * no speed. */
double result_throughput(const struct result_run *run);

/* Calls without any proper answer (lost, or a 5xx that isn't the 503 of an orderly refusal) as a
 * part of those sent; NAN when nothing was counted. */
double result_failed_part(const struct result_run *run);

/* What makes the result itself doubtful: a run of uniform transfers that was faster than
 * send_money_peak by more than noise, so the peak was measured cold and each ratio to it is too
 * good or too bad. False: nothing. */
bool result_warning(const struct result *result, char message[RESULT_MESSAGE_MAX]);

/* The processes whose CPU any run tells, each once, in the order met; more are left out. */
#define RESULT_PROCESSES_MAX 8
size_t result_processes(const struct result *result, const char *names[RESULT_PROCESSES_MAX]);

enum result_verdict { RESULT_REACHED, RESULT_MISSED, RESULT_OPEN /* no target, or no value */ };
enum result_verdict result_judge(const struct result_figure *figure);
const char *result_verdict_name(enum result_verdict verdict);

#endif
