#include "support/cast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/currency.h"
#include "base/uuid.h"
#include "base/zone.h"
#include "store/gate.h"

#define DOZEN 12
#define SQL_MAX (DOZEN * 8192)

struct cast {
    struct model_user users[STEP_USERS];
    struct model_wallet wallets[STEP_OPENED];
    char tokens[STEP_USERS][96];
};

/* Made and not taken yet, by whether they are for a crowd. */
static struct cast casts[2][DOZEN];
static int left[2];

static int zone = ZONE_USUAL; /* two hours before UTC: its midnight is 22:00 */

static void run_sql(const struct stack *stack, const char *statement)
{
    setenv("STATEMENT", statement, 1);
    if (stack_shell(stack, "psql -XAtq -v ON_ERROR_STOP=1 \"$MOOLAH_DATABASE\" -c "
                           "\"$STATEMENT\" >/dev/null") != 0)
        abort();
}

void cast_settle_clock(const struct stack *stack)
{
    char statement[120];
    int64_t hour = clock_now() / CLOCK_SECOND / 3600 % 24;
    if (hour == 21 || hour == 22)
        zone = zone_find(SLICE("Asia/Tokyo"));
    if (zone <= 0)
        abort();
    snprintf(statement, sizeof statement, "alter table accounts alter column zone set default %d",
             zone);
    run_sql(stack, statement);
}

const char *cast_time_zone(void)
{
    return zone_name(zone);
}

static void hex(const void *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
}

static size_t add_wallets(struct cast *cast, int user, const char *owner, char main[33], char *sql)
{
    static const char format[] =
        "insert into accounts (id, kind, tier, currency, owner) values ('%s', 1, %d, %d, '%s'); "
        "insert into wallets values ('%s', '%s', 'walk', now());";
    size_t length = 0;
    for (int i = 0; i < STEP_OPENED; i++) {
        struct model_wallet *w = &cast->wallets[i];
        struct uuid id = uuid_new(clock_now());
        currency which = currency_parse(slice_of(step_currencies[w->currency]));
        char text[33];
        if (w->owner != user)
            continue;
        uuid_format(&id, "wal_", w->id);
        hex(id.bytes, sizeof id.bytes, text);
        if (i == user)
            memcpy(main, text, sizeof text);
        length += (size_t)snprintf(sql + length, 512, format, text, cast->users[user].tier,
                                   (int)which, owner, text, owner);
    }
    return length;
}

static size_t add_user(struct cast *cast, int user, char *sql)
{
    static int phones;
    struct uuid id = uuid_new(clock_now());
    uint8_t hash[32];
    char text[33];
    char hash_text[65];
    char main[33] = "";
    uuid_format(&id, "usr_", cast->users[user].id);
    hex(id.bytes, sizeof id.bytes, text);
    gate_token_new(GATE_USER, &id, cast->tokens[user]);
    gate_token_hash(slice_of(cast->tokens[user]), hash);
    hex(hash, sizeof hash, hash_text);
    size_t length = add_wallets(cast, user, text, main, sql);
    length += (size_t)snprintf(
        sql + length, 2048,
        "insert into users (id, phone, name, password, tier, wallet, created_at) values ('%s', "
        "'+2790%07d', 'Walker', 'none', %d, '%s', now()); insert into sign_ins values ('%s', '%s', "
        "decode('%s', 'hex'), 'walk', '127.0.0.1', now(), now() + interval '1 day');",
        text, ++phones, cast->users[user].tier, main, text, text, hash_text);
    return length;
}

static void make(const struct stack *stack, bool crowded)
{
    static const int owners[STEP_OPENED] = {0, 1, 2, 0, 0, 1};
    char *sql = calloc(1, SQL_MAX);
    size_t length = 0;
    if (sql == NULL)
        abort();
    for (int k = 0; k < DOZEN; k++) {
        struct cast *cast = &casts[crowded][k];
        *cast = (struct cast){.wallets[STEP_DOLLARS].currency = STEP_USD,
                              .wallets[STEP_DOLLARS_TOO].currency = STEP_USD};
        for (int i = 0; i < STEP_OPENED; i++)
            cast->wallets[i].owner = owners[i];
        for (int i = 0; i < STEP_USERS; i++) {
            cast->users[i].tier = step_tiers[crowded][i];
            length += add_user(cast, i, sql + length);
        }
    }
    run_sql(stack, sql);
    free(sql);
    left[crowded] = DOZEN;
}

void cast_take(const struct stack *stack, bool crowded, struct model *model,
               char tokens[STEP_USERS][96])
{
    if (left[crowded] == 0)
        make(stack, crowded);
    const struct cast *cast = &casts[crowded][--left[crowded]];
    memcpy(model->users, cast->users, sizeof cast->users);
    memcpy(model->wallets, cast->wallets, sizeof cast->wallets);
    memcpy(tokens, cast->tokens, sizeof cast->tokens);
}
