#include "benchmarks/collect_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#define BATCH 128 /* transfers, of the counted batches */

static const char *text_of(struct yyjson_mut_val *object, const char *key)
{
    const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(object, key));
    return text == NULL ? "" : text;
}

static double number_of(struct yyjson_mut_val *object, const char *key)
{
    struct yyjson_mut_val *value = yyjson_mut_obj_get(object, key);
    return yyjson_mut_is_num(value) ? yyjson_mut_get_num(value) : NAN;
}

static struct yyjson_mut_val *find(struct yyjson_mut_val *list, const char *name)
{
    struct yyjson_mut_arr_iter all;
    yyjson_mut_arr_iter_init(list, &all);
    for (struct yyjson_mut_val *one; (one = yyjson_mut_arr_iter_next(&all)) != NULL;)
        if (strcmp(text_of(one, "name"), name) == 0)
            return one;
    return NULL;
}

/* A number of a run; `within`: the object it stands in, or NULL. NAN: it can't be had. */
static double of_run(const struct collect_figures *r, const char *run, const char *within,
                     const char *key)
{
    struct yyjson_mut_val *object = find(r->runs, run);
    if (object == NULL || strcmp(text_of(object, "audit"), "failed") == 0)
        return NAN;
    if (within == NULL)
        return number_of(object, key);
    double number = number_of(yyjson_mut_obj_get(object, within), key);
    return number > 0 ? number : NAN; /* no answers, no latency or cost of one */
}

static double throughput(const struct collect_figures *r, const char *run)
{
    return of_run(r, run, NULL, "throughput");
}

static double baseline(const struct collect_figures *r, const char *name)
{
    return number_of(find(r->baselines, name), "value");
}

static double measure(const struct collect_figures *r, const char *name)
{
    return number_of(r->measures, name);
}

/* The best of those that were run. */
static double best_one_per_tx(const struct collect_figures *r)
{
    static const char *const names[] = {"one_per_tx_1", "one_per_tx_16", "one_per_tx_64"};
    double best = NAN;
    for (int i = 0; i < 3; i++)
        best = fmax(best, baseline(r, names[i])); /* fmax passes over a NAN */
    return best;
}

struct figure {
    const char *name;
    double value;
    const char *unit;
    double target; /* NAN: none */
    const char *better;
};

static void add(const struct collect_figures *r, const struct figure *figure)
{
    struct yyjson_mut_doc *doc = r->doc;
    if (!isfinite(figure->value))
        return;
    struct yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, r->figures);
    yyjson_mut_obj_add_strcpy(doc, object, "name", figure->name);
    yyjson_mut_obj_add_real(doc, object, "value", figure->value);
    yyjson_mut_obj_add_strcpy(doc, object, "unit", figure->unit);
    if (isfinite(figure->target))
        yyjson_mut_obj_add_real(doc, object, "target", figure->target);
    else
        yyjson_mut_obj_add_null(doc, object, "target");
    yyjson_mut_obj_add_strcpy(doc, object, "better", figure->better);
    printf("%s %.*f %s\n", figure->name, fabs(figure->value) < 10 ? 2 : 1, figure->value,
           figure->unit);
}

/* Sign-ins held against what argon2id allows on the CPU they may have: the cores that nobody else
 * used (the pool's threads run in the lowest class), all but one of them at most. No more than 1,
 * as each answered sign-in has cost the pool an argon2id, unless that one was dearer when it
 * was measured beside the same payments. */
static double sign_in_share(const struct collect_figures *r)
{
    double left = of_run(r, "storm_sign_in", NULL, "idle_cores") +
                  of_run(r, "storm_sign_in", NULL, "pool_cores");
    double may_use = measure(r, "sign_in_cores");
    if (!(left >= may_use)) /* a NAN, too */
        may_use = left;
    double allowed = may_use * 1e6 / measure(r, "argon2id_cpu_us");
    return allowed > 0 ? throughput(r, "storm_sign_in") / allowed : NAN;
}

/* What it could send if a whole core were its own. */
static double generator_per_core(const struct collect_figures *r)
{
    return 1e6 / of_run(r, "constant", "cpu_us_per_request", "bench");
}

/* The same rate without sign-ins; at 1,000/s there is such a run already. */
static double calm_p99(const struct collect_figures *r)
{
    double alone = of_run(r, "storm_payments_alone", "latency_us", "p99");
    return isfinite(alone) ? alone : of_run(r, "at_1000", "latency_us", "p99");
}

/* In instructions, which are the same each time: the fee rule's, as a part of all counted pieces of
 * a transfer. Those are less than the whole server (no TLS, no kernel), so the real share is
 * smaller. */
