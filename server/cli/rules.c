#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "scripting/bundle.h"
#include "scripting/fee.h"

static struct bundle *load(const char *directory)
{
    struct bundle_report report;
    struct bytes text;
    struct bundle *bundle = bundle_load(directory, &report);
    if (bundle != NULL)
        return bundle;
    bytes_init(&text, NULL);
    bundle_report_write(&report, &text);
    fwrite(text.at, 1, text.length, stdout);
    bytes_release(&text);
    return NULL;
}

static int check(const char *directory)
{
    struct bundle *bundle = load(directory);
    if (bundle == NULL)
        return 1;
    printf("%zu rules are good: sha256:", bundle_rule_count(bundle));
    for (int i = 0; i < 32; i++)
        printf("%02x", bundle_hash(bundle)[i]);
    printf("\n");
    bundle_release(bundle);
    return 0;
}

static int price(const struct cli *cli)
{
    struct bundle *bundle = load(cli->words[1]);
    struct fee_decision decision;
    struct fee_facts facts = {
        .kind = cli->words[2],
        .amount = strtoll(cli->words[3], NULL, 10),
        .currency = currency_parse(slice_of(cli->words[4])),
        .tier = cli->count > 5 ? (int)strtol(cli->words[5], NULL, 10) : 0,
    };
    if (bundle == NULL)
        return 1;
    if (facts.amount < 1 || facts.currency == 0 || facts.tier < 0 || facts.tier > 3) {
        bundle_release(bundle);
        return cli_fail(
            2, "AMOUNT is 1 or more in minor units, CURRENCY a code like ZAR, TIER 0 to 3");
    }
    fee_price(bundle, &facts, &decision);
    if (decision.outcome == FEE_OK)
        printf("fee %lld by %s\n", (long long)decision.total,
               decision.count > 0 ? decision.lines[0].rule : "no rule");
    else
        printf("no price: %s\n", decision.reason);
    bundle_release(bundle);
    return decision.outcome == FEE_OK ? 0 : 1;
}

static const char status_sql[] = "select distinct on (server, slot) server, slot as worker, at, "
                                 "case when accepted then 'serves the newest rules' else 'REFUSED "
                                 "the newest, serves older ones' end as state, "
                                 "'sha256:' || encode(hash, 'hex') as bundle, findings "
                                 "from rule_loads order by server, slot, id desc";

int cli_rules(const struct cli *cli)
{
    if (cli->count == 2 && cli_is(cli, 0, "check"))
        return check(cli->words[1]);
    if ((cli->count == 5 || cli->count == 6) && cli_is(cli, 0, "price"))
        return price(cli);
    if (cli->count == 1 && cli_is(cli, 0, "status")) {
        if (cli->database == NULL)
            return cli_fail(2, "which database? --database CONNINFO, or set MOOLAH_DATABASE");
        return cli_print_query(cli, status_sql, 0, NULL);
    }
    return cli_fail(2, "moolah rules check DIR | price DIR KIND AMOUNT CURRENCY [TIER] | status");
}
