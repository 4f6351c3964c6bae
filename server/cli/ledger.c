/* moolah ledger: the books. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "ledger/seal.h"
#include "store/verify.h"
#include "store/verify_seals.h"

struct verification {
    struct json_writer *json; /* NULL: for people */
    bool broken;
};

static void write_json(struct json_writer *json, const struct verify_line *line)
{
    json_write_object(json);
    json_write_key(json, "invariant");
    json_write_text(json, line->name);
    json_write_key(json, "what");
    json_write_text(json, line->what);
    json_write_key(json, "checked");
    json_write_bool(json, line->checked);
    json_write_key(json, "reason");
    if (line->checked)
        json_write_null(json);
    else
        json_write_text(json, line->reason);
    json_write_key(json, "looked_at");
    json_write_int(json, line->looked_at);
    json_write_key(json, "broken");
    json_write_int(json, line->broken);
    json_write_key(json, "first");
    if (line->broken > 0)
        json_write_text(json, line->first);
    else
        json_write_null(json);
    json_write_object_end(json);
}

static void tell(void *owner, const struct verify_line *line)
{
    struct verification *v = owner;
    v->broken = v->broken || line->broken > 0;
    if (v->json != NULL) {
        write_json(v->json, line);
        return;
    }
    if (!line->checked) {
        printf("%-8s %-14s %s\n", "skipped", line->name, line->reason);
        return;
    }
    printf("%-8s %-14s %10lld looked at, %lld broken: %s\n", line->broken == 0 ? "holds" : "BROKEN",
           line->name, (long long)line->looked_at, (long long)line->broken, line->what);
    if (line->broken > 0)
        printf("         first: %s\n", line->first);
}

/* 64 hex digits, or a file with a line of them for each key there ever was. */
static bool read_keys(const char *given, struct verify_seals_keys *keys)
{
    char line[200];
    keys->count = 1;
    if (seal_read_hex(slice_of(given), keys->keys[0], CRYPTO_PUBLIC_SIZE))
        return true;
    keys->count = 0;
    FILE *file = fopen(given, "re");
    bool good = file != NULL;
    while (good && fgets(line, sizeof line, file) != NULL)
        good = keys->count < VERIFY_SEALS_KEYS_MAX &&
               seal_read_hex((struct slice){line, strcspn(line, "\r\n")}, keys->keys[keys->count++],
                             CRYPTO_PUBLIC_SIZE);
    if (file != NULL)
        fclose(file);
    return good && keys->count > 0;
}

static int verify(const struct cli *cli)
{
    struct verify_seals_keys keys;
    if (cli->key != NULL && !read_keys(cli->key, &keys))
        return cli_fail(2, "--key is no public key: 64 hex digits, or a file of them");
    if (cli->checkpoints != NULL && access(cli->checkpoints, R_OK) != 0)
        return cli_fail(2, "the checkpoints: %s: %s", cli->checkpoints, strerror(errno));
    struct verification v = {.json = cli->json ? cli_json_begin() : NULL};
    struct verify verify = {.conninfo = cli->database,
                            .checkpoints = cli->checkpoints,
                            .keys = cli->key == NULL ? NULL : &keys,
                            .redis = cli->redis,
                            .tell = tell,
                            .owner = &v};
    if (v.json != NULL)
        json_write_array(v.json);
    bool done = verify_run(&verify);
    if (v.json != NULL) {
        json_write_array_end(v.json);
        cli_json_end();
    }
    if (!done)
        return cli_fail_database(cli, verify.error);
    return v.broken ? 1 : 0;
}

const struct cli_command cli_ledger[] = {
    {"verify", "", 0, 0, CLI_DATABASE | CLI_REDIS | CLI_CHECKPOINTS | CLI_KEY,
     "check every invariant of the ledger; 1 when one is broken", verify},
    {.name = NULL},
};
