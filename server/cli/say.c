/* What all commands say and check alike. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/currency.h"
#include "base/json.h"
#include "cli/cli.h"
#include "ledger/money.h"

#define NAME_MAX_CHARACTERS 100

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    fflush(stdout); /* what was found out before it stands above it */
    va_start(arguments, format);
    fputs("moolah: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

static const char *next_step(const struct cli *cli, const char *message)
{
    if (strstr(message, "permission denied") != NULL || strstr(message, "must be owner") != NULL)
        return cli->is_servers
                   ? "; the configuration's database is the server's role, which may only serve: "
                     "give the schema's owner with --database CONNINFO"
                   : "; this needs the schema's owner: --database CONNINFO with its user";
    if (strstr(message, "relation \"") != NULL && strstr(message, "does not exist") != NULL)
        return "; moolah db migrate makes the schema";
    if (strstr(message, "connection to server") != NULL || strstr(message, "could not") != NULL)
        return "; does PostgreSQL run, and is --database right?";
    return "";
}

int cli_fail_database(const struct cli *cli, const char *message)
{
    const char *text = strncmp(message, "ERROR:  ", 8) == 0 ? message + 8 : message;
    return cli_fail(1, "%.*s%s", (int)strcspn(text, "\n"), text, next_step(cli, message));
}

bool cli_is_name(const char *text)
{
    size_t characters = 0;
    if (text == NULL || !json_write_is_utf8(slice_of(text)))
        return false;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
            return false;
        characters += (*at & 0xc0) != 0x80;
    }
    return characters >= 1 && characters <= NAME_MAX_CHARACTERS;
}

static struct bytes json_text;
static struct json_writer json;

struct json_writer *cli_json_begin(void)
{
    bytes_init(&json_text, NULL);
    json_write_init(&json, &json_text);
    return &json;
}

void cli_json_end(void)
{
    printf("%.*s\n", (int)json_text.length, json_text.at);
    bytes_release(&json_text);
}

int cli_print_document(const struct cli *cli, struct slice text)
{
    if (!cli->json) {
        fwrite(text.at, 1, text.length, stdout);
        return 0;
    }
    struct json_writer *writer = cli_json_begin();
    json_write_object(writer);
    json_write_key(writer, "text");
    json_write_string(writer, text);
    json_write_object_end(writer);
    cli_json_end();
    return 0;
}

void cli_format_money(long long minor, unsigned which, char text[CLI_MONEY_MAX])
{
    char digits[32];
    int decimals = which == 0 ? 0 : currency_digits(which);
    unsigned long long size = minor < 0 ? 0 - (unsigned long long)minor : (unsigned long long)minor;
    size_t at = 0;
    snprintf(digits, sizeof digits, "%0*llu", (decimals & 7) + 1, size);
    int whole = (int)strlen(digits) - decimals;
    if (minor < 0)
        text[at++] = '-';
    for (int i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    snprintf(text + at, CLI_MONEY_MAX - at, "%s%s", decimals > 0 ? "." : "", digits + whole);
}

long long cli_parse_money(const char *text, unsigned which)
{
    int64_t minor = 0;
    int decimals = 0;
    bool fraction = false;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*text < '0' || *text > '9' || minor > MONEY_MAX)
            return 0;
        minor = minor * 10 + (*text - '0');
        decimals += fraction;
    }
    if (fraction && decimals != currency_digits(which))
        return 0;
    for (; decimals < currency_digits(which) && minor <= MONEY_MAX; decimals++)
        minor *= 10;
    return money_is_amount(minor) ? minor : 0;
}
