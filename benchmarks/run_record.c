#include "benchmarks/run_record.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/json.h"
#include "benchmarks/load_count.h"

static const struct {
    const char *name;
    double part;
} percentiles[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
                   {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

#define PERCENTILES (sizeof percentiles / sizeof percentiles[0])

static double throughput(const struct load *load)
{
    return (double)load->ok / load->measured;
}

static double per_request_us(const struct load *load, double seconds)
{
    return load->ok == 0 ? NAN : seconds * 1e6 / (double)load->ok;
}

static double cpu_us(const struct run_record *record, enum site_part part)
{
    return per_request_us(record->load, record->cpu[part]);
}

static double cpu_bench_us(const struct load *load)
{
    return per_request_us(load, load->busy * load->measured);
}

#define TEXT_MAX 24

/* In microseconds; "-" where too few values lie beyond. */
static const char *percentile(char text[TEXT_MAX], const struct histogram *histogram, double part)
{
    if (!histogram_supports(histogram, part))
        return "-";
    snprintf(text, TEXT_MAX, "%lld", (long long)histogram_at(histogram, part));
    return text;
}

static void print_latency(const char *name, const struct histogram *histogram)
{
    char text[TEXT_MAX];
    for (size_t i = 0; i < PERCENTILES && histogram->count > 0; i++)
        printf("%s_%s %s us\n", name, percentiles[i].name,
               percentile(text, histogram, percentiles[i].part));
}

/* Nothing when it's not known: a figure that is there can be trusted. */
static void print_figure(const char *name, const char *part, double value, const char *unit)
{
    if (!isnan(value))
        printf("%s%s %.1f %s\n", name, part, value, unit);
}

/* What is true of all calls together is true of none, where they are unlike. */
static void print_calls(const struct load *load)
{
    const struct scenario *scenario = load->settings.run.scenario;
    char t[2][TEXT_MAX];
    if (scenario->call_count < 2)
        return;
    printf("%-16s %10s %10s %10s %10s\n", "call", "sent", "ok", "p50 us", "p99 us");
    for (int i = 0; i < scenario->call_count; i++) {
        const struct load_call_figures *figures = &load->calls[i];
        printf("%-16s %10llu %10llu %10s %10s\n", scenario->calls[i].name,
               (unsigned long long)figures->sent, (unsigned long long)figures->ok,
               percentile(t[0], &figures->latency, 0.5), percentile(t[1], &figures->latency, 0.99));
    }
}

/* Of each part of the schedule. */
static void print_steps(const struct load *load, bool with_throughput)
{
    char t[4][TEXT_MAX];
    if (load->step_count == 0)
        return;
    printf("%-16s %8s %10s %10s %10s %10s %10s\n", "step", "seconds", "offered/s", "right/s",
           "refused", "p50 us", "p99 us");
    for (int i = 0; i < load->step_count; i++) {
        const struct load_step *step = &load->steps[i];
        double seconds = load_count_seconds(load, step);
        if (seconds <= 0)
            continue;
        snprintf(t[0], TEXT_MAX, step->from == step->to ? "%g/s" : "%g-%g/s", step->from, step->to);
        snprintf(t[1], TEXT_MAX, with_throughput ? "%.1f" : "-", (double)step->ok / seconds);
        printf("%-16s %8.1f %10.1f %10s %10llu %10s %10s\n", t[0], seconds,
               (double)step->offered / seconds, t[1], (unsigned long long)step->refused,
               percentile(t[2], &step->latency, 0.5), percentile(t[3], &step->latency, 0.99));
    }
}

/* Second by second, the faults between them. */
static void print_timeline(const struct load *load, const struct chaos *chaos)
{
    int fault = 0;
    printf("%8s %10s %10s %10s %10s %10s %10s\n", "second", "offered", "ok", "refused", "failed",
           "p50 us", "p99 us");
    for (int i = 0; i < load->second_count; i++) {
        const struct load_second *second = &load->seconds[i];
        for (; fault < chaos->struck && chaos->faults[fault].second < i + 1; fault++)
            printf("%8.1f ---- %s\n", chaos->faults[fault].second, chaos->faults[fault].what);
        printf("%8d %10u %10u %10u %10u %10u %10u\n", i + 1, second->offered, second->ok,
               second->refused, second->failed, second->p50, second->p99);
    }
}

static void print_faults(const struct chaos *chaos)
{
    for (int i = 0; i < chaos->struck; i++) {
        const struct chaos_fault *fault = &chaos->faults[i];
        printf("fault at %.1f s: %s, ", fault->second, fault->what);
        if (isnan(fault->first))
            printf("NO success after it");
        else
            printf("first success after it %.3f s", fault->first);
        printf(", longest time without one %.3f s\n", fault->silence);
    }
}

void run_record_print(const struct run_record *record, bool with_throughput)
{
    const struct load *load = record->load;
    if (with_throughput)
        printf("%s_throughput %.1f 1/s\n", record->name, throughput(load));
    print_latency("latency", &load->latency);
    print_latency("service", &load->service);
    print_latency("refused", &load->refusals);
    for (int part = 0; part < SITE_PARTS; part++)
        print_figure("cpu_", site_part_name((enum site_part)part),
                     cpu_us(record, (enum site_part)part), "us/request");
    print_figure("cpu_", "bench", cpu_bench_us(load), "us/request");
    print_figure("batch_mean", "", record->batch_mean, "orders");
    printf("bench_busy %.2f share\nbench_behind_at_most %lld us\n", load->busy,
           (long long)load->lag_most);
    for (int status = 1; status < LOAD_STATUSES; status++)
        if (load->statuses[status] > 0)
            printf("status_%d %llu answers\n", status, (unsigned long long)load->statuses[status]);
    if (load->lost + load->wrong + load->retry_after_missing > 0)
        printf("lost %llu calls\nwrong_status %llu calls\nrefused_without_retry_after %llu calls\n",
               (unsigned long long)load->lost, (unsigned long long)load->wrong,
               (unsigned long long)load->retry_after_missing);
    print_calls(load);
    print_steps(load, with_throughput);
    if (record->chaos != NULL) {
        print_timeline(load, record->chaos);
        print_faults(record->chaos);
    }
    if (record->audit != NULL)
        printf("audit %s: %llu keys, %llu acknowledged, %llu declined, %llu unknown for a while, "
               "%llu replayed\n",
               record->audit->faults == 0 ? "passed" : "FAILED",
               (unsigned long long)record->audit->keyed,
               (unsigned long long)record->audit->acknowledged,
               (unsigned long long)record->audit->declined,
               (unsigned long long)record->audit->unknown,
               (unsigned long long)record->audit->replayed);
    fflush(stdout); /* what is said about it on standard error comes behind it */
}

/* ---- JSON */

static void write_number(struct json_writer *writer, const char *key, double number)
{
    char text[40];
    if (isnan(number))
        return;
    snprintf(text, sizeof text, "%.3f", number);
    if (key != NULL)
        json_write_key(writer, key);
    json_write_raw(writer, slice_of(text));
}

static void write_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_write_key(writer, key);
    json_write_int(writer, (int64_t)count);
}

static void write_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void write_percentile(struct json_writer *writer, const char *key,
                             const struct histogram *histogram, double part)
{
    json_write_key(writer, key);
    if (histogram_supports(histogram, part))
        json_write_int(writer, histogram_at(histogram, part));
    else
        json_write_null(writer);
}

static void write_latency(struct json_writer *writer, const char *key,
                          const struct histogram *histogram)
{
    json_write_key(writer, key);
    json_write_object(writer);
    write_number(writer, "mean", histogram_mean(histogram));
    for (size_t i = 0; i < PERCENTILES; i++)
        write_percentile(writer, percentiles[i].name, histogram, percentiles[i].part);
    json_write_object_end(writer);
}

static void write_spectrum(struct json_writer *writer, const struct histogram *histogram)
{
    static const double parts[] = {0,    0.1,   0.25,  0.5,    0.75,   0.9,     0.95, 0.975,
                                   0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 1};
    json_write_key(writer, "spectrum");
    json_write_array(writer);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[32];
        if (!histogram_supports(histogram, parts[i]))
            continue;
        snprintf(text, sizeof text, "%.6g", parts[i]);
        json_write_array(writer);
        json_write_raw(writer, slice_of(text));
        json_write_int(writer, histogram_at(histogram, parts[i]));
        json_write_array_end(writer);
    }
    json_write_array_end(writer);
}

