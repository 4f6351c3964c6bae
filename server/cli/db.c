/* moolah db: the schema, and the months in it. */
#include <stdio.h>

#include "api/receipt.h"
#include "base/json.h"
#include "cli/cli.h"
#include "store/archive_restore.h"
#include "store/migrate.h"

static const char *state_of(const struct migrate_step *step)
{
    return step->fresh ? "applied now" : step->applied ? "applied" : "missing";
}

static void print_json(const struct migrate_result *result)
{
    struct json_writer *json = cli_json_begin();
    json_write_array(json);
    for (size_t i = 0; i < result->count; i++) {
        json_write_object(json);
        json_write_key(json, "number");
        json_write_int(json, result->steps[i].number);
        json_write_key(json, "name");
        json_write_text(json, result->steps[i].name);
        json_write_key(json, "state");
        json_write_text(json, state_of(&result->steps[i]));
        json_write_object_end(json);
    }
    json_write_array_end(json);
    cli_json_end();
}

static int walk(const struct cli *cli, bool only_look)
{
    static struct migrate_result result;
    bool good = migrate_run(cli->database, only_look, &result);
    size_t missing = 0;
    for (size_t i = 0; i < result.count; i++) {
        missing += !result.steps[i].applied;
        if (!cli->json)
            printf("%04d  %-20s %s\n", result.steps[i].number, result.steps[i].name,
                   state_of(&result.steps[i]));
    }
    if (cli->json)
        print_json(&result);
    if (!good)
        return cli_fail_database(cli, result.error);
    if (missing > 0)
        return cli_fail(1, "%zu missing: moolah db migrate applies them", missing);
    return 0;
}

static int migrate(const struct cli *cli)
{
    return walk(cli, false);
}

/* The newest first; rows as PostgreSQL reckons them (not yet: none), of a month that is archived as
 * counted. */
static const char months_sql[] =
    "select to_char(m, 'YYYY-MM') as month, "
    "nullif(c.reltuples, -1)::bigint as \"transactions:number\", "
    "nullif(p.reltuples, -1)::bigint as \"postings:number\", "
    "pg_size_pretty(pg_total_relation_size(c.oid) + pg_total_relation_size(p.oid)) as size, "
    "null as archived_in from (select generate_series(date_trunc('month', now() at time zone "
    "'UTC') - interval '20 years', date_trunc('month', now() at time zone 'UTC') + interval "
    "'3 months', interval '1 month') as m) months "
    "join pg_class c on c.oid = month_partition('transactions', m at time zone 'UTC') "
    "join pg_class p on p.oid = month_partition('postings', m at time zone 'UTC') "
    "union all select month, transactions, postings, '-', folder from archives "
    "order by month desc";

static int months(const struct cli *cli)
{
    return cli_print_query(cli, &(struct cli_query){.sql = months_sql});
}

static int status(const struct cli *cli)
{
    int code = walk(cli, true);
    if (code != 0 || cli->json)
        return code;
    putchar('\n');
    return months(cli);
}

/* As a replay is answered today. */
static void render(const struct wallets_transaction *posted, struct bytes *answer)
{
    const struct posting_order order = {.kind = (enum transaction_kind)posted->kind};
    receipt_recall(&order, posted, answer);
}

static int tell(const struct cli *cli, const struct archive *archive, const char *what,
                const char *already)
{
    const char *state = archive->already ? already : what;
    if (!cli->json) {
        printf("%s is %s", archive->month, state);
        if (!archive->already)
            printf(": %lld transactions, %lld postings; %lld answers written down",
                   (long long)archive->transactions, (long long)archive->postings,
                   (long long)archive->answers);
        putchar('\n');
        return 0;
    }
    struct json_writer *json = cli_json_begin();
    json_write_object(json);
    json_write_key(json, "month");
    json_write_text(json, archive->month);
    json_write_key(json, "state");
    json_write_text(json, state);
    json_write_key(json, "transactions");
    json_write_int(json, archive->transactions);
    json_write_key(json, "postings");
    json_write_int(json, archive->postings);
    json_write_object_end(json);
    cli_json_end();
    return 0;
}

static int archive(const struct cli *cli)
{
    struct archive month = {
        .conninfo = cli->database, .month = cli->month, .folder = cli->folder, .render = render};
    if (cli->month == NULL || cli->folder == NULL)
        return cli_fail(2, "moolah db archive needs --month 2024-01 and --to FOLDER");
    if (!archive_take_out(&month))
        return cli_fail_database(cli, month.error);
    return tell(cli, &month, "archived", "archived already");
}

static int restore(const struct cli *cli)
{
    struct archive month = {.conninfo = cli->database, .month = cli->month, .folder = cli->folder};
    if (cli->month == NULL || cli->folder == NULL)
        return cli_fail(2, "moolah db restore needs --month 2024-01 and --from FOLDER");
    if (!archive_restore(&month))
        return cli_fail_database(cli, month.error);
    return tell(cli, &month, "back", "here already");
}

const struct cli_command cli_db[] = {
    {"migrate", "", 0, 0, CLI_DATABASE, "bring the schema up to date", migrate},
    {"status", "", 0, 0, CLI_DATABASE, "show it, and the months; 1 when something is missing",
     status},
    {"months", "", 0, 0, CLI_DATABASE, "each month's rows and size, or where it is archived",
     months},
    {"archive", "", 0, 0, CLI_DATABASE | CLI_ARCHIVE,
     "--month MONTH --to FOLDER; an old month out of the database", archive},
    {"restore", "", 0, 0, CLI_DATABASE | CLI_ARCHIVE,
     "--month MONTH --from FOLDER; and back into it", restore},
    {.name = NULL},
};
