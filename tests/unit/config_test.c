/* Every setting: its default, its wrong types and ranges with file, line and column, and whether
 * HUP takes it over. The list of settings is what config_describe says. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/zone.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_KEY "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { SETTINGS_MAX = 80 };

struct setting {
    char path[64];
    char otherwise[64]; /* as it stands in the file; "\"...\"": required */
    bool fixed;
};

static struct setting settings[SETTINGS_MAX];
static size_t setting_count;
static char path[64];
static struct bundle_report report;

/* The lines that config_describe writes: a help, then `name = value,`, inside tables. */
static int read_settings(void **state)
{
    struct bytes text;
    char group[32] = "";
    bool fixed = false;
    (void)state;
    bytes_init(&text, NULL);
    config_describe(&text);
    bytes_add_char(&text, '\0');
    char *rest;
    for (char *line = strtok_r(text.at, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[40];
        char value[64];
        line += strspn(line, " ");
        const char *tail = strchr(line, '=');
        if (tail != NULL && strcmp(tail, "= {") == 0 && sscanf(line, "%31[a-z0-9_]", name) == 1) {
            snprintf(group, sizeof group, "%.30s.", name);
        } else if (strcmp(line, "},") == 0) {
            group[0] = '\0';
        } else if (sscanf(line, "-- %39[a-z0-9_] = %63[^\n]", name, value) == 2 ||
                   sscanf(line, "%39[a-z0-9_] = %63[^\n]", name, value) == 2) {
            struct setting *setting = &settings[setting_count++];
            value[strlen(value) - 1] = '\0'; /* the comma */
            snprintf(setting->path, sizeof setting->path, "%s%s", group, name);
            snprintf(setting->otherwise, sizeof setting->otherwise, "%s", value);
            setting->fixed = fixed;
        } else {
            fixed = strstr(line, "[USR2]") != NULL;
        }
    }
    bytes_release(&text);
    snprintf(path, sizeof path, "/tmp/moolah-config-%d.lua", (int)getpid());
    return setting_count > 40 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* Whatever is required, and one setting more or otherwise, on line 7 from column 3 (or 11, behind
 * its table's name). */
static bool read_with(const char *setting, const char *value, struct config *config)
{
    static const char *const required[][2] = {
        {"database", "\"dbname=moolah\""}, {"redis", "\"unix:/run/redis.sock\""},
        {"cursor_key", "\"" KEY "\""},     {"tls.certificate", "\"cert.pem\""},
        {"tls.key", "\"key.pem\""},        {"secret_key", "\"" KEY "\""},
    };
    FILE *file = fopen(path, "w");
    fprintf(file, "-- a comment: workers = 5\nlocal c = { tls = {}, posting = {}, listen = {},\n"
                  "limits = {}, rates = {}, log = {}, events = {}, proof = {}, "
                  "outbound = {}, webhooks = {}, suppliers = {} }\nlocal other = "
                  "\"workers = 6\"\n");
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (strcmp(required[i][0], setting) != 0)
            fprintf(file, "c.%s = %s;", required[i][0], required[i][1]);
    fprintf(file, "\n\nc.%s = %s\nreturn c\n", setting, value);
    fclose(file);
    return config_read(path, config, &report);
}

/* Refused, with one finding at the setting's name that says `what`. */
static void assert_refused(const char *setting, const char *value, const char *what)
{
    struct config config;
    const char *dot = strchr(setting, '.');
    int column = 3 + (dot == NULL ? 0 : (int)(dot + 1 - setting));
    char expected[120];
    if (read_with(setting, value, &config))
        fail_msg("%s = %s was taken", setting, value);
    assert_true(report.count >= 1);
    const struct bundle_finding *finding = &report.findings[0];
    snprintf(expected, sizeof expected, "%s %s", setting, what);
    if (strncmp(finding->message, expected, strlen(expected)) != 0)
        fail_msg("%s = %s: said '%s', not '%s'", setting, value, finding->message, expected);
    assert_string_equal(finding->file, path);
    if (finding->line != 7 || finding->column != column)
        fail_msg("%s = %s: at %d:%d, not 7:%d", setting, value, finding->line, finding->column,
                 column);
}

static void assert_taken(const char *setting, const char *value, struct config *config)
{
    if (!read_with(setting, value, config))
        fail_msg("%s = %s: %s", setting, value, report.findings[0].message);
}

static bool is_number(const struct setting *setting)
{
    return setting->otherwise[0] >= '0' && setting->otherwise[0] <= '9';
}

static void test_wrong_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (is_number(s)) {
            assert_refused(s->path, "\"5\"", "must be a");
            assert_refused(s->path, "true", "must be a");
            assert_refused(s->path, "{}", "must be a");
        } else if (s->otherwise[0] == '{') {
            assert_refused(s->path, "5", "must be a list of texts");
            assert_refused(s->path, "{ 5 }", "must be a list of texts");
        } else if (s->otherwise[0] == 'f' || s->otherwise[0] == 't') {
            assert_refused(s->path, "1", "must be true or false");
            assert_refused(s->path, "\"true\"", "must be true or false");
        } else {
            assert_refused(s->path, "5", "must be a text");
            assert_refused(s->path, "{}", "must be a text");
        }
    }
}

static void test_wrong_ranges(void **state)
{
    size_t numbers = 0;
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (!is_number(s))
            continue;
        numbers++;
        assert_refused(s->path, "-1", "must be a");
        assert_refused(s->path, "1000000000000", "must be a");
        assert_refused(s->path, "0/0", "must be a");
        if (strstr(s->path, "per_second") == NULL)
            assert_refused(s->path, "1.5", "must be an integer");
    }
    assert_true(numbers > 25);
}

