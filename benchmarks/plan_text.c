/* The plan for people, with each product written out. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "benchmarks/numbers.h"
#include "benchmarks/plan.h"

#define CELL_MAX ((size_t)96)

static const char *const calls[PLAN_CALLS] = {"transfers", "balances", "statements"};
static const char *const processes[PLAN_PROCESSES] = {"moolahd", "postgres", "redis"};

static const char *gigabytes(char out[NUMBERS_TEXT_MAX], double gb)
{
    return numbers_bytes(out, gb * 1e9);
}

static void text_measured(const struct plan *plan, struct bytes *out)
{
    const struct result *r = plan->result;
    const char *cpu = result_text(&r->machine, "cpu");
    char t[2][NUMBERS_TEXT_MAX];
    bytes_printf(out,
                 "\nMeasured: %s, commit %s, on %s (%s cores), everything on that one machine, the "
                 "load generator too.\n",
                 r->at, r->commit, cpu == NULL ? "an unnamed machine" : cpu,
                 numbers_text(t[0], result_number(&r->machine, "cores")));
    bytes_printf(out,
                 "  A transfer adds %s bytes to the database with its indexes, and %s bytes of WAL "
                 "(data.row_bytes_per_transfer, data.wal_bytes_per_transfer).\n",
                 numbers_text(t[0], plan->row_bytes), numbers_text(t[1], plan->wal_bytes));
    bytes_add_text(out, "  CPU per request: from the runs named in each phase below, those whose "
                        "rate is nearest to the phase's.\n");
    if (plan->sign_in_measured)
        bytes_printf(out, "  A sign-in takes %s ms of CPU (baseline argon2id).\n",
                     numbers_text(t[0], plan->sign_in_ms));
}

static void text_assumptions(const struct plan *plan, struct bytes *out)
{
    const struct plan_prices *p = &plan->prices;
    char t[2][NUMBERS_TEXT_MAX];
    bytes_printf(out,
                 "\nAssumed (by the names of the price table; edit it):\n"
                 "  What is asked for is 200,000 users; the other phases are it in proportion, the "
                 "last for %s users (beyond_users).\n"
                 "  Behind each transfer %g balances, %g statements and %g sign-ins (traffic.*)",
                 numbers_text(t[0], p->beyond_users), p->balances, p->statements, p->sign_ins);
    if (!plan->sign_in_measured)
        bytes_printf(out, ", a sign-in of %g ms (traffic.sign_in_ms)", plan->sign_in_ms);
    bytes_printf(out,
                 ".\n"
                 "  A bought core does %g of a measured one (core_speed). At the peak cores are "
                 "%g %% busy, memory %g %% and disks %g %% full (headroom.*).\n",
                 p->core_speed, p->use_cpu * 100, p->use_memory * 100, p->use_disk * 100);
    bytes_printf(out,
                 "  A wallet takes %s bytes in the database and %s in Redis; %g GB of WAL stay for "
                 "a standby that was away (bytes.*).\n",
                 numbers_text(t[0], p->wallet_bytes), numbers_text(t[1], p->redis_wallet_bytes),
                 p->wal_kept_gb);
    bytes_printf(out,
                 "  %g months stay in the database, %g more in the archive at %g %% of their size; "
                 "%g whole backups and %g days of WAL are kept; memory holds all wallets and %g "
                 "months (retention.*), and 1 GB for the system.\n",
                 p->online_months, p->archive_months, p->compressed * 100, p->backups, p->wal_days,
                 p->hot_months);
    bytes_printf(out,
                 "  A machine is up %g %% of the time. Standbys of the database: %g; Redis has "
                 "one, servers are one more than needed. Failovers a month: %g of %g min. Asked: "
                 "%g %% (availability.*).\n",
                 p->machine * 100, p->standbys, p->failovers, p->failover_minutes, p->target * 100);
    bytes_printf(out,
                 "\nHow it is reckoned, phase by phase:\n"
                 "  cores = requests/s x CPU of one, summed; / core_speed / headroom.cpu.   growth "
                 "= transfers a month x bytes of one.\n"
                 "  database = wallets x bytes.wallet + online_months x growth; / headroom.disk + "
                 "wal_kept_gb = disk.   memory: / headroom.memory + 1 GB.\n");
}

/* "2 x 4 cores" */
static void tier_text(char out[CELL_MAX], const struct plan_tier *tier)
{
    if (tier->machine == NULL)
        snprintf(out, CELL_MAX, "none is large enough");
    else
        snprintf(out, CELL_MAX, "%.0f x %.40s", tier->count, tier->machine->name);
}

