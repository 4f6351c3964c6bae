/* moolah rules: are they good, what do they cost, who serves them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/zone.h"
#include "cli/cli.h"
#include "cli/rules.h"
#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "scripting/fee_rule.h"
#include "scripting/locate.h"
#include "scripting/product.h"
#include "scripting/rule_advice.h"

#define HASH_TEXT_MAX 72

const char *cli_rules_directory(const struct cli *cli)
{
    return cli->count > 0 ? cli->words[0] : "rules";
}

static void format_hash(const struct bundle *bundle, char text[HASH_TEXT_MAX])
{
    int length = snprintf(text, HASH_TEXT_MAX, "sha256:");
    for (int i = 0; i < 32; i++)
        length +=
            snprintf(text + length, HASH_TEXT_MAX - (size_t)length, "%02x", bundle_hash(bundle)[i]);
}

static void write_report(struct json_writer *json, const char *name,
                         const struct bundle_report *report)
{
    json_write_key(json, name);
    json_write_array(json);
    for (size_t i = 0; i < report->count; i++) {
        json_write_object(json);
        json_write_key(json, "file");
        json_write_text(json, report->findings[i].file);
        json_write_key(json, "line");
        json_write_int(json, report->findings[i].line);
        json_write_key(json, "column");
        json_write_int(json, report->findings[i].column);
        json_write_key(json, "message");
        json_write_text(json, report->findings[i].message);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

void cli_rules_write_findings(struct json_writer *json, const struct bundle_report *report)
{
    write_report(json, "findings", report);
}

static void print_report(const struct bundle_report *report)
{
    struct bytes text;
    bytes_init(&text, NULL);
    bundle_report_write(report, &text);
    fwrite(text.at, 1, text.length, stdout);
    bytes_release(&text);
}

/* The next supplier that products name, behind `at`, each once; -1: there is none. */
static ssize_t next_supplier(const struct bundle *bundle, ssize_t at)
{
    const struct product *products = bundle_products(bundle);
    for (at++; at < (ssize_t)bundle_product_count(bundle); at++) {
        bool seen = strcmp(products[at].supplier, PRODUCT_STOCK) == 0;
        for (ssize_t i = 0; i < at && !seen; i++)
            seen = strcmp(products[i].supplier, products[at].supplier) == 0;
        if (!seen)
            return at;
    }
    return -1;
}

static void write_suppliers(struct json_writer *json, const struct bundle *bundle)
{
    json_write_key(json, "suppliers");
    json_write_array(json);
    for (ssize_t at = next_supplier(bundle, -1); at >= 0; at = next_supplier(bundle, at))
        json_write_text(json, bundle_products(bundle)[at].supplier);
    json_write_array_end(json);
}

static void print_suppliers(const struct bundle *bundle)
{
    const char *before = "Products are bought from these suppliers, which the configuration must "
                         "name: ";
    for (ssize_t at = next_supplier(bundle, -1); at >= 0; at = next_supplier(bundle, at)) {
        printf("%s%s", before, bundle_products(bundle)[at].supplier);
        before = ", ";
    }
    if (before[0] == ',')
        putchar('\n');
}

/* The report says what is wrong or, of a bundle, what is strange. */
static void print_check_json(const struct bundle *bundle, const struct bundle_report *report)
{
    static const struct bundle_report none = {.count = 0};
    char hash[HASH_TEXT_MAX];
    struct json_writer *json = cli_json_begin();
    json_write_object(json);
    json_write_key(json, "good");
    json_write_bool(json, bundle != NULL);
    if (bundle != NULL) {
        format_hash(bundle, hash);
        json_write_key(json, "rules");
        json_write_int(json, (int64_t)(bundle_rule_count(bundle) + bundle_limit_count(bundle)));
        json_write_key(json, "products");
        json_write_int(json, (int64_t)bundle_product_count(bundle));
        json_write_key(json, "bundle");
        json_write_text(json, hash);
        write_suppliers(json, bundle);
        write_report(json, "advice", report);
        report = &none;
    }
    cli_rules_write_findings(json, report);
    json_write_object_end(json);
    cli_json_end();
}

struct bundle *cli_rules_load(const struct cli *cli)
{
    struct bundle_report report = {.count = 0};
    struct bundle *bundle = bundle_load(cli_rules_directory(cli), &report);
    if (bundle != NULL)
        return bundle;
    if (cli->json) {
        print_check_json(NULL, &report);
        return NULL;
    }
    print_report(&report);
    return NULL;
}