static void write_series(struct json_writer *writer, const struct load *load)
{
    json_write_key(writer, "series");
    json_write_array(writer);
    for (int i = 0; i < load->second_count; i++) {
        const struct load_second *second = &load->seconds[i];
        json_write_object(writer);
        write_number(writer, "t", i + 1);
        write_count(writer, "offered", second->offered);
        write_count(writer, "ok", second->ok);
        write_count(writer, "refused", second->refused);
        write_count(writer, "failed", second->failed);
        write_count(writer, "p50", second->p50);
        write_count(writer, "p99", second->p99);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void write_statuses(struct json_writer *writer, const struct load *load)
{
    json_write_key(writer, "statuses");
    json_write_object(writer);
    for (int status = 1; status < LOAD_STATUSES; status++) {
        char key[8];
        if (load->statuses[status] == 0)
            continue;
        snprintf(key, sizeof key, "%d", status);
        write_count(writer, key, load->statuses[status]);
    }
    write_count(writer, "lost", load->lost);
    json_write_object_end(writer);
}

static void write_calls(struct json_writer *writer, const struct load *load)
{
    const struct scenario *scenario = load->settings.run.scenario;
    json_write_key(writer, "by_call");
    json_write_array(writer);
    for (int i = 0; i < scenario->call_count; i++) {
        const struct load_call_figures *figures = &load->calls[i];
        json_write_object(writer);
        write_text(writer, "name", scenario->calls[i].name);
        write_count(writer, "sent", figures->sent);
        write_count(writer, "ok", figures->ok);
        write_percentile(writer, "p50", &figures->latency, 0.5);
        write_percentile(writer, "p99", &figures->latency, 0.99);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void write_steps(struct json_writer *writer, const struct run_record *record)
{
    const struct load *load = record->load;
    json_write_key(writer, "steps");
    json_write_array(writer);
    for (int i = 0; i < load->step_count; i++) {
        const struct load_step *step = &load->steps[i];
        double seconds = load_count_seconds(load, step);
        if (seconds <= 0)
            continue;
        json_write_object(writer);
        write_number(writer, "from", step->from);
        write_number(writer, "to", step->to);
        write_number(writer, "seconds", seconds);
        write_number(writer, "offered", (double)step->offered / seconds);
        if (!record->unaudited)
            write_number(writer, "throughput", (double)step->ok / seconds);
        write_count(writer, "refused", step->refused);
        write_percentile(writer, "p50", &step->latency, 0.5);
        write_percentile(writer, "p99", &step->latency, 0.99);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void write_faults(struct json_writer *writer, const struct chaos *chaos)
{
    json_write_key(writer, "faults");
    json_write_array(writer);
    for (int i = 0; chaos != NULL && i < chaos->count; i++) {
        if (!chaos->faults[i].done)
            continue;
        json_write_object(writer);
        write_number(writer, "t", chaos->faults[i].second);
        write_text(writer, "what", chaos->faults[i].what);
        write_number(writer, "first_success", chaos->faults[i].first);
        write_number(writer, "silence", chaos->faults[i].silence);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void write_cpu(struct json_writer *writer, const struct run_record *record)
{
    json_write_key(writer, "cpu_us_per_request");
    json_write_object(writer);
    for (int part = 0; part < SITE_PARTS; part++)
        write_number(writer, site_part_name((enum site_part)part),
                     cpu_us(record, (enum site_part)part));
    write_number(writer, "bench", cpu_bench_us(record->load));
    json_write_object_end(writer);
}

static void write_record(struct json_writer *writer, const struct run_record *record)
{
    const struct load *load = record->load;
    const struct load_settings *settings = &load->settings;
    json_write_object(writer);
    write_text(writer, "name", record->name);
    write_text(writer, "scenario", settings->run.scenario->name);
    write_text(writer, "mode", settings->closed ? "closed" : "open");
    write_count(writer, "connections", (uint64_t)settings->connections);
    write_count(writer, "streams", (uint64_t)settings->streams);
    json_write_key(writer, "rate");
    if (record->rate == NULL)
        json_write_null(writer);
    else
        json_write_text(writer, record->rate);
    write_number(writer, "seconds", load->measured);
    write_text(writer, "audit",
               record->audit == NULL        ? "off"
               : record->audit->faults == 0 ? "passed"
                                            : "failed");
    if (!record->unaudited)
        write_number(writer, "throughput", throughput(load));
    write_number(writer, "offered", (double)load->offered / load->measured);
    write_count(writer, "sent", load->offered);
    write_statuses(writer, load);
    write_latency(writer, "latency_us", &load->latency);
    write_latency(writer, "service_us", &load->service);
    if (load->refusals.count > 0)
        write_latency(writer, "refused_us", &load->refusals);
    write_spectrum(writer, &load->latency);
    write_series(writer, load);
    write_faults(writer, record->chaos);
    write_cpu(writer, record);
    write_number(writer, "pool_cores", record->pool_cpu / load->measured);
    write_number(writer, "idle_cores", record->idle_cpu / load->measured);
    write_number(writer, "batch_mean", record->batch_mean);
    write_number(writer, "bench_busy", load->busy);
    write_count(writer, "bench_behind_us", (uint64_t)load->lag_most);
    write_count(writer, "retry_after_missing", load->retry_after_missing);
    write_count(writer, "memory_before", record->memory_before);
    write_count(writer, "memory_moolahd", record->memory_moolahd);
    write_calls(writer, load);
    write_steps(writer, record);
    json_write_object_end(writer);
}

/* At once, and all or nothing: others may append to the same file. */
static bool append(const char *path, const struct bytes *text)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    struct stat before;
    if (file < 0 || fstat(file, &before) != 0)
        return false;
    ssize_t written = write(file, text->at, text->length);
    bool good = written == (ssize_t)text->length;
    if (written > 0 && !good) {
        if (ftruncate(file, before.st_size) != 0)
            errno = EIO;
        else
            errno = ENOSPC;
    }
    return close(file) == 0 && good;
}

bool run_record_write(const struct run_record *record, const char *path)
{
    struct bytes text;
    struct json_writer writer;
    bytes_init(&text, NULL);
    json_write_init(&writer, &text);
    write_record(&writer, record);
    bytes_add_char(&text, '\n');
    bool good = !text.failed && append(path, &text);
    bytes_release(&text);
    return good;
}
