/* moolahd: reads the configuration, starts the master, which starts the workers. Wiring only. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "config.h"
#include "net/tls.h"
#include "ops/supervisor.h"
#include "rule_keeper.h"
#include "scripting/bundle.h"
#include "version.h"
#include "worker.h"

#define DRAIN_S 10
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
    "Signals: HUP reloads certificate, rates and rules; USR2 starts a new binary on the same\n"
    "sockets and hands over; TERM and INT drain for at most 10 s, a second one ends at once.\n"
    "Exit codes: 0 ended as told, 1 could not start or something is wrong, 2 wrong usage.\n";

static void print_report(const struct bundle_report *report)
{
    struct bytes text;
    bytes_init(&text, NULL);
    bundle_report_write(report, &text);
    fwrite(text.at, 1, text.length, stderr);
    bytes_release(&text);
}

static bool check_certificate(const struct config *c, char *error, size_t size)
{
    const struct tls_settings settings = {c->certificate, c->key, c->client_ca, c->allow_tls12};
    struct tls_server *tls = tls_server_new(&settings, error, size);
    bool good = tls != NULL;
    tls_server_release(tls);
    return good;
}

static bool check_rules(const struct config *c)
{
    struct bundle_report report;
    struct bundle *bundle = bundle_load(c->rules, &report);
    if (bundle == NULL)
        print_report(&report);
    bundle_release(bundle);
    return bundle != NULL;
}

static int work(void *owner, int slot, const int *fds, struct supervisor_word *word)
{
    const struct startup *startup = owner;
    return worker_run(&startup->config, startup->config_path, slot, fds, word);
}

/* The master keeps what it read, too: a worker that it starts later starts with that. */
static bool may_reload(void *owner)
{
    struct startup *startup = owner;
    struct config fresh;
    struct bundle_report report = {0};
    if (!config_read(startup->config_path, &fresh, &report)) {
        for (size_t i = 0; i < report.count; i++)
            log_message(LOG_ERROR, "reload_refused", "%s:%d: %s", report.findings[i].file,
                        report.findings[i].line, report.findings[i].message);
        return false;
    }
    char error[512];
    bool good = check_certificate(&fresh, error, sizeof error);
    if (!good)
        log_message(LOG_ERROR, "reload_refused", "%s", error);
    good = good && config_take_reloadable(&startup->config, &fresh);
    config_release(&fresh);
    if (good)
        config_start_log(&startup->config, MASTER);
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

static int serve(struct startup *startup, char **argv)
{
    const struct config *c = &startup->config;
    const struct supervisor_settings settings = {
        .addresses = {c->listen_public, c->listen_operators},
        .listeners = 2,
        .workers = (int)c->workers,
        .drain_s = DRAIN_S,
        .argv = argv,
        .owner = startup,
        .work = work,
        .may_reload = may_reload,
        .ready = ready,
    };
    if (!metrics_start((int)c->workers + 1) || !rule_keeper_start(c->rules)) {
        fprintf(stderr, "moolahd: no shared memory for metrics and rules\n");
        return 1;
    }
    worker_register_metrics();
    supervisor_register_metrics();
    config_start_log(c, MASTER);
    return supervisor_run(&settings);
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
    struct bundle_report report = {0};
    char error[512];
    startup.config_path = config_path;
    if (!crypto_start() || !tls_start()) {
        fprintf(stderr, "moolahd: no source of random numbers\n");
        return 1;
    }
    if (!config_read(config_path, &startup.config, &report)) {
        print_report(&report);
        return 1;
    }
    bool certificate = check_certificate(&startup.config, error, sizeof error);
    if (!certificate)
        fprintf(stderr, "%s\n", error);
    bool rules = check_rules(&startup.config);
    if (!certificate || !rules)
        return 1;
    if (check) {
        printf("%s: configuration, certificate and rules are good\n", config_path);
        return 0;
    }
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