static void print_good(const struct bundle *bundle, const char *hash)
{
    size_t rules = bundle_rule_count(bundle) + bundle_limit_count(bundle);
    size_t products = bundle_product_count(bundle);
    printf("%zu rule%s", rules, rules == 1 ? "" : "s");
    if (products > 0)
        printf(" and %zu product%s", products, products == 1 ? "" : "s");
    printf(" %s good: %s\n", rules + products == 1 ? "is" : "are", hash);
}

static int check(const struct cli *cli)
{
    char hash[HASH_TEXT_MAX];
    struct bundle_report advice = {.count = 0};
    struct bundle *bundle = cli_rules_load(cli);
    if (bundle == NULL)
        return 1;
    format_hash(bundle, hash);
    rule_advice_find(bundle, &advice);
    if (cli->json) {
        print_check_json(bundle, &advice);
    } else {
        print_report(&advice);
        print_good(bundle, hash);
        print_suppliers(bundle);
    }
    bundle_release(bundle);
    return 0;
}

/* Where a rule of a line stands. */
struct place {
    const char *file; /* inside the folder */
    int line;
};

static int line_of_rule(const char *directory, const char *file)
{
    static char source[BUNDLE_FILE_SIZE_MAX];
    char path[4096];
    int line = 0;
    int column;
    snprintf(path, sizeof path, "%s/%s", directory, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return 0;
    size_t length = fread(source, 1, sizeof source, stream);
    fclose(stream);
    locate_path((struct slice){source, length}, "id", &line, &column);
    return line;
}

static struct place find_rule(const struct cli *cli, const struct bundle *bundle, const char *name)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    for (size_t i = 0; i < bundle_rule_count(bundle); i++)
        if (strcmp(rules[i].name, name) == 0)
            return (struct place){rules[i].file,
                                  line_of_rule(cli_rules_directory(cli), rules[i].file)};
    return (struct place){"", 0};
}

/* A movement to be priced, and what came of it. */
struct priced {
    const struct cli *cli;
    struct bundle *bundle;
    struct fee_facts facts;
    struct fee_decision decision;
};

