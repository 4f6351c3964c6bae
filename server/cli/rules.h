/* What the commands of moolah rules share. */
#ifndef CLI_RULES_H
#define CLI_RULES_H

struct bundle;
struct bundle_report;
struct cli;
struct json_writer;

/* The folder that was named, or ./rules. */
const char *cli_rules_directory(const struct cli *cli);

/* It, compiled. NULL: what is wrong has been said. */
struct bundle *cli_rules_load(const struct cli *cli);

/* The member `findings` of a JSON object. */
void cli_rules_write_findings(struct json_writer *json, const struct bundle_report *report);

int cli_rules_test(const struct cli *cli);
int cli_rules_new(const struct cli *cli);

#endif
