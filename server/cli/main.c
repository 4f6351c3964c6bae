/* moolah: the operators' command line: what was typed, sorted out and handed to its command. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "cli/cli.h"
#include "config.h"
#include "scripting/locate.h"
#include "version.h"

#define COMMANDS_MAX 16

static const struct group {
    const char *name;
    const char *what;
    const struct cli_command *commands;
} groups[] = {
    {"db", "the schema", cli_db},
    {"ledger", "the books", cli_ledger},
    {"user", "customers and their wallets", cli_user},
    {"partner", "who may deposit, and their API keys", cli_partner},
    {"rules", "what things cost", cli_rules},
    {"proof", "proofs that something was booked", cli_proof},
    {"stock", "vouchers that are sold", cli_stock},
    {"config", "moolahd's configuration", cli_config},
    {"docs", "pages made from the source", cli_docs},
};

#define GROUPS (sizeof groups / sizeof groups[0])

enum {
    CONFIG = 256,
    DATABASE,
    REDIS,
    CHECKPOINTS,
    KEY,
    PHONE,
    NAME,
    TIME_ZONE,
    KIND,
    AMOUNT,
    CURRENCY,
    TIER,
    OWN,
    AT,
    MONTH,
    TO,
    FROM,
    COVERAGE,
    JSON,
    VERSION
};

static const struct option options[] = {
    {"config", required_argument, NULL, CONFIG},
    {"database", required_argument, NULL, DATABASE},
    {"redis", required_argument, NULL, REDIS},
    {"phone", required_argument, NULL, PHONE},
    {"name", required_argument, NULL, NAME},
    {"time-zone", required_argument, NULL, TIME_ZONE},
    {"kind", required_argument, NULL, KIND},
    {"amount", required_argument, NULL, AMOUNT},
    {"currency", required_argument, NULL, CURRENCY},
    {"tier", required_argument, NULL, TIER},
    {"own", no_argument, NULL, OWN},
    {"at", required_argument, NULL, AT},
    {"month", required_argument, NULL, MONTH},
    {"to", required_argument, NULL, TO},
    {"from", required_argument, NULL, FROM},
    {"key", required_argument, NULL, KEY},
    {"checkpoints", required_argument, NULL, CHECKPOINTS},
    {"coverage", no_argument, NULL, COVERAGE},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

/* What was typed beside the words. */
struct typed {
    struct cli cli;
    const char *config;
    unsigned given; /* enum cli_option: what of it stood there */
    bool help;
    bool version;
};

static void print_command(FILE *out, const struct group *group, const struct cli_command *command)
{
    char line[80];
    snprintf(line, sizeof line, "moolah %s %s %s", group->name, command->name, command->words);
    fprintf(out, "  %-36s %s\n", line, command->what);
}

static void print_options(FILE *out, unsigned takes)
{
    fputs("\nOptions, before or after the words:\n", out);
    if ((takes & CLI_DATABASE) != 0)
        fputs("  --database CONNINFO   PostgreSQL as the schema's owner; or $MOOLAH_DATABASE\n"
              "  --config FILE         database and Redis of a moolahd configuration: the server's "
              "role\n",
              out);
    if ((takes & CLI_REDIS) != 0)
        fputs("  --redis ADDRESS       unix:/path or 127.0.0.1:6379, to verify the cache, too\n",
              out);
    if ((takes & CLI_CHECKPOINTS) != 0)
        fputs("  --checkpoints FILE    the seals' checkpoints, to be held against the database\n",
              out);
    if ((takes & CLI_KEY) != 0)
        fputs("  --key KEY             a public key: 64 hex digits, or a file of them\n", out);
    if ((takes & CLI_USER) != 0)
        fputs(
            "  --phone NUMBER        like +27821234567\n"
            "  --name NAME           1 to 100 characters\n"
            "  --time-zone ZONE      of the wallet's days, like Africa/Lagos; --config's when not "
            "given\n",
            out);
    if ((takes & CLI_MOVEMENT) != 0)
        fputs(
            "  --amount AMOUNT       as people write it: 250 or 250.00\n"
            "  --currency CODE       ISO 4217, like ZAR\n"
            "  --kind KIND           transfer when not given\n"
            "  --tier TIER           the payer's KYC tier, 0 (when not given) to 3\n"
            "  --own                 between two wallets of one owner\n"
            "  --at MOMENT           like '2026-12-01 00:00', in Africa/Johannesburg; now when not "
            "given\n",
            out);
    if ((takes & CLI_COVERAGE) != 0)
        fputs("  --coverage            which slabs, caps and products no test reached\n", out);
    if ((takes & CLI_ARCHIVE) != 0)
        fputs("  --month MONTH         like 2024-01, in UTC\n"
              "  --to, --from FOLDER   where moolah-2024-01 will be, or is\n",
              out);
    fputs("  --json                for machines\n"
          "  --help\n",
          out);
}