static void write_lines(struct json_writer *json, const struct priced *p)
{
    json_write_key(json, "lines");
    json_write_array(json);
    for (int i = 0; i < p->decision.count; i++) {
        const struct fee_line *line = &p->decision.lines[i];
        struct place place = find_rule(p->cli, p->bundle, line->rule);
        json_write_object(json);
        json_write_key(json, "rule");
        json_write_text(json, line->rule);
        json_write_key(json, "file");
        json_write_text(json, place.file);
        json_write_key(json, "line");
        json_write_int(json, place.line);
        json_write_key(json, "code");
        json_write_text(json, line->code);
        json_write_key(json, "amount");
        json_write_int(json, line->amount);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static void print_price_json(const struct priced *p)
{
    char hash[HASH_TEXT_MAX];
    struct json_writer *json = cli_json_begin();
    format_hash(p->bundle, hash);
    json_write_object(json);
    json_write_key(json, "kind");
    json_write_text(json, p->facts.kind);
    json_write_key(json, "amount");
    json_write_int(json, p->facts.amount);
    json_write_key(json, "currency");
    json_write_text(json, p->cli->currency);
    json_write_key(json, "tier");
    json_write_int(json, p->facts.tier);
    json_write_key(json, "own");
    json_write_bool(json, p->facts.own);
    json_write_key(json, "at");
    json_write_int(json, p->facts.at);
    json_write_key(json, "bundle");
    json_write_text(json, hash);
    json_write_key(json, "priced");
    json_write_bool(json, p->decision.outcome == FEE_OK);
    json_write_key(json, p->decision.outcome == FEE_OK ? "fee" : "reason");
    if (p->decision.outcome == FEE_OK)
        json_write_int(json, p->decision.total);
    else
        json_write_text(json, p->decision.reason);
    write_lines(json, p);
    json_write_object_end(json);
    cli_json_end();
}

static void print_price(const struct priced *p)
{
    char money[CLI_MONEY_MAX];
    cli_format_money(p->facts.amount, p->facts.currency, money);
    printf("%s of %s %s%s, tier %d\n", p->facts.kind, p->cli->currency, money,
           p->facts.own ? " between own wallets" : "", p->facts.tier);
    for (int i = 0; i < p->decision.count; i++) {
        const struct fee_line *line = &p->decision.lines[i];
        struct place place = find_rule(p->cli, p->bundle, line->rule);
        cli_format_money(line->amount, p->facts.currency, money);
        printf("  %-8s %12s  by %s, %s/%s:%d\n", line->code, money, line->rule,
               cli_rules_directory(p->cli), place.file, place.line);
    }
    if (p->decision.outcome == FEE_OK) {
        cli_format_money(p->decision.total, p->facts.currency, money);
        printf("  %-8s %12s\n", "total", money);
    } else {
        printf("  no price: %s\n", p->decision.reason);
    }
}

/* False: that has been said. */
static bool read_moment(const struct cli *cli, int64_t *at)
{
    *at = clock_now();
    if (cli->at == NULL)
        return true;
    const char *missing = zone_open_one(ZONE_USUAL);
    if (missing != NULL)
        cli_fail(2, "the system's time zones lack %s: install tzdata", missing);
    else if (!zone_parse(ZONE_USUAL, slice_of(cli->at), at))
        cli_fail(2, "--at must be like '2026-12-01 00:00', from %d to %d", ZONE_YEAR_FIRST,
                 ZONE_YEAR_LAST);
    else
        return true;
    return false;
}

static bool is_priced(const char *kind)
{
    static const char *const kinds[] = {"transfer", "hold", "withdrawal", "purchase"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

/* False: it has been said what is wrong with what was typed. */
static bool read_facts(const struct cli *cli, struct fee_facts *facts)
{
    const char *tier = cli->tier == NULL ? "0" : cli->tier;
    facts->kind = cli->kind == NULL ? "transfer" : cli->kind;
    if (!is_priced(facts->kind)) {
        cli_fail(2, "--kind '%s' has no fees; known are: transfer, hold, withdrawal, purchase",
                 facts->kind);
        return false;
    }
    facts->own = cli->own;
    facts->currency = cli->currency == NULL ? 0 : currency_parse(slice_of(cli->currency));
    if (facts->currency == 0) {
        cli_fail(2, "--currency must be an ISO 4217 code, like ZAR");
        return false;
    }
    facts->amount = cli->amount == NULL ? 0 : cli_parse_money(cli->amount, facts->currency);
    if (facts->amount == 0) {
        cli_fail(2,
                 "--amount must be like 250%s of %s, more than nothing, with %d digits behind "
                 "the point or none",
                 currency_digits(facts->currency) == 0 ? "" : " or 250.00", cli->currency,
                 currency_digits(facts->currency));
        return false;
    }
    if (tier[0] < '0' || tier[0] > '3' || tier[1] != '\0') {
        cli_fail(2, "--tier must be 0 to 3");
        return false;
    }
    facts->tier = tier[0] - '0';
    return read_moment(cli, &facts->at);
}

/* As the server does: a hold without rules of its own costs what a transfer does; a withdrawal or
 * purchase is free. */
static void ask_price(struct priced *p)
{
    struct fee_facts facts = p->facts;
    if (!fee_has_kind(p->bundle, facts.kind) && strcmp(facts.kind, "hold") == 0)
        facts.kind = "transfer";
    p->decision = (struct fee_decision){.outcome = FEE_OK};
    if (fee_has_kind(p->bundle, facts.kind) || strcmp(facts.kind, "transfer") == 0)
        fee_price(p->bundle, &facts, &p->decision);
}

static int price(const struct cli *cli)
{
    struct priced p = {.cli = cli};
    if (!read_facts(cli, &p.facts))
        return 2;
    p.bundle = cli_rules_load(cli);
    if (p.bundle == NULL)
        return 1;
    ask_price(&p);
    if (cli->json)
        print_price_json(&p);
    else
        print_price(&p);
    bundle_release(p.bundle);
    return p.decision.outcome == FEE_OK ? 0 : 1;
}

static const char status_sql[] =
    "select distinct on (server, slot) server, slot \"worker:number\", at \"at:time\", "
    "case when accepted then 'serves the newest rules' "
    "else 'REFUSED the newest, serves older ones' end as state, "
    "'sha256:' || encode(hash, 'hex') as bundle, rtrim(findings, E'\\n') as findings "
    "from rule_loads order by server, slot, id desc";

static int status(const struct cli *cli)
{
    return cli_print_query(cli, &(struct cli_query){.sql = status_sql});
}

const struct cli_command cli_rules[] = {
    {"check", "[DIR]", 0, 1, 0, "are they good? file:line:column says where not; DIR is ./rules",
     check},
    {"test", "[DIR]", 0, 1, CLI_COVERAGE,
     "run the tests beside the rules; --coverage: what they never reached", cli_rules_test},
    {"new", "KIND NAME [DIR]", 2, 3, 0,
     "a fee, limit or product and its tests to begin with, like: fee transfer.business",
     cli_rules_new},
    {"price", "[DIR]", 0, 1, CLI_MOVEMENT,
     "--amount 250.00 --currency ZAR: what a movement costs, and why", price},
    {"status", "", 0, 0, CLI_DATABASE, "what every worker serves, and why a change was refused",
     status},
    {.name = NULL},
};
