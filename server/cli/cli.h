/* moolah's commands: one file per group, each with the list of its commands. A command returns the
 * exit code: 0 done, 1 something is wrong, 2 wrong usage. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct json_writer;

/* What was typed, sorted out. A text that wasn't given is NULL. */
struct cli {
    const char *database;      /* conninfo: --database, --config's or $MOOLAH_DATABASE */
    const char *redis;         /* --redis or --config's */
    const char *checkpoints;   /* --checkpoints or --config's */
    const char *key;           /* --key */
    const uint8_t *secret_key; /* --config's, 32 bytes; NULL: no --config */
    const char *rules;         /* --config's folder; NULL: no --config */
    bool is_servers;           /* the database is the configuration's: its role may only serve */
    bool json;
    const char *phone, *name;                         /* of a user */
    const char *time_zone;                            /* --time-zone or --config's */
    const char *kind, *amount, *currency, *tier, *at; /* of a movement to be priced */
    bool own;
    bool coverage;
    const char *month, *folder; /* of an archive */
    int count;                  /* words behind the command's name */
    char **words;
};

/* Options that not every command takes. */
enum cli_option {
    CLI_DATABASE = 1, /* and it can't do without */
    CLI_REDIS = 2,
    CLI_USER = 4, /* --phone --name --time-zone */
    CLI_MOVEMENT = 8,
    CLI_ARCHIVE = 16, /* --month --to --from */
    CLI_KEY = 32,
    CLI_CHECKPOINTS = 64,
    CLI_COVERAGE = 128
};

struct cli_command {
    const char *name;
    const char *words; /* what stands behind it, for the help; "" when nothing */
    int least, most;   /* so many words */
    unsigned takes;    /* enum cli_option */
    const char *what;  /* it does, one line */
    int (*run)(const struct cli *cli);
};

/* Each group's commands, ended by a NULL name. */
extern const struct cli_command cli_db[], cli_ledger[], cli_user[], cli_partner[], cli_rules[],
    cli_config[], cli_docs[], cli_stock[], cli_proof[];

/* Says what is wrong on standard error, and returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what PostgreSQL said: its first line, and what to do about it. */
int cli_fail_database(const struct cli *cli, const char *message);

/* A name of a person or partner: 1 to 100 characters of UTF-8, none of them a control character? */
bool cli_is_name(const char *text);

/* JSON of one command: begin, write, end (prints it). */
struct json_writer *cli_json_begin(void);
void cli_json_end(void);

/* A document as it is, or with --json {"text":"..."}. Returns 0. */
int cli_print_document(const struct cli *cli, struct slice text);

/* A question to the database and how its answer is shown: a table for people, JSON for machines.
 * A column may say after a colon what it is: "id:usr_" an id with that prefix, "currency:currency"
 * a currency's number, "posted:money" minor units of the row's currency (JSON: the integer),
 * "version:number", "frozen:bool", "at:time". Control characters never reach a terminal. */
struct cli_query {
    const char *sql;
    int count;
    const char *const *values;
    const char *none;      /* no row: say this, exit 1. NULL: an empty list is an answer */
    bool one;              /* one row: JSON is an object, not a list */
    const char *once_name; /* with `one`: a member more, shown once (an API key), or NULL */
    const char *once_value;
};

/* Returns the exit code. */
int cli_print_query(const struct cli *cli, const struct cli_query *query);

/* Minor units as people write them: 1234567 of ZAR is "12,345.67". */
#define CLI_MONEY_MAX 40
void cli_format_money(long long minor, unsigned which, char text[CLI_MONEY_MAX]);

/* ... and read them: "250", "250.00". 0: that is no amount of this currency. */
long long cli_parse_money(const char *text, unsigned which);

#endif