/* What is bought, a line each, and where the number is from. */
enum line {
    WALLETS,
    MONTHLY,
    PEAK,
    SERVERS,
    DATABASES,
    REPLICAS,
    REDIS,
    DATABASE_SIZE,
    DISK,
    GROWTH,
    ARCHIVE,
    UP,
    PRICE,
    LINES
};

static const char *const lines[LINES][2] = {
    [WALLETS] = {"wallets", "--wallets, in proportion to the users"},
    [MONTHLY] = {"transfers a month", "--monthly, the same"},
    [PEAK] = {"transfers/s at the peak", "--peak, the same"},
    [SERVERS] = {"servers (moolahd)", "measured CPU; machines.*, one to spare"},
    [DATABASES] = {"PostgreSQL", "measured CPU, memory below; machines.*"},
    [REPLICAS] = {"  replicas among them", "availability.standbys"},
    [REDIS] = {"Redis", "measured CPU, bytes.redis_wallet; one stands by"},
    [DATABASE_SIZE] = {"database", "bytes.wallet, measured bytes, retention.online_months"},
    [DISK] = {"disk of each PostgreSQL", "headroom.disk, bytes.wal_kept_gb"},
    [GROWTH] = {"growth a month", "--monthly x measured bytes of a transfer"},
    [ARCHIVE] = {"archive and backups", "retention.*"},
    [UP] = {"up", "availability.*"},
    [PRICE] = {"price a month", "machines.*.price, storage.*"},
};

static void tier_of(char out[CELL_MAX], const struct plan_phase *phase, int process)
{
    if (phase->together && process != PLAN_MOOLAHD)
        snprintf(out, CELL_MAX, "on the same");
    else
        tier_text(out, &phase->tiers[process]);
}

static void cell(char out[CELL_MAX], const struct plan_phase *phase, enum line line)
{
    switch (line) {
    case WALLETS:
        numbers_text(out, phase->demand.wallets);
        return;
    case MONTHLY:
        numbers_text(out, phase->demand.monthly);
        return;
    case PEAK:
        numbers_text(out, phase->demand.peak);
        return;
    case SERVERS:
        tier_of(out, phase, PLAN_MOOLAHD);
        return;
    case DATABASES:
        tier_of(out, phase, PLAN_POSTGRES);
        return;
    case REPLICAS:
        numbers_text(out, plan_replicas(phase));
        return;
    case REDIS:
        tier_of(out, phase, PLAN_REDIS);
        return;
    case DATABASE_SIZE:
        gigabytes(out, phase->size_gb);
        return;
    case DISK:
        gigabytes(out, phase->disk_gb);
        return;
    case GROWTH:
        gigabytes(out, phase->growth_gb);
        return;
    case ARCHIVE:
        gigabytes(out, phase->archive_gb + phase->backup_gb);
        return;
    case UP:
        snprintf(out, CELL_MAX, "%.3f %%", phase->available * 100);
        return;
    case PRICE:
        numbers_text(out, phase->machine_price + phase->storage_price);
        return;
    case LINES:
        return;
    }
}

