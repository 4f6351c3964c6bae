#include <stdio.h>

#include "cli/cli.h"
#include "store/migrate.h"

int cli_db(const struct cli *cli)
{
    static struct migrate_result result;
    bool only_look = cli_is(cli, 0, "status");
    if (cli->count != 1 || (!only_look && !cli_is(cli, 0, "migrate")))
        return cli_fail(2, "moolah db migrate, or moolah db status");
    bool good = migrate_run(cli->database, only_look, &result);
    for (size_t i = 0; i < result.count; i++) {
        const struct migrate_step *step = &result.steps[i];
        printf(cli->json ? "{\"number\":%d,\"name\":\"%s\",\"state\":\"%s\"}\n"
                         : "%04d  %-20s %s\n",
               step->number, step->name,
               step->fresh     ? "applied now"
               : step->applied ? "applied"
                               : "missing: moolah db migrate");
    }
    return good ? 0 : cli_fail(1, "%s", result.error);
}
