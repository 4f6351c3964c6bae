/* Results for tests: the sample that lies beside this file, and random valid ones, with names that
 * want to break out of a page and numbers that are absent, 0, tiny or huge. */
#ifndef TESTS_SOME_RESULT_H
#define TESTS_SOME_RESULT_H

#include "base/bytes.h"
#include "base/json.h"
#include "tests/unit/base/chance.h"

static char some_sample[] = MOOLAH_SOURCE_DIR "/tests/unit/benchmarks/sample.json";
#define SAMPLE some_sample

static const char *const some_names[] = {
    "send_money_peak",
    "overload_2x",
    "balance",
    "</script><script>alert(1)</script>",
    "\" onload=\"alert(1)",
    "'><img src=x>&amp;&#0;]]>",
    "a\x01\x1b[31m\x7f",
    "\xef\xbf\xbe\xef\xbf\xbf \xf0\x9f\x92\xb0 \xc3\xa9",
    "a very long name of a run that cannot possibly fit beside its value on a telephone, not even "
    "when it is turned on its side, and so has to be cut somewhere, but not inside a character: "
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
};

static inline const char *some_name(struct chance *chance)
{
    return some_names[chance_below(chance, sizeof some_names / sizeof some_names[0])];
}

static inline const char *some_number(struct chance *chance)
{
    static const char *const numbers[] = {"null", "0",   "1",   "0.5",  "1e-300", "1e18",
                                          "17",   "999", "3e9", "12.5", "1000",   "123456.789"};
    return numbers[chance_below(chance, sizeof numbers / sizeof numbers[0])];
}

static inline void some_member(struct json_writer *w, struct chance *chance, const char *name)
{
    if (chance_below(chance, 8) == 0)
        return;
    json_write_key(w, name);
    json_write_raw(w, slice_of(some_number(chance)));
}

static inline void some_text(struct json_writer *w, struct chance *chance, const char *name)
{
    json_write_key(w, name);
    json_write_text(w, some_name(chance));
}

static inline void some_object(struct json_writer *w, struct chance *chance, const char *name,
                               const char *const *members)
{
    json_write_key(w, name);
    json_write_object(w);
    for (; *members != NULL; members++)
        some_member(w, chance, *members);
    json_write_object_end(w);
}

/* An array of objects of those members, each with a text member too when one is named. */
static inline void some_list(struct json_writer *w, struct chance *chance, const char *name,
                             const char *text, const char *const *members)
{
    json_write_key(w, name);
    json_write_array(w);
    for (size_t i = chance_below(chance, 9); i > 0; i--) {
        json_write_object(w);
        if (text != NULL)
            some_text(w, chance, text);
        for (const char *const *member = members; *member != NULL; member++)
            some_member(w, chance, *member);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static inline void some_run(struct json_writer *w, struct chance *chance)
{
    static const char *const percentiles[] = {"mean",  "p50",    "p90", "p99",
                                              "p99.9", "p99.99", "max", NULL};
    static const char *const cpu[] = {"moolahd", "postgres", "redis", "bench", "<p&q>", NULL};
    static const char *const audits[] = {"passed", "failed", "off", ""};
    static const char *const parts[] = {"0", "0.5", "0.9", "0.999", "1", "1.0"};
    json_write_object(w);
    some_text(w, chance, "name");
    some_text(w, chance, "scenario");
    json_write_key(w, "audit");
    json_write_text(w, audits[chance_below(chance, 4)]);
    some_member(w, chance, "throughput");
    some_member(w, chance, "offered");
    some_member(w, chance, "sent");
    some_member(w, chance, "bench_busy");
    some_member(w, chance, "batch_mean");
    some_object(w, chance, "latency_us", percentiles);
    some_object(w, chance, "cpu_us_per_request", cpu);
    some_object(w, chance, "statuses", (const char *const[]){"201", "503", "500", "lost", NULL});
    some_list(w, chance, "series", NULL,
              (const char *const[]){"t", "offered", "ok", "refused", "failed", "p50", "p99", NULL});
    some_list(w, chance, "faults", "what", (const char *const[]){"t", NULL});
    some_list(w, chance, "by_call", "name", (const char *const[]){"sent", "ok", "p50", NULL});
    json_write_key(w, "spectrum");
    json_write_array(w);
    for (size_t i = chance_below(chance, 9); i > 0; i--) {
        json_write_array(w);
        json_write_raw(w, slice_of(parts[chance_below(chance, 6)]));
        json_write_raw(w, slice_of(some_number(chance)));
        json_write_array_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static inline void some_result(struct chance *chance, struct bytes *out)
{
    struct json_writer w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, "format");
    json_write_int(&w, 1);
    json_write_key(&w, "quick");
    json_write_bool(&w, chance_below(chance, 2) == 0);
    some_text(&w, chance, "at");
    some_text(&w, chance, "commit");
    some_object(&w, chance, "machine", (const char *const[]){"cores", "<b>", NULL});
    some_object(&w, chance, "data", (const char *const[]){"wallets", "row_bytes", NULL});
    json_write_key(&w, "runs");
    json_write_array(&w);
    for (size_t i = chance_below(chance, 8); i > 0; i--)
        some_run(&w, chance);
    json_write_array_end(&w);
    some_list(&w, chance, "curve", NULL,
              (const char *const[]){"offered", "throughput", "p50", "p99", "batch_mean", NULL});
    some_list(&w, chance, "guarantees", "name", (const char *const[]){"per_second", NULL});
    some_list(&w, chance, "baselines", "name", (const char *const[]){"value", NULL});
    some_list(&w, chance, "figures", "name", (const char *const[]){"value", "target", NULL});
    json_write_object_end(&w);
}

#endif
