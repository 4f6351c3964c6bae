/* moolah user: customers and their wallets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/body.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/uuid.h"
#include "base/zone.h"
#include "cli/cli.h"

#define PASSWORD_MIN 8
#define PASSWORD_MAX 128

static const char list_sql[] =
    "select u.id \"id:usr_\", u.name, u.tier \"tier:number\", count(w.id) \"wallets:number\", "
    "u.frozen \"frozen:bool\", u.created_at \"created_at:time\" from users u left join wallets w "
    "on w.owner = u.id "
    "group by u.id order by u.id desc limit 100";

static const char show_sql[] =
    "select u.id \"user:usr_\", u.name, u.tier \"tier:number\", w.id \"wallet:wal_\", w.label, "
    "a.currency \"currency:currency\", a.posted \"posted:money\", a.held \"held:money\", "
    "a.posted - a.held \"available:money\", a.version \"version:number\", "
    "(array['active', 'frozen', 'closed'])[a.status] status "
    "from users u join wallets w on w.owner = u.id join accounts a on a.id = w.id "
    "where u.phone = $1 order by w.id";

/* The same rows as POST /v1/users makes. */
static const char add_sql[] =
    "with u as (insert into users (id, phone, name, password, wallet, created_at) "
    "values ($1::uuid, $2, $3, $4, $5::uuid, now()) on conflict do nothing returning id, name), "
    "a as (insert into accounts (id, kind, currency, owner, zone) "
    "select $5::uuid, 1, $6::integer, u.id, $7::smallint from u returning id), "
    "w as (insert into wallets (id, owner, label, created_at) "
    "select a.id, u.id, 'Main', now() from a, u returning id) "
    "select u.id \"id:usr_\", u.name, w.id \"wallet:wal_\" from u, w";

static void hide_typing(bool hide)
{
    struct termios terminal;
    if (tcgetattr(STDIN_FILENO, &terminal) != 0)
        return;
    if (hide)
        terminal.c_lflag &= ~(tcflag_t)ECHO;
    else
        terminal.c_lflag |= ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
}

/* $MOOLAH_PASSWORD, or the first line of standard input: never a word of the command, which every
 * user of the machine can read. */
static bool read_password(char password[PASSWORD_MAX + 2])
{
    const char *given = getenv("MOOLAH_PASSWORD");
    bool terminal = given == NULL && isatty(STDIN_FILENO);
    if (given != NULL) {
        snprintf(password, PASSWORD_MAX + 2, "%s", given);
    } else {
        if (terminal)
            fputs("password: ", stderr);
        hide_typing(terminal);
        if (fgets(password, PASSWORD_MAX + 2, stdin) == NULL)
            password[0] = '\0';
        hide_typing(false);
        if (terminal)
            fputc('\n', stderr);
    }
    password[strcspn(password, "\r\n")] = '\0';
    return strlen(password) >= PASSWORD_MIN && strlen(password) <= PASSWORD_MAX;
}

static void hex(const struct uuid *id, char text[33])
{
    for (size_t i = 0; i < sizeof id->bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
}

static int insert(const struct cli *cli, const char *encoded, int zone)
{
    char user[33];
    char wallet[33];
    char zar[16];
    char number[16];
    struct uuid user_id = uuid_new(clock_now());
    struct uuid wallet_id = uuid_new(clock_now());
    hex(&user_id, user);
    hex(&wallet_id, wallet);
    snprintf(zar, sizeof zar, "%u", CURRENCY_ZAR);
    snprintf(number, sizeof number, "%d", zone);
    const char *values[] = {user, cli->phone, cli->name, encoded, wallet, zar, number};
    return cli_print_query(cli, &(struct cli_query){.sql = add_sql,
                                                    .count = 7,
                                                    .values = values,
                                                    .one = true,
                                                    .none = "that phone number has a user "
                                                            "already: moolah user show PHONE"});
}

static int add(const struct cli *cli)
{
    char password[PASSWORD_MAX + 2];
    char encoded[CRYPTO_PASSWORD_HASH_MAX];
    int zone = cli->time_zone == NULL ? ZONE_USUAL : zone_find(slice_of(cli->time_zone));
    if (cli->phone == NULL || !body_is_phone(slice_of(cli->phone)))
        return cli_fail(2, "--phone must be like +27821234567");
    if (!cli_is_name(cli->name))
        return cli_fail(2, "--name must be 1 to 100 characters of UTF-8");
    if (zone == 0)
        return cli_fail(2, "--time-zone must be one that is known here, like Africa/Lagos or UTC: "
                           "TimeZone in openapi.yaml lists them");
    if (!read_password(password))
        return cli_fail(2,
                        "the password must have %d to %d characters: put it on standard input "
                        "or into MOOLAH_PASSWORD",
                        PASSWORD_MIN, PASSWORD_MAX);
    bool hashed = crypto_password_hash(slice_of(password), encoded);
    memory_wipe(password, sizeof password);
    if (!hashed)
        return cli_fail(1, "not enough memory to hash the password: 19 MiB are needed");
    return insert(cli, encoded, zone);
}

static int show(const struct cli *cli)
{
    const char *values[] = {cli->words[0]};
    if (!body_is_phone(slice_of(cli->words[0])))
        return cli_fail(2, "PHONE must be like +27821234567");
    return cli_print_query(cli, &(struct cli_query){.sql = show_sql,
                                                    .count = 1,
                                                    .values = values,
                                                    .none = "nobody has that phone number"});
}

static int list(const struct cli *cli)
{
    return cli_print_query(cli, &(struct cli_query){.sql = list_sql});
}

const struct cli_command cli_user[] = {
    {"add", "", 0, 0, CLI_DATABASE | CLI_USER,
     "--phone NUMBER --name NAME [--time-zone ZONE]; the password comes from standard input or "
     "$MOOLAH_PASSWORD",
     add},
    {"list", "", 0, 0, CLI_DATABASE, "the newest 100", list},
    {"show", "PHONE", 1, 1, CLI_DATABASE, "one, and every wallet with its balance", show},
    {.name = NULL},
};
