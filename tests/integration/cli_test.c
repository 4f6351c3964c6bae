/* The operators' command line against a real stack: each command, its bad inputs, its JSON. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"
#include "support/client.h"
#include "support/stack.h"

enum { TEXT_MAX = 65536 };

static struct stack *stack;
static char out[TEXT_MAX];
static char err[TEXT_MAX];
static struct arena arena;

static void read_text(const char *name, char text[TEXT_MAX])
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", stack->data, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
    fclose(file);
}

/* moolah's exit code; `out` and `err` have what it said. The shell reads `words`. */
static int moolah(const char *words)
{
    char command[1000];
    snprintf(command, sizeof command,
             "cd '%s' && \"$MOOLAH\" %s >\"$DATA/cli.out\" 2>\"$DATA/cli.err\" </dev/null",
             MOOLAH_SOURCE_DIR, words);
    int code = stack_shell(stack, command);
    read_text("cli.out", out);
    read_text("cli.err", err);
    return code;
}

static void assert_says(const char *text, const char *what)
{
    if (strstr(text, what) == NULL)
        fail_msg("'%s' is not in: %s", what, text);
}

/* It ends with `code`, says nothing but one line on standard error, and that line holds `what`. */
static void assert_fails(const char *words, int code, const char *what)
{
    int got = moolah(words);
    if (got != code)
        fail_msg("moolah %s: exit code %d: %s%s", words, got, out, err);
    assert_string_equal(out, "");
    assert_says(err, what);
    assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
}

/* It ends with `code`; what it printed, as JSON. */
static const struct json *json_of(const char *words, int code)
{
    struct json_error error;
    int got = moolah(words);
    if (got != code)
        fail_msg("moolah %s: exit code %d: %s%s", words, got, out, err);
    const struct json *json = json_parse(slice_of(out), &arena, &error);
    if (json == NULL)
        fail_msg("moolah %s: no JSON: %s: %s", words, error.message, out);
    return json;
}

static const char *text_of(const struct json *object, const char *name)
{
    const struct json *value = json_member(object, name);
    if (value == NULL || json_kind(value) != JSON_STRING)
        fail_msg("%s is no text in: %s", name, out);
    struct slice text = arena_copy(&arena, json_string(value));
    return text.at;
}

static int64_t number_of(const struct json *object, const char *name)
{
    const struct json *value = json_member(object, name);
    if (value == NULL || json_kind(value) != JSON_INTEGER)
        fail_msg("%s is no integer in: %s", name, out);
    return json_integer(value);
}

static bool truth_of(const struct json *object, const char *name)
{
    const struct json *value = json_member(object, name);
    if (value == NULL || json_kind(value) != JSON_BOOL)
        fail_msg("%s is no bool in: %s", name, out);
    return json_bool(value);
}

static void assert_moment(const char *text)
{
    /* 2026-12-01T08:00:00.123456Z, PostgreSQL leaves zeros at the end away */
    assert_true(strlen(text) >= 20 && strlen(text) <= 27);
    assert_true(text[4] == '-' && text[10] == 'T' && text[strlen(text) - 1] == 'Z');
}

static void test_help(void **state)
{
    static const char *const groups[] = {"db",    "ledger", "user",   "partner",
                                         "rules", "proof",  "config", "docs"};
    char words[100];
    (void)state;
    assert_int_equal(moolah("--help"), 0);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        snprintf(words, sizeof words, "  moolah %s ", groups[i]);
        assert_int_equal(moolah("--help"), 0);
        assert_says(out, words);
        snprintf(words, sizeof words, "%s --help", groups[i]);
        assert_int_equal(moolah(words), 0);
        assert_string_equal(err, "");
        snprintf(words, sizeof words, "moolah %s: ", groups[i]);
        assert_says(out, words);
        snprintf(words, sizeof words, "help %s", groups[i]);
        assert_int_equal(moolah(words), 0);
        assert_int_equal(moolah(groups[i]), 2); /* which command? the help, on standard error */
        assert_string_equal(out, "");
        assert_says(err, "--json");
    }
    assert_int_equal(moolah("--version"), 0);
    assert_says(out, "moolah ");
    assert_int_equal(moolah(""), 2);
    assert_string_equal(out, "");
    assert_says(err, "Exit codes");
}