static bool text_summary(const struct plan *plan, struct arena *arena, struct bytes *out)
{
    struct numbers_table table;
    char t[PLAN_PHASES][CELL_MAX];
    char users[NUMBERS_TEXT_MAX];
    for (int i = 0; i < PLAN_PHASES; i++)
        snprintf(t[i], sizeof t[i], "%s%s users", i + 1 == PLAN_PHASES ? "beyond: " : "",
                 numbers_text(users, plan->phases[i].users));
    numbers_table_init(&table, arena, (const char *[]){"", t[0], t[1], t[2], t[3], "from"},
                       PLAN_PHASES + 2);
    table.left = PLAN_PHASES + 1;
    for (int line = 0; line < LINES; line++) {
        for (int i = 0; i < PLAN_PHASES; i++)
            cell(t[i], &plan->phases[i], (enum line)line);
        numbers_table_row(&table,
                          (const char *[]){lines[line][0], t[0], t[1], t[2], t[3], lines[line][1]});
    }
    for (size_t i = 0; i < plan->rough_count; i++)
        bytes_printf(out, "ROUGH: %s\n%s", plan->rough[i], i + 1 == plan->rough_count ? "\n" : "");
    bytes_printf(out, "What to buy, prices in %s:\n\n", plan->prices.currency);
    return numbers_table_write(&table, out);
}

static void text_cores(const struct plan *plan, const struct plan_phase *phase, int process,
                       struct bytes *out)
{
    const struct plan_prices *p = &plan->prices;
    char t[2][NUMBERS_TEXT_MAX];
    bytes_printf(out, "  %-9s", processes[process]);
    for (int i = 0; i < PLAN_CALLS; i++)
        bytes_printf(out, "%s%s/s x %s", i == 0 ? "" : " + ", numbers_text(t[0], phase->rates[i]),
                     numbers_time(t[1], result_number(&phase->runs[i]->cpu, processes[process])));
    if (process == PLAN_MOOLAHD)
        bytes_printf(out, " + %s/s x %s ms", numbers_text(t[0], phase->rates[0] * p->sign_ins),
                     numbers_text(t[1], plan->sign_in_ms));
    bytes_printf(out, " = %s cores; / %g / %g = %s\n", numbers_text(t[0], phase->busy[process]),
                 p->core_speed, p->use_cpu, numbers_text(t[1], phase->cores[process]));
}

static void text_sizes(const struct plan *plan, const struct plan_phase *phase, struct bytes *out)
{
    const struct plan_prices *p = &plan->prices;
    char t[6][NUMBERS_TEXT_MAX];
    bytes_printf(out, "  growth   %s x %s B = %s a month\n",
                 numbers_text(t[0], phase->demand.monthly), numbers_text(t[1], plan->row_bytes),
                 gigabytes(t[2], phase->growth_gb));
    bytes_printf(out, "  database %s x %s B + %g x %s = %s; / %g + %g GB of WAL = %s of disk\n",
                 numbers_text(t[0], phase->demand.wallets), numbers_text(t[1], p->wallet_bytes),
                 p->online_months, gigabytes(t[2], phase->growth_gb),
                 gigabytes(t[3], phase->size_gb), p->use_disk, p->wal_kept_gb,
                 gigabytes(t[4], phase->disk_gb));
    bytes_printf(
        out, "  memory   (%s + %g x %s) / %g + 1 GB = %s; Redis %s x %s B / %g + 1 GB = %s\n",
        gigabytes(t[0], phase->base_gb), p->hot_months, gigabytes(t[1], phase->growth_gb),
        p->use_memory, gigabytes(t[2], phase->memory_gb), numbers_text(t[3], phase->demand.wallets),
        numbers_text(t[4], p->redis_wallet_bytes), p->use_memory, gigabytes(t[5], phase->redis_gb));
    bytes_printf(out, "  WAL      %s x %s B = %s a month, %s Mbit/s at the peak to each standby\n",
                 numbers_text(t[0], phase->demand.monthly), numbers_text(t[1], plan->wal_bytes),
                 gigabytes(t[2], phase->wal_gb), numbers_text(t[3], phase->wal_mbit));
    bytes_printf(out, "  archive  %s x %g x %g = %s", gigabytes(t[0], phase->growth_gb),
                 p->archive_months, p->compressed, gigabytes(t[1], phase->archive_gb));
    bytes_printf(out, "; backups (%s x %g + %s x %g / 30) x %g = %s\n",
                 gigabytes(t[0], phase->size_gb), p->backups, gigabytes(t[1], phase->wal_gb),
                 p->wal_days, p->compressed, gigabytes(t[2], phase->backup_gb));
}

