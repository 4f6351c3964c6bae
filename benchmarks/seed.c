#include "benchmarks/seed.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "benchmarks/seed_history.h"
#include "benchmarks/seed_job.h"
#include "benchmarks/seed_people.h"
#include "scripting/bundle.h"

static const char help[] =
    "moolah-bench seed --data DIR [--wallets N] [--transactions M] [--months K] [--rules FOLDER]\n"
    "\n"
    "Fills the database of a running `ci/up --data DIR` with data at size, so that what is "
    "measured\n"
    "is a server with a past:\n"
    "  N users (default 10000, two at least), each with a wallet, a deposit that opens it and a\n"
    "  valid sign-in;\n"
    "  M transfers between them (default 0) over the last K months (default 6, at most 60), this\n"
    "  one included, priced by the present rules, or by those of FOLDER.\n"
    "`moolah ledger verify` accepts it, and the server may go on meanwhile. Tokens, phones and "
    "the\n"
    "common password follow from DIR/population.json; scenarios read it by themselves.\n"
    "\n"
    "  moolah-bench seed --data var --wallets 100000 --transactions 1000000     under a minute\n"
    "  moolah-bench seed --data var --wallets 1000000 --transactions 10000000   5 CPU minutes, 18 "
    "GB\n"
    "                                                   and up to 6 GB of log meanwhile\n"
    "\n"
    "Again with a larger N it adds wallets, and M transfers between the new ones. All is "
    "committed\n"
    "at the end: interrupted before (Ctrl-C), it leaves nothing. It refuses before it begins when\n"
    "the disk is too small. It only ever adds; to start afresh, choose another DIR.\n";

static int misunderstood(const char *what, const char *which)
{
    fprintf(stderr, "moolah-bench seed: %s%s; see moolah-bench seed --help\n", what, which);
    return 2;
}

static bool read_count(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        return false;
    *out = number;
    return true;
}

/* One option with its value; NULL when it's right. */
static const char *take(struct seed_job *job, const char *name, const char *value)
{
    int64_t months;
    if (strcmp(name, "--data") == 0) {
        job->folder = value;
        return NULL;
    }
    if (strcmp(name, "--rules") == 0) {
        job->rules = value;
        return NULL;
    }
    if (strcmp(name, "--wallets") == 0)
        return read_count(value, 2, POPULATION_MAX, &job->wallets)
                   ? NULL
                   : "--wallets must be a number from 2 to 100000000, not ";
    if (strcmp(name, "--transactions") == 0)
        return read_count(value, 0, INT64_C(10000000000), &job->transactions)
                   ? NULL
                   : "--transactions must be a number from 0 to 10000000000, not ";
    if (!read_count(value, 1, SEED_JOB_MONTHS_MAX, &months))
        return "--months must be a number from 1 to 60, not ";
    job->months = (int)months;
    return NULL;
}

/* 0: go on. */
static int read_arguments(struct seed_job *job, int argc, char **argv)
{
    static const char *const options[] = {"--data", "--wallets", "--transactions", "--months",
                                          "--rules"};
    for (int i = 1; i < argc; i += 2) {
        bool known = false;
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++)
            known = known || strcmp(argv[i], options[o]) == 0;
        if (!known)
            return misunderstood("unknown option ", argv[i]);
        if (i + 1 == argc)
            return misunderstood("a value is missing behind ", argv[i]);
        const char *wrong = take(job, argv[i], argv[i + 1]);
        if (wrong != NULL)
            return misunderstood(wrong, argv[i + 1]);
    }
    if (job->folder == NULL)
        return misunderstood("--data DIR is missing: the folder of a running ci/up", "");
    return 0;
}

static void say(const char *what, int64_t began)
{
    printf("%s, after %.1f s\n", what, (double)(clock_monotonic() - began) / CLOCK_SECOND);
    fflush(stdout);
}

/* What a database that has lived would know about itself. Months that were attached were born
 * settled, the keys were not: theirs is the larger half, and has a connection of its own. */
static void settle(const struct seed_job *job, PGconn *connection)
{
    PGconn *other = seed_job_connect(job);
    if (PQsendQuery(other, "vacuum (analyze) idempotency") != 1)
        seed_job_fail("the database broke off: %s", PQerrorMessage(other));
    seed_job_run(connection, "vacuum (analyze) accounts, users, wallets, sign_ins");
    seed_job_run(connection, "analyze transactions, postings, rule_bundles");
    for (PGresult *result; (result = PQgetResult(other)) != NULL; PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            seed_job_fail("all is seeded, but not vacuumed: %s", PQresultErrorMessage(result));
    PQfinish(other);
}

/* What is put behind what was sealed would be somebody's who added to it. The chain is given up,
 * and the checkpoints put aside: the server finds them gone and begins anew. With a past of months
 * it finds them ahead of the database, says so, and seals no more: to seal all that takes long, and
 * nobody measures it. */
static void give_up_seals(const struct seed_job *job, PGconn *connection)
{
    char from[4096];
    char to[4096];
    seed_job_run(connection, "begin; select pg_advisory_xact_lock(7309461); "
                             "set local session_replication_role = replica; "
                             "delete from seals; delete from seal_late; "
                             "delete from seal_cursors; commit");
    if (job->transactions > 0)
        return;
    snprintf(from, sizeof from, "%s/proof/checkpoints", job->folder);
    snprintf(to, sizeof to, "%s/proof/checkpoints.seeded", job->folder);
    (void)!rename(from, to); /* there may be none */
}

static void seed(struct seed_job *job)
{
    int64_t began = clock_monotonic();
    PGconn *connection = seed_job_connect(job);
    seed_job_check(job, connection);
    struct seed_history *history = seed_history_write(job);
    const struct seed_accounts accounts = seed_history_accounts(history);
    say("users, wallets, sign-ins", began);
    seed_job_run(connection, "begin");
    seed_people_write(job, &accounts, connection);
    say("commit", began);
    /* what comes now is over in a moment, unless something dies in it: seed_job_check would tell */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    seed_job_announce(job);
    seed_history_commit(history);
    seed_job_run(connection, "commit");
    give_up_seals(job, connection);
    seed_job_finish(job);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    say("statistics", began);
    settle(job, connection);
    PQfinish(connection);
    printf("seeded %lld wallets and %lld transfers in %.1f s: %s now has %zu wallets\n",
           (long long)(job->seed.wallets - job->wallets_before), (long long)job->transactions,
           (double)(clock_monotonic() - began) / CLOCK_SECOND, job->folder, job->seed.wallets);
}

int seed_main(int argc, char **argv)
{
    struct seed_job job = {.wallets = 10000, .months = 6};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
    int code = read_arguments(&job, argc, argv);
    if (code != 0)
        return code;
    seed_job_read(&job);
    if (job.transactions > 0 && job.seed.wallets - job.wallets_before < 2)
        seed_job_fail("transfers are between the wallets that are added: that takes two at least");
    seed(&job);
    bundle_release(job.bundle);
    population_free(job.population);
    return 0;
}
