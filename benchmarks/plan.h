/* moolah-bench plan --wallets N --monthly N --peak N --report RESULT.json [--prices FILE] [--json]:
 * from what was measured to what has to be bought, for four phases: 10,000, 50,000 and 200,000
 * users and beyond. What is asked is the third; the others are it in proportion to their users.
 *
 * Everything is a product of measured costs and the assumptions of the price table
 * (plan_prices.lua), and the text shows each product so that it can be checked by hand:
 *   cores  = sum of requests/s x CPU a request, over core_speed, over headroom.cpu
 *   size   = wallets x bytes.wallet + months x transactions a month x measured bytes of a row
 * The CPU of a request comes from the run of its scenario whose rate is nearest to the phase's,
 * since a transfer costs less in a large batch; not from runs beside sign-ins or past saturation.
 * What the report doesn't have is an error that names the run to make; of a quick report, which has
 * no statements, a plan is made and says how rough it is. */
#ifndef BENCHMARKS_PLAN_H
#define BENCHMARKS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/result.h"

struct bytes;

#define PLAN_PHASES 4
#define PLAN_MACHINES 4
#define PLAN_CALLS 3 /* send_money, balance, statement */

enum plan_process { PLAN_MOOLAHD, PLAN_POSTGRES, PLAN_REDIS, PLAN_PROCESSES };

struct plan_machine {
    const char *name;
    double cores, memory_gb, price;
};

struct plan_prices {
    const char *currency;
    struct plan_machine machines[PLAN_MACHINES];
    double core_speed, disk_gb, archive_gb;
    double balances, statements, sign_ins, sign_in_ms;
    double use_cpu, use_memory, use_disk, together_cores;
    double wallet_bytes, redis_wallet_bytes, wal_kept_gb;
    double online_months, archive_months, hot_months, backups, wal_days, compressed;
    double target, machine, standbys, failovers, failover_minutes;
    double beyond_users;
};

struct plan_demand {
    double wallets, monthly, peak;
};

struct plan_tier {
    const struct plan_machine *machine; /* NULL: none of the table is large enough */
    double count;
};

struct plan_phase {
    double users;
    struct plan_demand demand;
    const struct result_run *runs[PLAN_CALLS];   /* where the costs come from */
    double rates[PLAN_CALLS];                    /* requests a second at the peak */
    double busy[PLAN_PROCESSES];                 /* cores at the peak, as measured */
    double cores[PLAN_PROCESSES];                /* with headroom */
    bool together;                               /* all on two machines, in tiers[0] */
    struct plan_tier tiers[PLAN_PROCESSES];      /* by process */
    double base_gb, growth_gb, size_gb, disk_gb; /* of the database; growth a month */
    double memory_gb, redis_gb;                  /* that the database and Redis want */
    double wal_gb, wal_mbit;                     /* a month; at the peak, to each standby */
    double archive_gb, backup_gb;                /* object storage */
    double available;                            /* a part of the time */
    double machine_price, storage_price;         /* a month; NAN: a tier has no machine */
};

#define PLAN_ROUGH_MAX 2

struct plan {
    const struct result *result;
    struct plan_prices prices;
    double row_bytes, wal_bytes;
    double sign_in_ms; /* of CPU: the report's argon2id, else the price table's */
    bool sign_in_measured;
    bool no_statements; /* a quick result has no run of them: they are reckoned as transfers */
    const char
        *rough[PLAN_ROUGH_MAX]; /* sentences: why the plan is one to think with, not to buy by */
    size_t rough_count;
    struct plan_phase phases[PLAN_PHASES];
};

/* argv[0] is "plan". 0 fine, 2 usage, a broken file, or a report that lacks a run. */
int plan_main(int argc, char **argv);

/* False: the message says what is missing or wrong; `result` and the prices are to outlive `out`.
 */
bool plan_make(const struct result *result, const struct plan_prices *prices,
               const struct plan_demand *demand, struct plan *out,
               char message[RESULT_MESSAGE_MAX]);

/* How much of the time a tier does its work: of the servers one may be down, since their number has
 * one to spare; of databases and Redis one has to be up. */
double plan_available(const struct plan_prices *prices, const struct plan_phase *phase, int tier);

double plan_replicas(const struct plan_phase *phase); /* of PostgreSQL, beside the one that leads */

/* False: the errors, a line each, are in `out`. Texts lie in the arena. */
bool plan_read_prices(const char *path, struct arena *arena, struct plan_prices *prices,
                      struct bytes *out);

/* False: memory ran out. */
bool plan_text(const struct plan *plan, struct arena *arena, struct bytes *out);
void plan_json(const struct plan *plan, struct bytes *out);

#endif
