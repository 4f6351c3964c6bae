/* moolahd: reads the configuration, starts the master, which starts the workers. Wiring only. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/offload.h"
#include "base/zone.h"
#include "config.h"
#include "net/tls.h"
#include "ops/notify.h"
#include "ops/supervisor.h"
#include "ops/upgrade.h"
#include "rule_keeper.h"
#include "scripting/bundle.h"
#include "store/probe.h"
#include "store/revisions.h"
#include "version.h"
#include "worker.h"

#define DRAIN_S 10
#define HANG_US (INT64_C(10) * CLOCK_SECOND)
#define MASTER (-1) /* its slot in the log */

struct startup {
    const char *config_path;
    struct config config;
};

static const char help[] =
    "moolahd: the wallet transaction server\n"
    "\n"
    "  moolahd --config FILE            serve\n"
    "  moolahd --config FILE --check    check configuration, certificate and rules, and say what "
    "is wrong\n"
    "  moolahd --describe-config        a configuration with every setting and its default\n"
    "  moolahd --version\n"
    "\n"
    "Signals: HUP reloads configuration, certificate and rules (what it can't change says [USR2] "
    "in\n"
    "--describe-config); USR2 starts a new binary on the same sockets and hands over; TERM and "
    "INT\n"
    "drain for at most 10 s, a second one ends at once.\n"
    "Exit codes: 0 ended as told, 1 could not start or something is wrong, 2 wrong usage.\n";

/* Said on standard error, to the old master at an upgrade, or to the log at a reload. */
typedef void complainer(const char *line);

static void complain_aloud(const char *line)
{
    char text[600];
    snprintf(text, sizeof text, "moolahd: %s\n", line);
    upgrade_complain(text);
}

static void complain_in_log(const char *line)
{
    log_message(LOG_ERROR, "reload_refused", "%s", line);
}

static void complain_of(const struct bundle_report *report, complainer *complain)
{
    for (size_t i = 0; i < report->count; i++) {
        struct bundle_report one = {.findings = {report->findings[i]}, .count = 1};
        struct bytes text;
        bytes_init(&text, NULL);
        bundle_report_write(&one, &text);
        bytes_add_char(&text, '\0');
        if (!text.failed) {
            text.at[strcspn(text.at, "\n")] = '\0';
            complain(text.at);
        }
        bytes_release(&text);
    }
}

static bool check_certificate(const struct config *c, complainer *complain)
{
    char error[512];
    const struct tls_settings settings = {c->certificate, c->key, c->client_ca, c->allow_tls12};
    struct tls_server *tls = tls_server_new(&settings, error, sizeof error);
    bool good = tls != NULL;
    if (!good)
        complain(error);
    tls_server_release(tls);
    return good;
}

static bool check_rules(const struct config *c, complainer *complain)
{
    struct bundle_report report = {.count = 0};
    struct bundle *bundle = bundle_load(c->rules, &report);
    if (bundle == NULL)
        complain_of(&report, complain);
    bundle_release(bundle);
    return bundle != NULL;
}

/* All that can be wrong is said at once. False: nothing is in *config. */
static bool read_all(const char *path, struct config *config, complainer *complain)
{
    struct bundle_report report = {.count = 0};
    if (!config_read(path, config, &report)) {
        complain_of(&report, complain);
        return false;
    }
    bool certificate = check_certificate(config, complain);
    bool rules = check_rules(config, complain);
    if (certificate && rules)
        return true;
    config_release(config);
    return false;
}

static int work(void *owner, const struct supervisor_seat *seat)
{
    const struct startup *startup = owner;
    return worker_run(&startup->config, startup->config_path, seat);
}

static void warn_of_fixed(const struct config *old, const struct config *fresh)
{
    struct bytes names;
    bytes_init(&names, NULL);
    config_fixed_changes(old, fresh, &names);
    if (names.length > 0)
        log_message(LOG_WARN, "settings_wait",
                    "%.*s: changed, but a running server keeps the old: USR2 (no request fails) or "
                    "a restart takes it over",
                    (int)names.length, names.at);
    bytes_release(&names);
}

/* The master keeps what it read, too: a worker that it starts later starts with that. */
static bool may_reload(void *owner)
{
    struct startup *startup = owner;
    struct config fresh;
    if (!read_all(startup->config_path, &fresh, complain_in_log))
        return false;
    warn_of_fixed(&startup->config, &fresh);
    bool good = config_take_reloadable(&startup->config, &fresh);
    config_release(&fresh);
    if (good)
        config_start_log(&startup->config, MASTER);
    else
        complain_in_log("out of memory");
    return good;
}