static void test_required(void **state)
{
    struct config config;
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].otherwise, "\"...\"") != 0)
            continue;
        assert_false(read_with(settings[i].path, "nil", &config));
        assert_int_equal(report.count, 1);
        assert_non_null(strstr(report.findings[0].message, "is required"));
    }
}

static void test_defaults(void **state)
{
    struct config c;
    (void)state;
    assert_taken("workers", "3", &c);
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.posting_lanes, 2);
    assert_int_equal(c.listen_public.port, 8443);
    assert_int_equal(c.listen_operators.port, 8444);
    assert_string_equal(c.rules, "rules");
    assert_true(c.ip.per_second == 100. && c.ip.burst == 400);
    assert_false(c.allow_tls12 || c.has_operator_token);
    assert_null(c.client_ca);
    assert_null(c.pid_file);
    assert_int_equal(c.currencies[0], CURRENCY_ZAR);
    assert_int_equal(c.currencies[1], 0);
    assert_int_equal(c.zone, ZONE_USUAL);
    assert_int_equal(c.cursor_key[0], 0x01);
    assert_int_equal(c.cursor_key[31], 0xef);
    config_release(&c);
    assert_taken("workers", "0", &c);
    assert_true(c.workers >= 1 && c.workers <= 256);
    config_release(&c);
}

static void test_texts_that_mean_something(void **state)
{
    struct config c;
    (void)state;
    assert_refused("secret_key", "\"0123\"", "must be 64 hex digits");
    assert_refused("time_zone", "\"Mars/Olympus\"", "must be one that server/base/zone.c knows");
    assert_refused("suppliers.list", "{ \"power\" }", "holds a text that isn't: name https://");
    assert_refused("outbound.allow", "{ \"10.0.0.0/33\" }", "holds 10.0.0.0/33, which is no");
    assert_refused("cursor_key", "\"0123\"", "must be 64 hex digits");
    assert_refused("cursor_key", "\"\"", "must be 64 hex digits");
    assert_refused("cursor_key",
                   "\"F123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
                   "must be 64 hex digits in lower case");
    assert_refused("cursor_key", "\"" KEY "0\"", "must be 64 hex digits");
    assert_refused("operator_token_sha256", "\"" KEY "g\"", "must be 64 hex digits");
    assert_taken("operator_token_sha256", "\"" OTHER_KEY "\"", &c);
    assert_true(c.has_operator_token && c.operator_token_hash[0] == 0xff);
    config_release(&c);
    assert_refused("log.level", "\"loud\"", "must be debug, info, warn or error");
    assert_refused("database", "\"nonsense\"", "is no libpq connection string");
    assert_refused("database", "\"host=x port\"", "is no libpq connection string");
    assert_refused("database", "\"colour=blue\"", "is no libpq connection string: invalid");
    assert_taken("database", "\"postgresql://moolah_server@db.example/moolah\"", &c);
    config_release(&c);
    static const char *const redises[] = {"\"\"",           "\"unix:\"",      "\"unix:redis.sock\"",
                                          "\"localhost\"",  "\":6379\"",      "\"10.0.0.1:\"",
                                          "\"10.0.0.1:0\"", "\"10.0.0.1:x\"", "\"10.0.0.1:99999\""};
    for (size_t i = 0; i < sizeof redises / sizeof redises[0]; i++)
        assert_refused("redis", redises[i], "must be like unix:/run/redis.sock");
    assert_taken("redis", "\"secret@127.0.0.1:6379\"", &c);
    config_release(&c);
}