static void test_what_is_mistyped(void **state)
{
    (void)state;
    assert_fails("usr list", 2, "'usr' is no command; did you mean user?");
    assert_fails("xylophone", 2, "'xylophone' is no command: moolah --help");
    assert_fails("user lst", 2, "'lst' is no command of moolah user; did you mean list?");
    assert_fails("user list --jsom", 2, "--jsom is no option; did you mean --json?");
    assert_fails("user list --databse=x", 2, "--databse is no option; did you mean --database?");
    assert_fails("user list --database", 2, "--database needs a value");
    assert_fails("user show", 2, "moolah user show needs PHONE: moolah user --help");
    assert_fails("user list all", 2, "takes no 'all'");
    assert_fails("user list --tier 1", 2, "doesn't take what is priced");
    assert_fails("db status --redis x:1", 2, "doesn't take --redis");
    assert_fails("rules check --phone +27820000001", 2, "doesn't take --phone");
}

static void test_which_database(void **state)
{
    (void)state;
    assert_fails("user list --database 'host=/nowhere dbname=x'", 1, "does PostgreSQL run");
    assert_fails("user list --database 'nonsense'", 1, "nonsense");
    assert_fails("ledger verify --database 'host=/nowhere dbname=x'", 1, "does PostgreSQL run");
    assert_fails("db status --database 'host=/nowhere dbname=x'", 1, "does PostgreSQL run");
    assert_int_equal(stack_shell(stack, "unset MOOLAH_DATABASE; $MOOLAH user list "
                                        "2>\"$DATA/cli.err\""),
                     2);
    read_text("cli.err", err);
    assert_says(err, "which database? --database CONNINFO, --config FILE");
    /* a configuration names one, with the server's role */
    assert_int_equal(stack_shell(stack, "unset MOOLAH_DATABASE; $MOOLAH --config "
                                        "\"$DATA/moolahd.lua\" user list >/dev/null"),
                     0);
    assert_int_equal(moolah("--config \"$DATA/moolahd.lua\" partner add intruder"), 1);
    assert_says(err, "permission denied");
    assert_says(err, "the configuration's database is the server's role");
    assert_says(err, "--database CONNINFO");
    assert_int_equal(moolah("--config \"$DATA/moolahd.lua\" db migrate"), 1);
    assert_says(err, "the server's role");
    /* what stands beside it counts first */
    assert_int_equal(moolah("--config \"$DATA/moolahd.lua\" --database \"$MOOLAH_DATABASE\" "
                            "db migrate"),
                     0);
    assert_fails("--config /nowhere.lua user list", 1, "/nowhere.lua: cannot be read");
    assert_int_equal(stack_shell(stack, "sed 's/workers = /wokers = /' \"$DATA/moolahd.lua\" "
                                        ">\"$DATA/bad.lua\""),
                     0);
    assert_fails("--config \"$DATA/bad.lua\" user list", 1, "did you mean workers");
}

static void test_migrating(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(stack, "psql -qX \"$MOOLAH_DATABASE\" -c 'create database fresh'"),
                     0);
    const char *fresh = "--database \"$(echo \"$MOOLAH_DATABASE\" | sed s/dbname=moolah/"
                        "dbname=fresh/)\" --json";
    char words[300];
    snprintf(words, sizeof words, "db status %s", fresh);
    const struct json *steps = json_of(words, 1);
    assert_says(err, "moolah db migrate applies them");
    size_t count = json_count(steps);
    assert_true(count >= 2);
    assert_string_equal(text_of(json_element(steps, 0), "state"), "missing");
    snprintf(words, sizeof words, "%s user list", fresh);
    assert_fails(words, 1, "moolah db migrate makes the schema");
    snprintf(words, sizeof words, "%s db migrate", fresh);
    steps = json_of(words, 0);
    assert_int_equal(json_count(steps), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(number_of(json_element(steps, i), "number"), i + 1);
        assert_string_equal(text_of(json_element(steps, i), "state"), "applied now");
    }
    steps = json_of(words, 0);
    assert_string_equal(text_of(json_element(steps, 1), "state"), "applied");
    snprintf(words, sizeof words, "%s db status", fresh);
    assert_string_equal(text_of(json_element(json_of(words, 0), 1), "state"), "applied");
    assert_int_equal(moolah("db status"), 0);
    assert_says(out, "0001  ledger               applied\n");
}

