/* moolah: the operators' command line. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "cli/cli.h"
#include "version.h"

static const char help[] =
    "moolah: the operators' command line\n"
    "\n"
    "  moolah db migrate | status          bring the schema up to date | show it\n"
    "  moolah ledger verify                check every invariant of the ledger; 1 when one is "
    "broken\n"
    "  moolah user list | show PHONE       users and their wallets\n"
    "  moolah partner add NAME             a partner and its first API key, shown once\n"
    "  moolah partner key NAME             another key for it, shown once\n"
    "  moolah partner list | disable NAME\n"
    "  moolah rules check DIR              are these rule files good? where not, file:line:column "
    "says why\n"
    "  moolah rules price DIR KIND AMOUNT CURRENCY [TIER]   what it would cost: AMOUNT in minor "
    "units\n"
    "  moolah rules status                 which rules every worker serves, and why a change was "
    "refused\n"
    "  moolah docs problems                the page of problems\n"
    "\n"
    "Options: --database CONNINFO (or $MOOLAH_DATABASE), as the schema's owner; --redis ADDRESS "
    "for\n"
    "ledger verify; --json for machines; --help; --version.\n"
    "Exit codes: 0 done, 1 something is wrong, 2 wrong usage.\n";

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("moolah: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

bool cli_is(const struct cli *cli, int i, const char *name)
{
    return i < cli->count && strcmp(cli->words[i], name) == 0;
}

static const struct {
    const char *name;
    int (*run)(const struct cli *cli);
    bool needs_database;
} groups[] = {
    {"db", cli_db, true},           {"ledger", cli_ledger, true}, {"user", cli_user, true},
    {"partner", cli_partner, true}, {"rules", cli_rules, false},  {"docs", cli_docs, false},
};

static int run(struct cli *cli, const char *name)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strcmp(groups[i].name, name) != 0)
            continue;
        if (groups[i].needs_database && cli->database == NULL)
            return cli_fail(2, "which database? --database CONNINFO, or set MOOLAH_DATABASE");
        return groups[i].run(cli);
    }
    return cli_fail(2, "'%s' is no command: moolah --help lists them", name);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"database", required_argument, NULL, 'd'}, {"redis", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},           {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},        {NULL, 0, NULL, 0},
    };
    struct cli cli = {.database = getenv("MOOLAH_DATABASE")};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'd')
            cli.database = optarg;
        else if (option == 'r')
            cli.redis = optarg;
        else if (option == 'j')
            cli.json = true;
        else if (option == 'v')
            return printf("moolah %s\n", MOOLAH_VERSION) < 0;
        else {
            fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (optind >= argc) {
        fputs(help, stderr);
        return 2;
    }
    if (!crypto_start())
        return cli_fail(1, "no source of random numbers");
    cli.words = argv + optind + 1;
    cli.count = argc - optind - 1;
    return run(&cli, argv[optind]);
}
