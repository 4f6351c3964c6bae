#include <stdio.h>

#include "base/bytes.h"
#include "base/json.h"
#include "cli/cli.h"
#include "store/verify.h"

struct verification {
    bool json;
    bool broken;
};

static void print_json(const struct verify_line *line)
{
    struct bytes text;
    struct json_writer writer;
    bytes_init(&text, NULL);
    json_write_init(&writer, &text);
    json_write_object(&writer);
    json_write_key(&writer, "invariant");
    json_write_text(&writer, line->name);
    json_write_key(&writer, "checked");
    json_write_bool(&writer, line->checked);
    json_write_key(&writer, "looked_at");
    json_write_int(&writer, line->looked_at);
    json_write_key(&writer, "broken");
    json_write_int(&writer, line->broken);
    json_write_key(&writer, "first");
    json_write_text(&writer, line->first);
    json_write_object_end(&writer);
    printf("%.*s\n", (int)text.length, text.at);
    bytes_release(&text);
}

static void tell(void *owner, const struct verify_line *line)
{
    struct verification *v = owner;
    v->broken = v->broken || line->broken > 0;
    if (v->json) {
        print_json(line);
        return;
    }
    printf("%-8s %-14s %10lld looked at, %lld broken: %s\n",
           !line->checked      ? "skipped"
           : line->broken == 0 ? "holds"
                               : "BROKEN",
           line->name, (long long)line->looked_at, (long long)line->broken, line->what);
    if (line->broken > 0)
        printf("         first: %s\n", line->first);
}

int cli_ledger(const struct cli *cli)
{
    struct verification v = {.json = cli->json};
    struct verify verify = {
        .conninfo = cli->database, .redis = cli->redis, .tell = tell, .owner = &v};
    if (cli->count != 1 || !cli_is(cli, 0, "verify"))
        return cli_fail(2, "moolah ledger verify");
    if (!verify_run(&verify))
        return cli_fail(1, "%s", verify.error);
    return v.broken ? 1 : 0;
}