static double rule_share(const struct collect_figures *r)
{
    double transfer =
        measure(r, "instructions_parse_and_route") + measure(r, "instructions_gate_reply") +
        measure(r, "instructions_decide_batch") / BATCH +
        measure(r, "instructions_encode_batch") / BATCH + measure(r, "instructions_write_response");
    return 100 * measure(r, "instructions_fee_rule") / transfer;
}

/* The longest time without a success after faults of that kind; NAN: none struck, or one was not
 * recovered from. */
static double recovery(const struct collect_figures *r, const char *kind)
{
    struct yyjson_mut_val *run = find(r->runs, "chaos");
    struct yyjson_mut_arr_iter all;
    double longest = NAN;
    if (run == NULL || strcmp(text_of(run, "audit"), "passed") != 0)
        return NAN;
    yyjson_mut_arr_iter_init(yyjson_mut_obj_get(run, "faults"), &all);
    for (struct yyjson_mut_val *one; (one = yyjson_mut_arr_iter_next(&all)) != NULL;) {
        if (strcmp(text_of(one, "what"), kind) != 0)
            continue;
        if (isnan(number_of(one, "first_success")))
            return NAN;
        longest = fmax(longest, number_of(one, "silence"));
    }
    return longest;
}

/* Memory that an earlier load has freed serves them, too: without growth nothing was measured. */
static double idle_kib(const struct collect_figures *r)
{
    double grown = of_run(r, "idle_connections", NULL, "memory_moolahd") -
                   of_run(r, "idle_connections", NULL, "memory_before");
    return grown > 0 ? grown / 1024 / measure(r, "idle_connections") : NAN;
}

void collect_figures(const struct collect_figures *r)
{
    double peak = throughput(r, "send_money_peak");
    const struct figure figures[] = {
        {"send_money_peak", peak, "1/s", 10000, "higher"},
        {"send_money_vs_one_per_tx", peak / best_one_per_tx(r), "ratio", 5, "higher"},
        {"send_money_vs_raw", peak / baseline(r, "raw_postings"), "ratio", 0.6, "higher"},
        {"popular_vs_uniform", throughput(r, "popular_wallet") / peak, "ratio", 0.9, "higher"},
        {"single_user_p50_vs_pgbench",
         of_run(r, "single_user", "latency_us", "p50") / baseline(r, "one_per_tx_1_p50"), "ratio",
         2.5, "lower"},
        {"at_1000_p50", of_run(r, "at_1000", "latency_us", "p50"), "us", 2000, "lower"},
        {"at_1000_p99", of_run(r, "at_1000", "latency_us", "p99"), "us", 10000, "lower"},
        {"at_1000_p99.9", of_run(r, "at_1000", "latency_us", "p99.9"), "us", 25000, "lower"},
        {"balance_vs_nginx", throughput(r, "balance") / throughput(r, "constant"), "ratio", 0.3,
         "higher"},
        {"statement_p99_big_vs_empty",
         of_run(r, "big_statement", "latency_us", "p99") /
             of_run(r, "statement", "latency_us", "p99"),
         "ratio", 1.2, "lower"},
        {"throughput_big_vs_small",
         throughput(r, "big_send_money") / throughput(r, "small_send_money"), "ratio", 0.9,
         "higher"},
        {"fee_rule_share", rule_share(r), "%", 3, "lower"},
        {"server_cpu_per_transfer", of_run(r, "send_money_peak", "cpu_us_per_request", "moolahd"),
         "us", 25, "lower"},
        {"idle_connection", idle_kib(r), "KiB", 20, "lower"},
        {"overload_goodput", throughput(r, "overload_2x") / peak, "ratio", 0.9, "higher"},
        {"overload_p99", of_run(r, "overload_2x", "latency_us", "p99"), "us", NAN, "lower"},
        {"overload_10x_goodput", throughput(r, "overload_10x") / peak, "ratio", NAN, "higher"},
        {"mixed", throughput(r, "mixed"), "1/s", NAN, "higher"},
        {"sign_in_vs_argon2id", sign_in_share(r), "ratio", 0.9, "higher"},
        {"storm_payments_p99", of_run(r, "storm_payments", "latency_us", "p99") / calm_p99(r),
         "ratio", 1.5, "lower"},
        {"chaos_recovery_worker", recovery(r, "worker -9"), "s", NAN, "lower"},
        {"chaos_recovery_redis_flush", recovery(r, "Redis FLUSHALL"), "s", NAN, "lower"},
        {"chaos_recovery_redis", recovery(r, "Redis -9"), "s", NAN, "lower"},
        {"chaos_recovery_postgres", recovery(r, "PostgreSQL immediate"), "s", NAN, "lower"},
        {"chaos_recovery_master", recovery(r, "master -9"), "s", NAN, "lower"},
        {"generator_per_core", generator_per_core(r), "1/s", 100000, "higher"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        add(r, &figures[i]);
}