static void print_group(FILE *out, const struct group *group)
{
    unsigned takes = 0;
    fprintf(out, "moolah %s: %s\n\n", group->name, group->what);
    for (const struct cli_command *c = group->commands; c->name != NULL; c++) {
        print_command(out, group, c);
        takes |= c->takes;
    }
    print_options(out, takes);
}

static void print_help(FILE *out)
{
    fputs("moolah: the operators' command line\n\n", out);
    for (size_t i = 0; i < GROUPS; i++)
        for (const struct cli_command *c = groups[i].commands; c->name != NULL; c++)
            print_command(out, &groups[i], c);
    fputs("\nmoolah GROUP --help says more about a group and its options, moolah --version which "
          "one this is.\n"
          "Exit codes: 0 done, 1 something is wrong, 2 wrong usage.\n",
          out);
}

/* `what` there is none of that name; `where` stands what there is. */
static int unknown(const char *what, const char *word, const char *const *known, const char *where)
{
    const char *near = locate_similar(word, known);
    if (near != NULL)
        return cli_fail(2, "'%.40s' is no %s; did you mean %s? %s lists them all", word, what, near,
                        where);
    return cli_fail(2, "'%.40s' is no %s: %s lists them all", word, what, where);
}

static int bad_option(int option, const char *word)
{
    static const char *names[sizeof options / sizeof options[0]];
    char name[48];
    if (option == ':')
        return cli_fail(2, "%.40s needs a value", word);
    for (size_t i = 0; options[i].name != NULL; i++)
        names[i] = options[i].name;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *near = locate_similar(name + strspn(name, "-"), names);
    if (near != NULL)
        return cli_fail(2, "%s is no option; did you mean --%s? moolah GROUP --help lists them all",
                        name, near);
    return cli_fail(2, "%s is no option: moolah GROUP --help lists them all", name);
}

/* Where an option's value goes; *given: what kind it is. */
static const char **place_of(struct typed *typed, int option, unsigned *given)
{
    struct cli *cli = &typed->cli;
    switch (option) {
    case CONFIG:
        return &typed->config;
    case DATABASE:
        return &cli->database;
    case REDIS:
        *given = CLI_REDIS;
        return &cli->redis;
    case CHECKPOINTS:
        *given = CLI_CHECKPOINTS;
        return &cli->checkpoints;
    case KEY:
        *given = CLI_KEY;
        return &cli->key;
    case PHONE:
        *given = CLI_USER;
        return &cli->phone;
    case NAME:
        *given = CLI_USER;
        return &cli->name;
    case TIME_ZONE:
        *given = CLI_USER;
        return &cli->time_zone;
    case KIND:
        *given = CLI_MOVEMENT;
        return &cli->kind;
    case AMOUNT:
        *given = CLI_MOVEMENT;
        return &cli->amount;
    case CURRENCY:
        *given = CLI_MOVEMENT;
        return &cli->currency;
    case TIER:
        *given = CLI_MOVEMENT;
        return &cli->tier;
    case AT:
        *given = CLI_MOVEMENT;
        return &cli->at;
    case MONTH:
        *given = CLI_ARCHIVE;
        return &cli->month;
    case TO:
    case FROM:
        *given = CLI_ARCHIVE;
        return &cli->folder;
    default:
        return NULL;
    }
}

/* 0, or the exit code of wrong usage. */
static int read_options(int argc, char **argv, struct typed *typed)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        unsigned given = 0;
        const char **place = place_of(typed, option, &given);
        typed->given |= given;
        if (place != NULL)
            *place = optarg;
        else if (option == OWN)
            typed->cli.own = true, typed->given |= CLI_MOVEMENT;
        else if (option == COVERAGE)
            typed->cli.coverage = true, typed->given |= CLI_COVERAGE;
        else if (option == JSON)
            typed->cli.json = true;
        else if (option == VERSION)
            typed->version = true;
        else if (option == 'h')
            typed->help = true;
        else
            return bad_option(option, argv[optind - 1]);
    }
    return 0;
}

/* Database and Redis as moolahd has them; what was named beside --config counts first. */
static bool read_config(struct typed *typed)
{
    static struct config config; /* its texts are used until the end */
    struct bundle_report report = {0};
    struct bytes text;
    if (config_read(typed->config, &config, &report)) {
        typed->cli.secret_key = config.secret_key;
        typed->cli.rules = config.rules;
        typed->cli.is_servers = typed->cli.database == NULL;
        if (typed->cli.database == NULL)
            typed->cli.database = config.database;
        if (typed->cli.redis == NULL)
            typed->cli.redis = config.redis;
        if (typed->cli.time_zone == NULL)
            typed->cli.time_zone = config.time_zone;
        if (typed->cli.checkpoints == NULL)
            typed->cli.checkpoints = config.proof_checkpoints;
        return true;
    }
    bytes_init(&text, NULL);
    bundle_report_write(&report, &text);
    fwrite(text.at, 1, text.length, stderr);
    bytes_release(&text);
    return false;
}

