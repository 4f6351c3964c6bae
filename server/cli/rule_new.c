/* moolah rules new: a rule file and its tests to begin with. Both are good as they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/zone.h"
#include "cli/cli.h"
#include "cli/rules.h"
#include "ledger/limit.h"
#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "scripting/fee_rule.h"
#include "scripting/locate.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test.h"

#define NAME_MAX_LENGTH 40
#define PATH_MAX_LENGTH 4096

/* In the texts, NAME, KIND and ZAR stand for what is asked for. */
static const char fee_text[] =
    "-- What it costs, and for whom: say it here in a sentence.\n"
    "return fee {\n"
    "    id = \"NAME\",\n"
    "    version = 1, -- raise it with every change\n"
    "    owner = \"whom to ask\",\n"
    "    -- no two rules may apply to the same movement: tell them apart by kind, currency, tiers, "
    "own\n"
    "    applies = { kind = \"KIND\", currency = \"ZAR\", own = false },\n"
    "    slabs = {\n"
    "        { upto = ZAR \"1000.00\", flat = ZAR \"5.00\" },\n"
    "        { rate = pct \"0.50\" },\n"
    "    },\n"
    "    cap = ZAR \"50.00\",\n"
    "    rounding = \"half_up\",\n"
    "    may_exceed_amount = true, -- a few cents still cost all of the flat fee\n"
    "}\n";
static const char fee_tests[] =
    "return tests {\n"
    "    example { \"a small one\", kind = \"KIND\", amount = ZAR \"1000.00\", fee = ZAR \"5.00\" "
    "},\n"
    "    example { \"half a percent\", kind = \"KIND\", amount = ZAR \"5000.00\", fee = ZAR "
    "\"25.00\" },\n"
    "    property {\n"
    "        \"never more than the cap\",\n"
    "        kind = \"KIND\",\n"
    "        amount = { ZAR \"0.01\", ZAR \"1000000.00\" },\n"
    "        check = function(tx, q) return q.total <= 5000 end,\n"
    "    },\n"
    "}\n";
static const char limit_text[] =
    "-- How much may be sent: say it here in a sentence.\n"
    "return limit {\n"
    "    id = \"NAME\",\n"
    "    version = 1, -- raise it with every change\n"
    "    owner = \"whom to ask\",\n"
    "    currency = \"ZAR\",\n"
    "    tiers = {\n"
    "        [0] = { single = ZAR \"1000.00\", daily = ZAR \"2000.00\" },\n"
    "        [1] = { single = ZAR \"5000.00\", daily = ZAR \"10000.00\" },\n"
    "        [2] = { single = ZAR \"20000.00\", daily = ZAR \"40000.00\" },\n"
    "        [3] = {}, -- no limit\n"
    "    },\n"
    "}\n";
static const char limit_tests[] =
    "local list = {}\n"
    "local singles = { [0] = ZAR \"1000.00\", [1] = ZAR \"5000.00\", [2] = ZAR \"20000.00\" }\n"
    "for tier = 0, 2 do\n"
    "    list[tier + 1] = sequence {\n"
    "        \"twice a day, then no more until tomorrow\",\n"
    "        tier = tier,\n"
    "        { send = singles[tier], times = 2 },\n"
    "        { send = ZAR \"0.01\", refused = \"daily\" },\n"
    "        { send = ZAR \"20000.01\", refused = \"single\" },\n"
    "        { send = singles[tier], after = \"24h\" },\n"
    "    }\n"
    "end\n"
    "return tests(list)\n";
static const char product_text[] =
    "-- What is sold: say it here in a sentence.\n"
    "return product {\n"
    "    id = \"NAME\",\n"
    "    version = 1, -- raise it with every change\n"
    "    owner = \"whom to ask\",\n"
    "    name = \"What buyers see\",\n"
    "    supplier = \"stock\", -- our own vouchers, or a supplier that the configuration names\n"
    "    currency = \"ZAR\",\n"
    "    price = ZAR \"50.00\",\n"
    "}\n";