static void test_verifying(void **state)
{
    (void)state;
    const struct json *lines = json_of("ledger verify --json --redis \"$REDIS\"", 0);
    assert_int_equal(json_count(lines), 9);
    for (size_t i = 0; i < 9; i++) {
        const struct json *line = json_element(lines, i);
        assert_int_equal(truth_of(line, "checked"), true);
        assert_int_equal(json_kind(json_member(line, "reason")), JSON_NULL);
        assert_int_equal(number_of(line, "broken"), 0);
        assert_int_equal(json_kind(json_member(line, "first")), JSON_NULL);
    }
    assert_true(number_of(json_element(lines, 0), "looked_at") > 0);
    assert_int_equal(moolah("ledger verify"), 0);
    assert_says(out, "skipped  6 cache");
    /* --config brings the address of Redis */
    assert_int_equal(moolah("ledger verify --config \"$DATA/moolahd.lua\" --database "
                            "\"$MOOLAH_DATABASE\""),
                     0);
    assert_says(out, "holds    6 cache");
    /* a broken one: exit 1, with the first broken row */
    const char *charge = "psql -qX \"$MOOLAH_DATABASE\" -c \"update accounts set posted = posted "
                         "%s 1 where id = (select min(id::text)::uuid from wallets)\"";
    char command[300];
    snprintf(command, sizeof command, charge, "+");
    assert_int_equal(stack_shell(stack, command), 0);
    lines = json_of("--json ledger verify", 1);
    assert_true(number_of(json_element(lines, 1), "broken") > 0);
    assert_says(text_of(json_element(lines, 1), "first"), "account ");
    assert_int_equal(moolah("ledger verify"), 1);
    assert_says(out, "BROKEN   2 balances");
    snprintf(command, sizeof command, charge, "-");
    assert_int_equal(stack_shell(stack, command), 0);
    assert_int_equal(moolah("ledger verify"), 0);
}

static int status_of(const char *method, const char *path, const char *token, const char *body)
{
    struct client_call call = {0};
    struct client *client = client_open(stack->port, stack->ca);
    assert_non_null(client);
    int status = client_do(client, &call, method, path, token, path, body);
    client_call_clear(&call);
    client_close(client);
    return status;
}

static void test_users(void **state)
{
    char words[200];
    (void)state;
    assert_fails("user add --phone 0821234567 --name Ada", 2, "--phone must be like +27821234567");
    assert_fails("user add --name Ada", 2, "--phone must be like");
    assert_fails("user add --phone +27821234567", 2, "--name must be");
    assert_fails("user add --phone +27821234567 --name ''", 2, "--name must be");
    assert_fails("user add --phone +27821234567 --name \"$(printf 'a\\033b')\"", 2,
                 "--name must be");
    assert_fails("user add --phone +27821234567 --name \"$(printf 'a\\302\\233b')\"", 2,
                 "--name must be");
    assert_fails("user add --phone +27821234567 --name \"$(printf 'a\\377b')\"", 2,
                 "--name must be");
    assert_fails("user add --phone +27821234567 --name \"$(printf 'x%.0s' $(seq 101))\"", 2,
                 "--name must be");
    assert_fails("user add --phone +27821234567 --name Ada", 2, "the password must have 8 to 128");
    assert_int_equal(setenv("MOOLAH_PASSWORD", "short", 1), 0);
    assert_fails("user add --phone +27821234567 --name Ada", 2, "the password must have 8 to 128");
    assert_int_equal(setenv("MOOLAH_PASSWORD", "correct horse", 1), 0);
    assert_fails("user add --phone +27821234567 --name Ada --time-zone Nowhere", 2,
                 "--time-zone must be one that is known");
    const struct json *made = json_of("user add --json --phone +27821234567 --name 'Ada Ünal' "
                                      "--time-zone Africa/Lagos",
                                      0);
    assert_string_equal(text_of(made, "name"), "Ada Ünal");
    char wallet[40];
    snprintf(wallet, sizeof wallet, "%s", text_of(made, "wallet"));
    assert_memory_equal(wallet, "wal_", 4);
    assert_memory_equal(text_of(made, "id"), "usr_", 4);
    assert_int_equal(stack_shell(stack, "psql -XAtq \"$MOOLAH_DATABASE\" -c \"select zone from "
                                        "accounts a join users u on u.wallet = a.id where "
                                        "u.phone = '+27821234567'\" | grep -qx 32"),
                     0);
    assert_fails("user add --phone +27821234567 --name Eve", 1, "moolah user show PHONE");
    assert_int_equal(unsetenv("MOOLAH_PASSWORD"), 0);
    assert_int_equal(status_of("POST", "/v1/sessions", NULL,
                               "{\"phone\":\"+27821234567\",\"password\":\"correct horse\"}"),
                     201);
    snprintf(words, sizeof words, "user show '%s' --json", stack->users[0].phone);
    const struct json *shown = json_of(words, 0);
    assert_int_equal(json_count(shown), 1);
    assert_string_equal(text_of(json_element(shown, 0), "wallet"), stack->users[0].wallet);
    assert_string_equal(text_of(json_element(shown, 0), "currency"), "ZAR");
    assert_int_equal(number_of(json_element(shown, 0), "posted"), 1000000);
    assert_int_equal(number_of(json_element(shown, 0), "available"), 1000000);
    snprintf(words, sizeof words, "user show '%s'", stack->users[0].phone);
    assert_int_equal(moolah(words), 0);
    assert_says(out, "10,000.00");
    assert_fails("user show +27829999999", 1, "nobody has that phone number");
    assert_fails("user show 12", 2, "PHONE must be like +27821234567");
    const struct json *all = json_of("user list --json", 0);
    assert_int_equal(json_count(all), 5);
    assert_false(truth_of(json_element(all, 0), "frozen"));
    assert_int_equal(number_of(json_element(all, 0), "wallets"), 1);
    assert_moment(text_of(json_element(all, 0), "created_at"));
    assert_int_equal(moolah("user list"), 0);
    assert_says(out, " UTC");
    assert_null(strchr(out, '\033')); /* no colours into a file */
}

