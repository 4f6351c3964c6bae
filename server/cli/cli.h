/* moolah's commands: one file per group. Each gets what stands behind its name and returns the exit
 * code: 0 done, 1 something is wrong, 2 wrong usage. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

struct pg_conn;

struct cli {
    const char *database; /* conninfo: --database, or $MOOLAH_DATABASE */
    const char *redis;    /* --redis; NULL: none */
    bool json;
    int count; /* words behind the group's name */
    char **words;
};

int cli_db(const struct cli *cli);
int cli_ledger(const struct cli *cli);
int cli_user(const struct cli *cli);
int cli_partner(const struct cli *cli);
int cli_rules(const struct cli *cli);
int cli_docs(const struct cli *cli);

/* Says what is wrong on standard error, and returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Word `i` is `name`? */
bool cli_is(const struct cli *cli, int i, const char *name);

/* A table for people or JSON for machines, from a query's answer. Returns the exit code. */
int cli_print_query(const struct cli *cli, const char *sql, int count, const char *const *values);

#endif
