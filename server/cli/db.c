/* moolah db: the schema. */
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
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

static int status(const struct cli *cli)
{
    return walk(cli, true);
}

const struct cli_command cli_db[] = {
    {"migrate", "", 0, 0, CLI_DATABASE, "bring the schema up to date", migrate},
    {"status", "", 0, 0, CLI_DATABASE, "show it; 1 when something is missing", status},
    {.name = NULL},
};