static const char product_tests[] =
    "return tests {\n"
    "    sale { \"at its price\", product = \"NAME\", price = ZAR \"50.00\" },\n"
    "    sale { \"not for less\", product = \"NAME\", price = ZAR \"49.99\", refused = \"price\" "
    "},\n"
    "}\n";

static const struct template
{
    const char *kind;
    const char *text;
    const char *tests;
}
templates[] = {
    {"fee", fee_text, fee_tests},
    {"limit", limit_text, limit_tests},
    {"product", product_text, product_tests},
};

struct making {
    const char *directory;
    const char *name;
    const struct template *template;
    const struct bundle *bundle; /* what is there already; NULL: nothing */
    char kind[16];               /* of movements */
    char code[4];                /* the currency */
    char path[2][PATH_MAX_LENGTH];
};

static const struct template *find_template(const char *kind)
{
    static const char *const known[] = {"fee", "limit", "product", NULL};
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
        if (strcmp(kind, templates[i].kind) == 0)
            return &templates[i];
    const char *near = locate_similar(kind, known);
    cli_fail(2, "there is no rule of kind '%.40s'%s%s: fee, limit or product", kind,
             near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
    return NULL;
}

static bool is_good_name(const char *name)
{
    size_t length = strlen(name);
    if (length > 0 && length <= NAME_MAX_LENGTH && name[0] != '.' &&
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0')
        return true;
    cli_fail(2,
             "a name is made of a-z, 0-9, '.', '_' and '-', up to %d, like transfer.business, "
             "not '%.60s'",
             NAME_MAX_LENGTH, name);
    return false;
}

/* The first part of the name may say it. */
static void choose_kind(struct making *making)
{
    static const char *const known[] = {"transfer", "hold", "withdrawal", "purchase"};
    size_t length = strcspn(making->name, ".");
    snprintf(making->kind, sizeof making->kind, "transfer");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == length && strncmp(known[i], making->name, length) == 0)
            snprintf(making->kind, sizeof making->kind, "%s", known[i]);
}

static bool is_taken(const struct making *making, currency which)
{
    if (making->bundle == NULL)
        return false;
    if (making->template->text == limit_text) {
        for (int tier = 0; tier < 4; tier++)
            if (bundle_caps(making->bundle, tier, which)->count > 0)
                return true;
        return false;
    }
    const struct fee_rule *rules = bundle_fee_rules(making->bundle);
    for (size_t i = 0; i < bundle_rule_count(making->bundle); i++)
        if (making->template->text == fee_text && rules[i].currency == which &&
            strcmp(rules[i].kind, making->kind) == 0)
            return true;
    return false;
}

/* One of which nothing is said yet: so the new file is good beside the others. False: there is
 * none. */
static bool choose_currency(struct making *making)
{
    static const char *const codes[] = {"ZAR", "BWP", "NAD", "SZL", "LSL", "USD", "EUR", "GBP"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        memcpy(making->code, codes[i], sizeof making->code);
        if (!is_taken(making, currency_parse(slice_of(codes[i]))))
            return true;
    }
    return false;
}

/* The template with what it stands for. */
static void fill(const struct making *making, const char *text, struct bytes *out)
{
    const struct {
        const char *word;
        const char *text;
    } words[] = {{"NAME", making->name}, {"KIND", making->kind}, {"ZAR", making->code}};
    while (*text != '\0') {
        size_t i = 0;
        while (i < 3 && strncmp(text, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i == 3) {
            bytes_add_char(out, *text++);
        } else {
            bytes_add_text(out, words[i].text);
            text += strlen(words[i].word);
        }
    }
}

/* 0, or the exit code. What is there already stays. */
static int write_file(const struct making *making, const char *path, const char *text)
{
    struct bytes filled;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return cli_fail(1, "%s is there already: nothing was changed", path);
    if (fd < 0)
        return cli_fail(1, "%s: %s", path, strerror(errno));
    bytes_init(&filled, NULL);
    fill(making, text, &filled);
    bool written = !filled.failed && write(fd, filled.at, filled.length) == (ssize_t)filled.length;
    written = close(fd) == 0 && written;
    bytes_release(&filled);
    if (written)
        return 0;
    unlink(path);
    return cli_fail(1, "%s cannot be written: is the disk full?", path);
}

/* The tests first: a server that watches the folder looks at rules only. */
static int write_both(struct making *making)
{
    int code;
    for (int i = 0; i < 2; i++)
        snprintf(making->path[i], PATH_MAX_LENGTH, "%.3900s/%s.%s%s.lua", making->directory,
                 making->name, making->template->kind, i == 0 ? "_test" : "");
    if (access(making->path[1], F_OK) == 0)
        return cli_fail(1, "%s is there already: nothing was changed", making->path[1]);
    code = write_file(making, making->path[0], making->template->tests);
    if (code != 0)
        return code;
    code = write_file(making, making->path[1], making->template->text);
    if (code != 0)
        unlink(making->path[0]);
    return code;
}

/* What is wrong now, with the new file beside the others; a count of 0: nothing. */
static void try_both(const struct making *making, struct bundle_report *report)
{
    struct arena arena;
    struct rule_coverage coverage;
    struct rule_test_result result;
    struct bundle *bundle = bundle_load(making->directory, report);
    if (bundle == NULL)
        return;
    arena_init(&arena);
    if (rule_coverage_init(&coverage, bundle, &arena)) {
        rule_test_run(making->directory, bundle, &coverage, &result);
        *report = result.report;
    }
    arena_release(&arena);
    bundle_release(bundle);
}

static void print(const struct cli *cli, const struct making *making)
{
    if (cli->json) {
        struct json_writer *json = cli_json_begin();
        json_write_object(json);
        json_write_key(json, "rule");
        json_write_text(json, making->path[1]);
        json_write_key(json, "tests");
        json_write_text(json, making->path[0]);
        json_write_object_end(json);
        cli_json_end();
        return;
    }
    printf("%s and its tests, %s, are made\n", making->path[1], making->path[0]);
    if (strcmp(making->code, "ZAR") != 0)
        printf("It is about %s, because other rules speak of ZAR: change that last.\n",
               making->code);
    printf("A server that watches the folder goes by it at once: try changes in a copy.\n"
           "Next: moolah rules check %s && moolah rules test %s\n",
           making->directory, making->directory);
}

static int make(const struct cli *cli, struct making *making)
{
    struct bundle_report report = {.count = 0};
    choose_kind(making);
    if (!choose_currency(making))
        return cli_fail(1, "there are rules for every currency that it could begin with");
    int code = write_both(making);
    if (code != 0)
        return code;
    try_both(making, &report);
    if (report.count > 0) {
        unlink(making->path[1]);
        unlink(making->path[0]);
        return cli_fail(1, "nothing was made, because %s would say: %s", report.findings[0].file,
                        report.findings[0].message);
    }
    print(cli, making);
    return 0;
}

int cli_rules_new(const struct cli *cli)
{
    struct bundle_report report = {.count = 0};
    struct stat status;
    struct making making = {.directory = cli->count > 2 ? cli->words[2] : "rules",
                            .name = cli->words[1],
                            .template = find_template(cli->words[0])};
    if (making.template == NULL || !is_good_name(making.name))
        return 2;
    const char *missing = zone_open();
    if (missing != NULL)
        return cli_fail(1, "the system's tz database has no %s: is tzdata installed?", missing);
    if (stat(making.directory, &status) != 0 || !S_ISDIR(status.st_mode))
        return cli_fail(1, "%s is no folder", making.directory);
    struct bundle *bundle = bundle_load(making.directory, &report);
    if (bundle == NULL && strncmp(report.findings[0].message, "holds no rule file", 18) != 0)
        return cli_fail(1, "the folder isn't good as it is: moolah rules check %s",
                        making.directory);
    making.bundle = bundle;
    int code = make(cli, &making);
    bundle_release(bundle);
    return code;
}