static void test_partners(void **state)
{
    char key[100];
    char body[200];
    (void)state;
    assert_fails("partner add ''", 2, "1 to 100 characters");
    assert_fails("partner add \"$(printf 'a\\nb')\"", 2, "1 to 100 characters");
    assert_fails("partner add \"$(printf 'x%.0s' $(seq 101))\"", 2, "1 to 100 characters");
    const struct json *made = json_of("--json partner add 'Corner shop'", 0);
    snprintf(key, sizeof key, "%s", text_of(made, "api_key"));
    assert_memory_equal(key, "mlk_", 4);
    assert_memory_equal(text_of(made, "key"), "key_", 4);
    assert_fails("partner add 'Corner shop'", 1, "moolah partner key NAME");
    assert_fails("partner key Nobody", 1, "moolah partner list");
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\",\"reference\":\"cli\"}",
             stack->users[1].wallet);
    assert_int_equal(status_of("POST", "/v1/deposits", key, body), 201);
    for (int i = 0; i < 2; i++)
        assert_int_equal(status_of("POST", "/v1/webhooks", key,
                                   "{\"url\":\"https://example.com/\",\"types\":[\"*\"]}"),
                         201);
    assert_int_equal(moolah("partner key 'Corner shop'"), 0);
    const char *once = strstr(out, "api_key, shown this once: mlk_");
    assert_non_null(once);
    snprintf(key, sizeof key, "%s", once + 26);
    key[strcspn(key, "\n")] = '\0';
    const struct json *all = json_of("partner list --json", 0);
    assert_int_equal(json_count(all), 2);
    assert_string_equal(text_of(json_element(all, 0), "name"), "Corner shop");
    assert_int_equal(number_of(json_element(all, 0), "keys"), 2);
    assert_int_equal(json_kind(json_member(json_element(all, 0), "disabled_at")), JSON_NULL);
    const struct json *disabled = json_of("partner disable 'Corner shop' --json", 0);
    assert_int_equal(number_of(disabled, "keys_revoked"), 2);
    assert_int_equal(number_of(disabled, "webhooks_ended"), 2);
    assert_moment(text_of(disabled, "disabled_at"));
    assert_int_equal(stack_shell(stack, "test \"$(psql -qAtX \"$MOOLAH_DATABASE\" -c 'select "
                                        "count(*) from webhooks where status = 1')\" = 0"),
                     0);
    assert_int_equal(status_of("POST", "/v1/deposits", key, body),
                     401); /* never used: not cached */
    assert_fails("partner key 'Corner shop'", 1, "or it is disabled");
    assert_fails("partner disable Nobody", 1, "moolah partner list");
}

