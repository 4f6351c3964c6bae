#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "store/gate.h"

static void uuid_plain(const struct uuid *id, char text[33])
{
    for (size_t i = 0; i < sizeof id->bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
}

/* A key of partner `id`: the text once on the screen, only its hash in the database. */
static int add_key(const struct cli *cli, const char *sql, const struct uuid *id)
{
    char token[GATE_TOKEN_MAX];
    uint8_t hash[32];
    char hash_text[65];
    char partner[33];
    char key[33];
    struct uuid key_id = uuid_new(clock_now());
    struct cli quiet = *cli;
    gate_token_new(GATE_PARTNER, id, token);
    gate_token_hash(slice_of(token), hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(hash_text + 2 * i, 3, "%02x", hash[i]);
    uuid_plain(id, partner);
    uuid_plain(&key_id, key);
    const char *values[] = {cli->words[1], partner, key, hash_text};
    int code = cli_print_query(&quiet, sql, 4, values);
    if (code == 0)
        printf(cli->json ? "{\"api_key\":\"%s\"}\n" : "api key, shown this once: %s\n", token);
    memory_wipe(token, sizeof token);
    return code;
}

static const char add_sql[] =
    "with p as (insert into partners (id, name, created_at) values ($2::uuid, $1, now()) returning "
    "id, name), "
    "k as (insert into api_keys (id, partner, key_hash, created_at) "
    "select $3::uuid, p.id, decode($4, 'hex'), now() from p returning id) "
    "select p.id, p.name, k.id key from p, k";

/* The id inside a key's text is a claim only, so it needn't be the partner's for the key to work:
 * the hash decides. */
static const char key_sql[] = "with k as (insert into api_keys (id, partner, key_hash, created_at) "
                              "select $3::uuid, id, decode($4, 'hex'), now() from partners where "
                              "name = $1 and $2 <> '' returning *) "
                              "select partner id, $1 as name, id key from k";

int cli_partner(const struct cli *cli)
{
    struct uuid id = uuid_new(clock_now());
    if (cli->count == 2 && cli_is(cli, 0, "add"))
        return add_key(cli, add_sql, &id);
    if (cli->count == 2 && cli_is(cli, 0, "key"))
        return add_key(cli, key_sql, &id);
    if (cli->count == 1 && cli_is(cli, 0, "list"))
        return cli_print_query(
            cli,
            "select p.id, p.name, count(k.id) filter (where k.revoked_at is null) keys, "
            "p.disabled_at from partners p left join api_keys k on k.partner = p.id "
            "group by p.id order by p.name",
            0, NULL);
    if (cli->count == 2 && cli_is(cli, 0, "disable")) {
        const char *values[] = {cli->words[1]};
        return cli_print_query(cli,
                               "update partners set disabled_at = coalesce(disabled_at, now()) "
                               "where name = $1 returning id, name, disabled_at",
                               1, values);
    }
    return cli_fail(2, "moolah partner add NAME | key NAME | list | disable NAME");
}
