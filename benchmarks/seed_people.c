#include "benchmarks/seed_people.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "benchmarks/copy_stream.h"
#include "scripting/bundle.h"
#include "store/gate.h"

#define SIGN_IN_US (INT64_C(3650) * 86400 * CLOCK_SECOND) /* a data set outlives a login */

/* One table's rows, a member at a time. */
struct table {
    const char *target;
    int fields;
    void (*write)(struct copy_stream *out, const struct population_member *member,
                  const struct seed_job *job);
};

static char password[CRYPTO_PASSWORD_HASH_MAX]; /* everybody's, hashed once */
static int tier;

static int64_t moment_of(const struct population_member *member)
{
    return uuid_milliseconds(&member->user) * 1000;
}

static void write_user(struct copy_stream *out, const struct population_member *member,
                       const struct seed_job *job)
{
    char name[40];
    (void)job;
    snprintf(name, sizeof name, "Member %s", member->phone + 5);
    copy_stream_uuid(out, &member->user);
    copy_stream_text(out, slice_of(member->phone));
    copy_stream_text(out, slice_of(name));
    copy_stream_text(out, slice_of(password));
    copy_stream_smallint(out, tier);
    copy_stream_uuid(out, &member->wallet_uuid);
    copy_stream_time(out, moment_of(member));
}

static void write_wallet(struct copy_stream *out, const struct population_member *member,
                         const struct seed_job *job)
{
    (void)job;
    copy_stream_uuid(out, &member->wallet_uuid);
    copy_stream_uuid(out, &member->user);
    copy_stream_text(out, SLICE("Main"));
    copy_stream_time(out, moment_of(member));
}

static void write_sign_in(struct copy_stream *out, const struct population_member *member,
                          const struct seed_job *job)
{
    uint8_t hash[32];
    gate_token_hash(slice_of(member->token), hash);
    copy_stream_uuid(out, &member->sign_in);
    copy_stream_uuid(out, &member->user);
    copy_stream_text(out, (struct slice){(const char *)hash, sizeof hash});
    copy_stream_text(out, SLICE("moolah-bench seed"));
    copy_stream_text(out, SLICE("127.0.0.1"));
    copy_stream_time(out, moment_of(member));
    copy_stream_time(out, job->until + SIGN_IN_US);
}

static const struct table tables[] = {
    {"public.users (id, phone, name, password, tier, wallet, created_at)", 7, write_user},
    {"public.wallets (id, owner, label, created_at)", 4, write_wallet},
    {"public.sign_ins (id, user_id, token_hash, device, ip, created_at, expires_at)", 7,
     write_sign_in},
};

static void write_account(struct copy_stream *out, const struct account *account)
{
    copy_stream_row(out, 10);
    copy_stream_uuid(out, &account->id);
    copy_stream_smallint(out, (int)account->kind);
    copy_stream_smallint(out, (int)account->status);
    copy_stream_smallint(out, account->tier);
    copy_stream_integer(out, account->currency);
    copy_stream_uuid(out, &account->owner);
    copy_stream_bigint(out, account->posted);
    copy_stream_bigint(out, account->held);
    copy_stream_bigint(out, account->floor);
    copy_stream_bigint(out, account->version);
}

static void write_accounts(const struct seed_accounts *accounts, PGconn *connection)
{
    struct copy_stream out = {0};
    copy_stream_begin(&out, connection,
                      "public.accounts (id, kind, status, tier, currency, owner, posted, held, "
                      "floor, version)",
                      false);
    for (size_t i = 0; i < accounts->system_count; i++)
        write_account(&out, &accounts->system[i]);
    for (size_t i = 0; i < accounts->wallet_count; i++)
        write_account(&out, &accounts->wallets[i]);
    copy_stream_end(&out);
}

static void write_table(const struct table *table, const struct seed_job *job, PGconn *connection)
{
    struct copy_stream out = {0};
    copy_stream_begin(&out, connection, table->target, false);
    for (size_t i = job->wallets_before; i < job->seed.wallets; i++) {
        struct population_member member;
        population_member(job->population, i, &member);
        copy_stream_row(&out, table->fields);
        table->write(&out, &member, job);
    }
    copy_stream_end(&out);
}

/* So that each fee can be explained from its bundle, also when no server has served it. */
static void write_bundle(const struct seed_job *job, PGconn *connection)
{
    char hash[65];
    struct bytes files;
    bytes_init(&files, NULL);
    bundle_write_files(job->bundle, &files);
    bytes_add_char(&files, '\0');
    for (size_t i = 0; i < 32; i++)
        snprintf(hash + 2 * i, 3, "%02x", bundle_hash(job->bundle)[i]);
    const char *values[] = {hash, files.at};
    PGresult *result =
        files.failed ? NULL
                     : PQexecParams(connection,
                                    "insert into rule_bundles (hash, files, first_seen) values "
                                    "(decode($1, 'hex'), $2, now()) on conflict do nothing",
                                    2, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        seed_job_fail("the rules cannot be noted: %s", PQerrorMessage(connection));
    PQclear(result);
    bytes_release(&files);
}

void seed_people_write(const struct seed_job *job, const struct seed_accounts *accounts,
                       PGconn *connection)
{
    struct population_member member;
    population_member(job->population, 0, &member);
    tier = accounts->wallets[0].tier;
    if (!crypto_password_hash(slice_of(member.password), password))
        seed_job_fail("out of memory");
    write_bundle(job, connection);
    write_accounts(accounts, connection);
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        write_table(&tables[t], job, connection);
}