static void test_listeners(void **state)
{
    struct config c;
    (void)state;
    assert_refused("listen.public", "\"8443\"", "must be like 127.0.0.1:8443");
    assert_refused("listen.public", "\"localhost:8443\"", "must be like 127.0.0.1:8443");
    assert_refused("listen.public", "\"127.0.0.1:0\"", "must be like 127.0.0.1:8443");
    assert_refused("listen.operators", "\"[::1]:99999\"", "must be like 127.0.0.1:8444");
    assert_taken("listen.public", "\"[::1]:8444\"", &c); /* another address, the same port */
    config_release(&c);
    /* the same one, or one that swallows the other */
    assert_refused("listen.operators", "\"127.0.0.1:8443\"", "must be another address or port");
    assert_refused("listen.operators", "\"*:8443\"", "must be another address or port");
    assert_refused("listen.operators", "\"0.0.0.0:8443\"", "must be another address or port");
    assert_refused("listen.operators", "\"[::ffff:127.0.0.1]:8443\"",
                   "must be another address or port");
    assert_refused("listen.proxies", "{ \"10.0.0.0/8\", \"here\" }", "holds here, which is no");
    assert_refused("listen.proxies", "{ \"10.0.0.0/33\" }", "holds 10.0.0.0/33");
    assert_taken("listen.proxies", "{ \"10.0.0.0/8\", \"::1\" }", &c);
    assert_int_equal(c.proxy_count, 2);
    assert_int_equal(c.proxies[0].bits, 104);
    config_release(&c);
    char many[40 * 16] = "{";
    for (int i = 0; i < CONFIG_PROXIES_MAX + 1; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "\"10.0.0.%d\",", i);
    many[strlen(many) - 1] = '}';
    assert_refused("listen.proxies", many, "are 32 at most");
}

static void test_currencies(void **state)
{
    struct config c;
    (void)state;
    assert_refused("currencies", "{ \"ZAR\", \"XXX\" }", "holds XXX, which is no ISO 4217 code");
    assert_refused("currencies", "{ \"zar\" }", "holds zar");
    assert_refused("currencies", "{}", "must be 1 to 16");
    assert_refused("currencies",
                   "{ \"ZAR\",\"USD\",\"EUR\",\"GBP\",\"JPY\",\"CHF\",\"AUD\",\"NZD\",\"CAD\","
                   "\"SEK\",\"NOK\",\"DKK\",\"PLN\",\"CZK\",\"HUF\",\"RON\",\"BGN\" }",
                   "must be 1 to 16");
    assert_taken("currencies", "{ \"USD\", \"ZAR\" }", &c);
    assert_int_equal(c.currencies[1], CURRENCY_ZAR);
    config_release(&c);
    assert_refused("stripe_first", "4000; c.workers = 60",
                   "+ workers x posting.lanes must stay below 4096");
}

static void test_files(void **state)
{
    struct config c;
    (void)state;
    assert_false(config_read("/nowhere/moolahd.lua", &c, &report));
    assert_int_equal(report.count, 1);
    assert_non_null(strstr(report.findings[0].message, "No such file or directory; moolahd "
                                                       "--describe-config writes one"));
    assert_false(read_with("workers", "(", &c)); /* no Lua */
    assert_int_equal(report.findings[0].line, 8);
    assert_false(read_with("workers", "error(\"x\")", &c));
    assert_false(read_with("wokers", "5", &c));
    assert_non_null(strstr(report.findings[0].message, "did you mean workers?"));
    assert_int_equal(report.findings[0].line, 7);
    assert_false(read_with("database", "env \"MOOLAH_TEST_NOWHERE\"", &c));
    assert_non_null(strstr(report.findings[0].message, "the environment has no"));
    setenv("MOOLAH_TEST_DATABASE", "dbname=fromenv", 1);
    assert_taken("database", "env \"MOOLAH_TEST_DATABASE\"", &c);
    assert_string_equal(c.database, "dbname=fromenv");
    config_release(&c);
}

/* Another good value than the default or what read_with says. */
static void other_value(const struct setting *setting, char value[100])
{
    static const char *const texts[][2] = {
        {"database", "\"dbname=other\""},
        {"redis", "\"unix:/other.sock\""},
        {"listen.public", "\"127.0.0.1:9443\""},
        {"listen.operators", "\"127.0.0.1:9444\""},
        {"listen.proxies", "{ \"10.0.0.0/8\" }"},
        {"currencies", "{ \"USD\" }"},
        {"time_zone", "\"Africa/Lagos\""},
        {"operator_token_sha256", "\"" OTHER_KEY "\""},
        {"cursor_key", "\"" OTHER_KEY "\""},
        {"secret_key", "\"" OTHER_KEY "\""},
        {"outbound.allow", "{ \"10.0.0.0/8\" }"},
        {"outbound.allow_http", "true"},
        {"suppliers.list", "{ \"power https://x.example token\" }"},
        {"log.level", "\"warn\""},
        {"tls.allow_tls12", "true"},
        {"workers", "17"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i][0], setting->path) != 0)
            continue;
        snprintf(value, 100, "%s", texts[i][1]);
        return;
    }
    if (is_number(setting))
        snprintf(value, 100, "%s + 1", setting->otherwise);
    else
        snprintf(value, 100, "\"another\"");
}