/* Aside, then moved: who reads it reads a whole number. */
static void write_pid(const char *path)
{
    char aside[4096];
    int length = snprintf(aside, sizeof aside, "%s.new", path);
    FILE *file = length < (int)sizeof aside ? fopen(aside, "we") : NULL;
    bool written = file != NULL && fprintf(file, "%d\n", (int)getpid()) > 0;
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written || rename(aside, path) != 0)
        log_message(LOG_ERROR, "pid_file", "cannot write %s: %s", path, strerror(errno));
}

static void ready(void *owner)
{
    const struct startup *startup = owner;
    const struct inet *at = &startup->config.listen_public;
    char address[INET_TEXT_MAX];
    inet_text(at, address);
    bool is_ipv6 = strchr(address, ':') != NULL;
    if (startup->config.pid_file != NULL)
        write_pid(startup->config.pid_file);
    printf("moolahd ready https://%s%s%s:%d\n", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "",
           at->port);
    fflush(stdout);
}

static void harden(void)
{
    struct rlimit files;
    const struct rlimit none = {0, 0};
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none); /* a core would hold secrets */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Shorter when systemd is less patient: a worker that hangs is replaced before it kills all. */
static int64_t patience(void)
{
    int64_t watchdog = notify_watchdog() / 3;
    return watchdog > 0 && watchdog < HANG_US ? watchdog : HANG_US;
}

static void register_metrics(void)
{
    metric build = metrics_register(METRIC_GAUGE, "moolah_build_info",
                                    "version=\"" MOOLAH_VERSION "\"", "Always 1");
    metric started = metrics_register(METRIC_GAUGE, "process_start_time_seconds", "",
                                      "Unix time at which the master started");
    worker_register_metrics();
    supervisor_register_metrics();
    metrics_set(build, 1);
    metrics_set(started, clock_now() / CLOCK_SECOND);
}

/* For passwords: however many are asked about, one core stays with the money. */
static int spare_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 1 ? (int)cores - 1 : 1;
}

static int serve(struct startup *startup, char **argv)
{
    const struct config *c = &startup->config;
    const struct supervisor_settings settings = {
        .addresses = {c->listen_public, c->listen_operators},
        .listeners = 2,
        .workers = (int)c->workers,
        .drain_s = DRAIN_S,
        .hang_us = patience(),
        .argv = argv,
        .owner = startup,
        .work = work,
        .may_reload = may_reload,
        .ready = ready,
    };
    if (!metrics_start((int)c->workers + 1) || !rule_keeper_start(c->rules) || !revisions_start() ||
        !offload_share_turns(spare_cores())) {
        complain_aloud("no shared memory for metrics, rules, revisions and turns");
        return 1;
    }
    register_metrics();
    config_start_log(c, MASTER);
    return supervisor_run(&settings);
}

/* Whether somebody answers is no matter of the configuration: said, but not an error. */
static int tell_check(const struct startup *startup)
{
    char error[300];
    printf("%s: configuration, certificate and rules are good\n", startup->config_path);
    fflush(stdout);
    if (!probe_database(startup->config.database, error, sizeof error))
        fprintf(stderr, "moolahd: warning: PostgreSQL doesn't answer: %s\n", error);
    if (!probe_redis(startup->config.redis, error, sizeof error))
        fprintf(stderr, "moolahd: warning: Redis doesn't answer: %s\n", error);
    return 0;
}

static int describe(void)
{
    struct bytes text;
    bytes_init(&text, NULL);
    config_describe(&text);
    fwrite(text.at, 1, text.length, stdout);
    bytes_release(&text);
    return 0;
}

static int start(const char *config_path, bool check, char **argv)
{
    static struct startup startup;
    startup.config_path = config_path;
    const char *missing = zone_open();
    if (missing != NULL) {
        char line[160];
        snprintf(line, sizeof line, "the system's time zones lack %s: install tzdata", missing);
        complain_aloud(line);
        return 1;
    }
    if (!crypto_start() || !tls_start()) {
        complain_aloud("no source of random numbers");
        return 1;
    }
    if (!read_all(config_path, &startup.config, complain_aloud))
        return 1;
    if (check)
        return tell_check(&startup);
    harden();
    return serve(&startup, argv);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},    {"check", no_argument, NULL, 'k'},
        {"describe-config", no_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},         {NULL, 0, NULL, 0},
    };
    const char *config_path = NULL;
    bool check = false;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'c')
            config_path = optarg;
        else if (option == 'k')
            check = true;
        else if (option == 'd')
            return describe();
        else if (option == 'v')
            return printf("moolahd %s\n", MOOLAH_VERSION) < 0;
        else {
            fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (config_path == NULL || optind != argc) {
        fputs(help, stderr);
        return 2;
    }
    return start(config_path, check, argv);
}