static void test_rules(void **state)
{
    (void)state;
    assert_int_equal(moolah("rules check"), 0); /* ./rules */
    assert_says(out, "rules and 2 products are good: sha256:");
    const struct json *good = json_of("rules check rules --json", 0);
    assert_true(truth_of(good, "good"));
    assert_int_equal(json_count(json_member(good, "findings")), 0);
    assert_int_equal(json_count(json_member(good, "advice")), 0);
    assert_int_equal(json_count(json_member(good, "suppliers")), 1);
    assert_int_equal(stack_shell(stack,
                                 "mkdir -p \"$DATA/strange\" && echo 'return limit { id = "
                                 "\"x\", version = 1, owner = \"x\", currency = \"ZAR\", tiers "
                                 "= { [0] = {}, [1] = { daily = ZAR \"1\" }, [2] = {}, [3] = "
                                 "{} } }' >\"$DATA/strange/x.limit.lua\""),
                     0);
    assert_int_equal(moolah("rules check \"$DATA/strange\""), 0);
    assert_says(out, "x.limit.lua:1:98: tier 1 has the limit daily, tier 0 below it has none");
    const struct json *strange = json_of("rules check \"$DATA/strange\" --json", 0);
    assert_int_equal(json_count(json_member(strange, "advice")), 1);
    assert_int_equal(stack_shell(stack, "mkdir -p \"$DATA/bad\" && sed 's/minimum = /minimun = /' "
                                        "'" MOOLAH_SOURCE_DIR
                                        "/rules/transfer.fee.lua' >\"$DATA/bad/transfer.fee.lua\""),
                     0);
    const struct json *bad = json_of("rules check \"$DATA/bad\" --json", 1);
    assert_false(truth_of(bad, "good"));
    const struct json *finding = json_element(json_member(bad, "findings"), 0);
    assert_string_equal(text_of(finding, "file"), "transfer.fee.lua");
    assert_true(number_of(finding, "line") > 1);
    assert_true(number_of(finding, "column") > 1);
    assert_says(text_of(finding, "message"), "did you mean 'minimum'");
    assert_int_equal(moolah("rules check \"$DATA/bad\""), 1);
    assert_says(out, "transfer.fee.lua:");
    assert_int_equal(moolah("rules check /nowhere"), 1);
    const struct json *loads = json_of("rules status --json", 0);
    assert_int_equal(json_count(loads), 2);
    assert_int_equal(number_of(json_element(loads, 1), "worker"), 1);
    assert_string_equal(text_of(json_element(loads, 0), "state"), "serves the newest rules");
    assert_string_equal(text_of(json_element(loads, 0), "bundle"), text_of(good, "bundle"));
    assert_moment(text_of(json_element(loads, 0), "at"));
}

static void test_rule_tests(void **state)
{
    (void)state;
    assert_int_equal(moolah("rules test"), 0); /* ./rules */
    assert_says(out, ", 0 failed; they reach 100 % of the rules\n");
    const struct json *good = json_of("rules test rules --json", 0);
    assert_true(truth_of(good, "good"));
    assert_true(number_of(good, "passed") >= 20);
    assert_int_equal(number_of(good, "coverage_percent"), 100);
    assert_int_equal(stack_shell(stack, "mkdir -p \"$DATA/tested\" && cd \"$DATA/tested\" && "
                                        "cp '" MOOLAH_SOURCE_DIR "/rules/transfer.fee.lua' ."),
                     0);
    assert_int_equal(moolah("rules test \"$DATA/tested\""), 1);
    assert_says(err, "holds no test: transfer.fee.lua is tested by transfer.fee_test.lua");
    assert_int_equal(stack_shell(stack, "cd \"$DATA/tested\" && echo 'return tests { example { "
                                        "\"dear\", kind = \"transfer\", amount = ZAR \"50.00\", "
                                        "fee = ZAR \"2.60\" } }' >transfer.fee_test.lua"),
                     0);
    assert_int_equal(moolah("rules test \"$DATA/tested\" --coverage"), 1);
    assert_says(out, "transfer.fee_test.lua:1:75: 'dear': fee is ZAR 2.50, expected ZAR 2.60\n");
    assert_says(out, "33 %  1 of 3; never reached: slab 2, slab 3\n");
    assert_says(out, "1 test in 1 file: 0 passed, 1 failed; they reach 33 % of the rules\n");
    assert_int_equal(moolah("rules test /nowhere"), 1);
    assert_fails("rules test --tier 2", 2, "doesn't take what is priced");
    assert_fails("rules check --coverage", 2, "doesn't take --coverage");
}