/* What was typed in vain. */
static const char *name_of(unsigned given)
{
    return (given & CLI_REDIS) != 0         ? "--redis"
           : (given & CLI_CHECKPOINTS) != 0 ? "--checkpoints"
           : (given & CLI_KEY) != 0         ? "--key"
           : (given & CLI_USER) != 0        ? "--phone, --name or --time-zone"
           : (given & CLI_COVERAGE) != 0    ? "--coverage"
           : (given & CLI_ARCHIVE) != 0     ? "--month, --to or --from"
                                            : "what is priced";
}

static int check_words(const struct typed *typed, const struct group *group,
                       const struct cli_command *command)
{
    if (typed->cli.count < command->least)
        return cli_fail(2, "moolah %s %s needs %s: moolah %s --help", group->name, command->name,
                        command->words, group->name);
    if (typed->cli.count > command->most)
        return cli_fail(2, "moolah %s %s%s%s takes no '%.40s': moolah %s --help", group->name,
                        command->name, command->words[0] == '\0' ? "" : " ", command->words,
                        typed->cli.words[command->most], group->name);
    if ((typed->given & ~command->takes) != 0)
        return cli_fail(2, "moolah %s %s doesn't take %s: moolah %s --help", group->name,
                        command->name, name_of(typed->given & ~command->takes), group->name);
    return 0;
}

static int run(struct typed *typed, const struct group *group, const struct cli_command *command)
{
    const char *variable = getenv("MOOLAH_DATABASE");
    int wrong = check_words(typed, group, command);
    if (wrong != 0)
        return wrong;
    if (typed->config != NULL && !read_config(typed))
        return 1;
    if (typed->cli.database == NULL && variable != NULL && variable[0] != '\0')
        typed->cli.database = variable;
    if ((command->takes & CLI_DATABASE) != 0 && typed->cli.database == NULL)
        return cli_fail(2, "which database? --database CONNINFO, --config FILE, or set "
                           "MOOLAH_DATABASE");
    if (!crypto_start())
        return cli_fail(1, "no source of random numbers");
    int code = command->run(&typed->cli);
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail(1, "the output could not be written: is the disk full?");
    return code;
}

static int find_command(struct typed *typed, const struct group *group)
{
    const char *names[COMMANDS_MAX] = {NULL};
    char what[32];
    char where[32];
    int count = 0;
    if (typed->help || typed->cli.count == 0) {
        print_group(typed->help ? stdout : stderr, group);
        return typed->help ? 0 : 2;
    }
    const char *word = typed->cli.words[0];
    for (const struct cli_command *c = group->commands; c->name != NULL; c++) {
        names[count++] = c->name;
        if (strcmp(c->name, word) != 0)
            continue;
        typed->cli.words++;
        typed->cli.count--;
        return run(typed, group, c);
    }
    snprintf(what, sizeof what, "command of moolah %s", group->name);
    snprintf(where, sizeof where, "moolah %s --help", group->name);
    return unknown(what, word, names, where);
}

static int find_group(struct typed *typed)
{
    const char *names[GROUPS + 1] = {NULL};
    const char *word = typed->cli.count == 0 ? NULL : typed->cli.words[0];
    if (word != NULL && strcmp(word, "help") == 0) {
        typed->help = true;
        typed->cli.words++;
        word = --typed->cli.count == 0 ? NULL : typed->cli.words[0];
    }
    if (word == NULL) {
        print_help(typed->help ? stdout : stderr);
        return typed->help ? 0 : 2;
    }
    for (size_t i = 0; i < GROUPS; i++) {
        names[i] = groups[i].name;
        if (strcmp(groups[i].name, word) != 0)
            continue;
        typed->cli.words++;
        typed->cli.count--;
        return find_command(typed, &groups[i]);
    }
    return unknown("command", word, names, "moolah --help");
}

int main(int argc, char **argv)
{
    struct typed typed = {.help = false};
    int wrong = read_options(argc, argv, &typed);
    if (wrong != 0)
        return wrong;
    if (typed.version)
        return printf("moolah %s\n", MOOLAH_VERSION) < 0;
    typed.cli.words = argv + optind;
    typed.cli.count = argc - optind;
    return find_group(&typed);
}