/* HUP with one setting changed: it's taken over, or it's named; never both, never neither. */
static void test_what_hup_takes(void **state)
{
    size_t fixed = 0;
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        struct config running;
        struct config fresh;
        struct bytes names;
        char value[100];
        if (strstr(s->path, "per_second") != NULL && strlen(s->otherwise) > 3)
            snprintf(value, sizeof value, "0.5");
        else
            other_value(s, value);
        assert_taken("workers", "3", &running);
        assert_taken(s->path, value, &fresh);
        fresh.workers = strcmp(s->path, "workers") == 0 ? fresh.workers : 3;
        bytes_init(&names, NULL);
        config_fixed_changes(&running, &fresh, &names);
        bytes_add_char(&names, '\0');
        assert_string_equal(names.at, s->fixed ? s->path : "");
        assert_true(config_take_reloadable(&running, &fresh));
        fixed += s->fixed;
        config_release(&fresh); /* texts were copied: ASan would see it */
        assert_true(strlen(running.certificate) + strlen(running.rules) > 0);
        bytes_release(&names);
        config_release(&running);
    }
    assert_int_equal(fixed, 22);
}

static void test_what_was_taken(void **state)
{
    struct config running;
    struct config fresh;
    (void)state;
    assert_taken("workers", "3", &running);
    assert_taken("rules",
                 "\"elsewhere\"; c.limits.streams = 7; c.rates.ip_per_second = 12.5; "
                 "c.listen.proxies = { \"10.0.0.0/8\" }; c.log.level = \"warn\"; "
                 "c.operator_token_sha256 = \"" OTHER_KEY "\"; c.workers = 9; "
                 "c.posting.batch = 33; c.tls.client_ca = \"ca.pem\"",
                 &fresh);
    for (int round = 0; round < 3; round++) /* the last round's texts are given back */
        assert_true(config_take_reloadable(&running, &fresh));
    config_release(&fresh);
    assert_string_equal(running.rules, "elsewhere");
    assert_string_equal(running.client_ca, "ca.pem");
    assert_string_equal(running.log_level, "warn");
    assert_int_equal(running.streams_max, 7);
    assert_int_equal(running.batch_max, 33);
    assert_true(running.ip.per_second == 12.5);
    assert_int_equal(running.proxy_count, 1);
    assert_true(running.has_operator_token && running.operator_token_hash[0] == 0xff);
    assert_int_equal(running.workers, 3);
    assert_string_equal(running.database, "dbname=moolah");
    config_release(&running);
}

static void test_out_of_memory(void **state)
{
    struct config running;
    struct config fresh;
    bool taken = false;
    (void)state;
    assert_taken("workers", "3", &running);
    assert_taken("rules", "\"elsewhere\"; c.listen.proxies = { \"10.0.0.0/8\" }", &fresh);
    for (long n = 0; !taken; n++) {
        memory_fail_after(n);
        taken = config_take_reloadable(&running, &fresh);
        memory_fail_never();
        assert_string_equal(running.rules, taken ? "elsewhere" : "rules");
        assert_int_equal(running.proxy_count, taken);
    }
    config_release(&fresh);
    config_release(&running);
}

static void test_the_log(void **state)
{
    char file[80];
    char value[100];
    struct config c;
    struct stat about;
    (void)state;
    snprintf(file, sizeof file, "%s.log", path);
    snprintf(value, sizeof value, "\"%s\"", file);
    assert_taken("log.file", value, &c);
    config_start_log(&c, 0);
    log_message(LOG_INFO, "test", "hello");
    assert_true(log_flush());
    assert_int_equal(stat(file, &about), 0);
    assert_true(about.st_size > 0);
    assert_int_equal(about.st_mode & 07, 0); /* nobody else's to read */
    unlink(file);
    config_start_log(&c, 0); /* moved away: made anew */
    assert_int_equal(stat(file, &about), 0);
    unlink(file);
    config_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_wrong_ranges),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_texts_that_mean_something),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_currencies),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_hup_takes),
        cmocka_unit_test(test_what_was_taken),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_the_log),
    };
    return cmocka_run_group_tests(tests, read_settings, remove_file);
}