static void test_new_rules(void **state)
{
    (void)state;
    static const char *const made[] = {"fee transfer.business", "fee withdrawal.atm",
                                       "limit wallet.more", "product data.1gb"};
    char words[200];
    assert_int_equal(stack_shell(stack, "mkdir -p \"$DATA/made\""), 0);
    for (int round = 0; round < 2; round++) { /* the first ones of all, then beside ours */
        for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
            snprintf(words, sizeof words, "rules new %s \"$DATA/made\"", made[i]);
            if (moolah(words) != 0)
                fail_msg("%s: %s", words, err);
            assert_fails(words, 1, "is there already: nothing was changed");
        }
        assert_int_equal(moolah("rules check \"$DATA/made\""), 0);
        assert_int_equal(moolah("rules test \"$DATA/made\""), 0);
        assert_says(out, "they reach 100 % of the rules\n");
        assert_int_equal(stack_shell(stack, "rm \"$DATA\"/made/*.lua && cp '" MOOLAH_SOURCE_DIR
                                            "'/rules/*.lua \"$DATA/made\""),
                         0);
    }
    assert_fails("rules new fee transfer.own \"$DATA/made\"", 1, "its id is taken by own.fee.lua");
    assert_int_equal(stack_shell(stack, "test ! -e \"$DATA/made/transfer.own.fee.lua\""), 0);
    assert_int_equal(stack_shell(stack, "test ! -e \"$DATA/made/transfer.own.fee_test.lua\""), 0);
    assert_says(text_of(json_of("rules new fee x \"$DATA/made\" --json", 0), "rule"),
                "/made/x.fee.lua");
    assert_fails("rules new fees x", 2, "did you mean fee: fee, limit or product");
    assert_fails("rules new fee ../x", 2, "a name is made of");
    assert_fails("rules new fee .x", 2, "a name is made of");
    assert_fails("rules new fee X", 2, "a name is made of");
    assert_fails("rules new fee", 2, "needs KIND NAME [DIR]");
    assert_fails("rules new fee x /nowhere", 1, "is no folder");
    assert_int_equal(stack_shell(stack, "echo 5 >\"$DATA/made/y.fee.lua\""), 0);
    assert_fails("rules new fee z \"$DATA/made\"", 1, "isn't good as it is");
}

static void test_prices(void **state)
{
    (void)state;
    const struct json *price =
        json_of("rules price --amount 250.00 --currency ZAR --json --tier 2", 0);
    assert_int_equal(number_of(price, "amount"), 25000);
    assert_int_equal(number_of(price, "tier"), 2);
    assert_int_equal(number_of(price, "fee"), 385); /* 1.60 + 0.90 % */
    const struct json *line = json_element(json_member(price, "lines"), 0);
    assert_string_equal(text_of(line, "rule"), "transfer.p2p@3");
    assert_string_equal(text_of(line, "file"), "transfer.fee.lua");
    assert_int_equal(number_of(line, "line"), 3);
    assert_int_equal(number_of(line, "amount"), 385);
    assert_int_equal(moolah("rules price rules --kind transfer --amount 250 --currency ZAR"), 0);
    assert_says(out, "transfer of ZAR 250.00, tier 0\n");
    assert_says(out, "3.85  by transfer.p2p@3, rules/transfer.fee.lua:3\n");
    /* as the server asks: a hold as a transfer, a withdrawal without rules is free */
    price = json_of("rules price rules --kind hold --amount 50.00 --currency ZAR --json", 0);
    assert_int_equal(number_of(price, "fee"), 250);
    price = json_of("rules price rules --kind withdrawal --amount 50 --currency ZAR --json", 0);
    assert_int_equal(number_of(price, "fee"), 0);
    assert_fails("rules price rules --kind foo --amount 50 --currency ZAR", 2,
                 "known are: transfer, hold, withdrawal, purchase");
    price = json_of("rules price --amount 250 --currency ZAR --own --json", 0);
    assert_true(truth_of(price, "own"));
    assert_int_equal(number_of(price, "fee"), 0);
    price = json_of("rules price --amount 250 --currency USD --json", 1);
    assert_false(truth_of(price, "priced"));
    assert_says(text_of(price, "reason"), "no rule applies");
    assert_fails("rules price --amount 250", 2, "--currency must be");
    assert_fails("rules price --amount 250 --currency zar", 2, "--currency must be");
    assert_fails("rules price --currency ZAR", 2, "--amount must be like 250 or 250.00");
    assert_fails("rules price --amount 250 --currency ZAR --tier 4", 2, "--tier must be 0 to 3");
    price = json_of("rules price --amount 250 --currency ZAR --at '2026-12-01 00:00' --json", 0);
    assert_true(number_of(price, "at") == INT64_C(1796076000000000));
    assert_fails("rules price --amount 250 --currency ZAR --at tomorrow", 2,
                 "--at must be like '2026-12-01 00:00', from 2020 to 2049");
    assert_fails("rules price --amount 250 --currency ZAR --tier 1x", 2, "--tier must be 0 to 3");
    static const char *const amounts[] = {"0",     "0.00",
                                          "-1",    "1.5",
                                          "1.500", "1,00",
                                          "1e3",   ".50",
                                          "5.",    "1..0",
                                          "' 1'",  "90071992547409.92",
                                          "''",    "99999999999999999999"};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        char words[100];
        snprintf(words, sizeof words, "rules price --currency ZAR --amount=%s", amounts[i]);
        assert_fails(words, 2, "--amount must be like");
    }
    /* the largest amount there is; what a currency without or with three digits looks like */
    price = json_of("rules price --currency ZAR --json --amount 90071992547409.91", 0);
    assert_int_equal(number_of(price, "amount"), INT64_C(9007199254740991));
    assert_int_equal(
        number_of(json_of("rules price --currency JPY --json --amount 250", 1), "amount"), 250);
    assert_fails("rules price --currency JPY --amount 250.00", 2,
                 "--amount must be like 250 of JPY");
    assert_int_equal(
        number_of(json_of("rules price --currency KWD --json --amount 1.234", 1), "amount"), 1234);
}

