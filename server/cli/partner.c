/* moolah partner: who may deposit, and their API keys. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "store/gate.h"

static void hex(const uint8_t *data, size_t length, char *text)
{
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
}

static const char add_sql[] =
    "with p as (insert into partners (id, name, created_at) values ($2::uuid, $1, now()) "
    "on conflict do nothing returning id, name), "
    "k as (insert into api_keys (id, partner, key_hash, created_at) "
    "select $3::uuid, p.id, decode($4, 'hex'), now() from p returning id) "
    "select p.id \"id:par_\", p.name, k.id \"key:key_\" from p, k";

/* The id inside a key's text is a claim only, so it needn't be the partner's for the key to work:
 * the hash decides. */
static const char key_sql[] = "with k as (insert into api_keys (id, partner, key_hash, created_at) "
                              "select $3::uuid, id, decode($4, 'hex'), now() from partners "
                              "where name = $1 and $2 <> '' and disabled_at is null returning *) "
                              "select partner \"id:par_\", $1 as name, id \"key:key_\" from k";

static const char list_sql[] =
    "select p.id \"id:par_\", p.name, count(k.id) filter (where k.revoked_at is null) "
    "\"keys:number\", p.created_at \"created_at:time\", p.disabled_at \"disabled_at:time\" "
    "from partners p left join api_keys k on k.partner = p.id group by p.id order by p.name";

static const char disable_sql[] =
    "with p as (update partners set disabled_at = coalesce(disabled_at, now()) where name = $1 "
    "returning id, name, disabled_at), "
    "k as (update api_keys set revoked_at = now() from p where partner = p.id "
    "and revoked_at is null returning api_keys.id), "
    "w as (update webhooks set status = 2, ended_at = now() from p where partner = p.id "
    "and status = 1 returning webhooks.id) "
    "select p.id \"id:par_\", p.name, p.disabled_at \"disabled_at:time\", (select count(*) from k) "
    "\"keys_revoked:number\", (select count(*) from w) \"webhooks_ended:number\" from p";

/* A key of partner `id`: its text once on the screen, only its hash in the database. */
static int add_key(const struct cli *cli, const char *sql, const char *none)
{
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    char texts[3][65];
    struct uuid id = uuid_new(clock_now());
    struct uuid key_id = uuid_new(clock_now());
    if (!cli_is_name(cli->words[0]))
        return cli_fail(2, "a partner's NAME is 1 to 100 characters of UTF-8");
    gate_token_new(GATE_PARTNER, &id, token);
    gate_token_hash(slice_of(token), hash);
    hex(id.bytes, sizeof id.bytes, texts[0]);
    hex(key_id.bytes, sizeof key_id.bytes, texts[1]);
    hex(hash, sizeof hash, texts[2]);
    const char *values[] = {cli->words[0], texts[0], texts[1], texts[2]};
    const struct cli_query query = {.sql = sql,
                                    .count = 4,
                                    .values = values,
                                    .none = none,
                                    .one = true,
                                    .once_name = "api_key",
                                    .once_value = token};
    int code = cli_print_query(cli, &query);
    memory_wipe(token, sizeof token);
    return code;
}

static int disable(const struct cli *cli)
{
    const char *values[] = {cli->words[0]};
    const struct cli_query query = {.sql = disable_sql,
                                    .count = 1,
                                    .values = values,
                                    .none = "no partner has that name: moolah partner list",
                                    .one = true};
    int code = cli_print_query(cli, &query);
    if (code == 0 && !cli->json)
        printf("\nIts keys stop working within a minute, when the last cached copy is gone.\n");
    return code;
}

static int add(const struct cli *cli)
{
    return add_key(cli, add_sql,
                   "a partner of that name is there already: moolah partner key NAME");
}

static int key(const struct cli *cli)
{
    return add_key(cli, key_sql,
                   "no partner has that name, or it is disabled: moolah partner list");
}

static int list(const struct cli *cli)
{
    return cli_print_query(cli, &(struct cli_query){.sql = list_sql});
}

const struct cli_command cli_partner[] = {
    {"add", "NAME", 1, 1, CLI_DATABASE, "a partner and its first API key, shown once", add},
    {"key", "NAME", 1, 1, CLI_DATABASE, "another key for it, shown once", key},
    {"list", "", 0, 0, CLI_DATABASE, "all of them", list},
    {"disable", "NAME", 1, 1, CLI_DATABASE, "revoke all its keys, end its webhooks", disable},
    {.name = NULL},
};