static void text_price(const struct plan *plan, const struct plan_phase *phase, struct bytes *out)
{
    const struct plan_prices *p = &plan->prices;
    char t[5][NUMBERS_TEXT_MAX];
    double databases = phase->tiers[phase->together ? 0 : PLAN_POSTGRES].count;
    bytes_add_text(out, "  machines ");
    for (int k = 0; k < (phase->together ? 1 : PLAN_PROCESSES); k++) {
        const struct plan_tier *tier = &phase->tiers[k];
        if (tier->machine == NULL)
            bytes_printf(out, "%s%s: none of the table is large enough", k == 0 ? "" : " + ",
                         processes[k]);
        else
            bytes_printf(out, "%s%.0f x %s", k == 0 ? "" : " + ", tier->count,
                         numbers_text(t[0], tier->machine->price));
    }
    bytes_printf(out, " = %s %s\n", numbers_text(t[0], phase->machine_price), p->currency);
    bytes_printf(out, "  storage  %g x %s x %g/GB + %s x %g/GB = %s %s\n", databases,
                 gigabytes(t[0], phase->disk_gb), p->disk_gb,
                 gigabytes(t[1], phase->archive_gb + phase->backup_gb), p->archive_gb,
                 numbers_text(t[2], phase->storage_price), p->currency);
    bytes_printf(out, "  up       (1 - %g x %g / 43,200 min)", p->failovers, p->failover_minutes);
    for (int k = 0; k < (phase->together ? 1 : PLAN_PROCESSES); k++) {
        double count = phase->tiers[k].count;
        if (phase->together || k != PLAN_MOOLAHD)
            bytes_printf(out, " x (1 - %g^%.0f)", 1 - p->machine, count);
        else
            bytes_printf(out, " x (%g^%.0f + %.0f x %g x %g^%.0f)", p->machine, count, count,
                         1 - p->machine, p->machine, count - 1);
    }
    bytes_printf(out, " = %.3f %%, asked %g %%: %s\n", phase->available * 100, p->target * 100,
                 phase->available >= p->target ? "reached" : "NOT reached");
}

static void text_phase(const struct plan *plan, const struct plan_phase *phase, struct bytes *out)
{
    char t[4][NUMBERS_TEXT_MAX];
    bytes_printf(out, "\n%s users, %s wallets, %s transfers a month, %s/s at the peak\n",
                 numbers_text(t[0], phase->users), numbers_text(t[1], phase->demand.wallets),
                 numbers_text(t[2], phase->demand.monthly), numbers_text(t[3], phase->demand.peak));
    bytes_add_text(out, "  CPU as measured in the runs");
    for (int i = 0; i < PLAN_CALLS; i++)
        bytes_printf(out, "%s %s (%s/s) for %s", i == 0 ? "" : ",", phase->runs[i]->name,
                     numbers_text(t[0], phase->runs[i]->throughput), calls[i]);
    bytes_add_char(out, '\n');
    for (int k = 0; k < PLAN_PROCESSES; k++)
        text_cores(plan, phase, k, out);
    text_sizes(plan, phase, out);
    text_price(plan, phase, out);
    if (phase->together)
        bytes_printf(out,
                     "  All of it wants at most %g cores, so everything shares each machine: one "
                     "leads, the others stand by.\n",
                     plan->prices.together_cores);
}

bool plan_text(const struct plan *plan, struct arena *arena, struct bytes *out)
{
    if (!text_summary(plan, arena, out))
        return false;
    text_measured(plan, out);
    text_assumptions(plan, out);
    for (int i = 0; i < PLAN_PHASES; i++)
        text_phase(plan, &plan->phases[i], out);
    return !out->failed;
}