static void test_documents(void **state)
{
    (void)state;
    assert_int_equal(moolah("config sample"), 0);
    assert_says(out, "posting = {");
    assert_int_equal(stack_shell(stack, "'" MOOLAH_BINARY_DIR "/moolahd' --describe-config | "
                                        "diff - \"$DATA/cli.out\""),
                     0);
    assert_says(text_of(json_of("config sample --json", 0), "text"), "posting = {");
    assert_int_equal(moolah("docs problems"), 0);
    assert_int_equal(stack_shell(stack, "diff '" MOOLAH_SOURCE_DIR "/docs/problems.md' "
                                        "\"$DATA/cli.out\""),
                     0);
    assert_says(text_of(json_of("docs problems --json", 0), "text"), "insufficient_funds");
}

/* Colours where somebody looks, unless they said no; a full disk is not success. */
static void test_where_it_goes(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(stack, "script -qec \"$MOOLAH user list\" /dev/null </dev/null | "
                                        "grep -q \"$(printf '\\033\\\\[1m')\""),
                     0);
    assert_int_equal(stack_shell(stack, "! NO_COLOR=1 script -qec \"$MOOLAH user list\" /dev/null "
                                        "</dev/null | grep -q \"$(printf '\\033')\""),
                     0);
    assert_int_equal(stack_shell(stack, "$MOOLAH user list >/dev/full 2>\"$DATA/cli.err\""), 1);
    read_text("cli.err", err);
    assert_says(err, "is the disk full?");
    /* what somebody else wrote into a name can't reach the terminal */
    assert_int_equal(stack_shell(stack, "psql -qX \"$MOOLAH_DATABASE\" -c \"update users set name "
                                        "= E'a\\x1b[31mb\\u009b5nc' where phone = "
                                        "'+27820000002'\""),
                     0);
    assert_int_equal(moolah("user show +27820000002"), 0);
    assert_null(strchr(out, '\033'));
    assert_null(strstr(out, "\xc2\x9b"));
    assert_says(out, "a?[31mb");
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    arena_init(&arena);
    stack = stack_start(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stack_stop(stack);
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),           cmocka_unit_test(test_what_is_mistyped),
        cmocka_unit_test(test_which_database), cmocka_unit_test(test_migrating),
        cmocka_unit_test(test_verifying),      cmocka_unit_test(test_users),
        cmocka_unit_test(test_partners),       cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rule_tests),     cmocka_unit_test(test_new_rules),
        cmocka_unit_test(test_prices),         cmocka_unit_test(test_documents),
        cmocka_unit_test(test_where_it_goes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
