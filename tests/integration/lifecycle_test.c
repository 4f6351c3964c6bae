/* A server's life as its operators see it: what HUP takes and refuses, upgrades that go wrong and
 * right, what systemd hears, a log that nobody reads, metrics that Prometheus can read, mistakes at
 * the start. Every server here is one of its own beside the stack's, on its databases.
 *
 * Covers: server/main.c server/worker.c server/rule_keeper.c server/store/probe.c
 *     server/ops/upgrade.c server/ops/supervisor.c */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/client.h"
#include "support/stack.h"

enum { PATIENCE_S = 40 };

static struct stack *stack;
static char token[96];
static int serial;
static int next_port;

/* One moolahd: its configuration is DATA/name.lua, its log DATA/name.log. */
struct server {
    char name[24];
    int port;
    pid_t pid;
    int err; /* its standard error, when it's to be read by us */
};

static int shell(const char *format, ...)
{
    char command[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return stack_shell(stack, command);
}

/* The stack's configuration with other ports and what `sed` makes of it. */
static void configure(const struct server *server, const char *sed)
{
    assert_int_equal(
        shell("sed 's/:%d\"/:%d\"/; s/:%d\"/:%d\"/; s/workers = [0-9]*/workers = 2, stripe_first = "
              "%d/; s|moolahd.log|%s.log|; s|pid_file = .*|pid_file = \"'\"$DATA\"'/%s.pid\",|; "
              "%s' \"$DATA/moolahd.lua\" >\"$DATA/%s.lua\"",
              stack->port, server->port, stack->port + 1, server->port + 1,
              100 + 16 * (server->port - stack->port), server->name, server->name, sed,
              server->name),
        0);
}

static void run(const struct server *server, const int ends[2], const int errors[2])
{
    char config[200];
    snprintf(config, sizeof config, "%s/%s.lua", stack->data, server->name);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    if (errors != NULL)
        dup2(errors[1], STDERR_FILENO);
    execl(MOOLAH_BINARY_DIR "/moolahd", MOOLAH_BINARY_DIR "/moolahd", "--config", config,
          (char *)NULL);
    _exit(127);
}

/* Start it and wait until it serves. `own_errors`: its standard error is a pipe of ours. */
static struct server start(const char *name, const char *sed, bool own_errors)
{
    struct server server = {.port = next_port, .err = -1};
    int ends[2];
    int errors[2];
    char line[200] = "";
    next_port += 10;
    snprintf(server.name, sizeof server.name, "%s", name);
    configure(&server, sed);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    server.pid = fork();
    if (server.pid == 0)
        run(&server, ends, own_errors ? errors : NULL);
    close(ends[1]);
    close(errors[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "moolahd ready"));
    if (own_errors)
        server.err = errors[0];
    else
        close(errors[0]);
    return server; /* ends[0] stays open: a successor says so there, too */
}

static int end(const struct server *server)
{
    int status;
    kill(server->pid, SIGTERM);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Until the log has `times` lines with `what`, an extended regular expression. */
static void await_log(const struct server *server, const char *what, int times)
{
    if (shell("for i in $(seq %d); do [ $(grep -cE '%s' \"$DATA/%s.log\") -ge %d ] && exit 0; "
              "sleep 0.1; done; grep -v '\"event\":\"request\"' \"$DATA/%s.log\" | tail -n 20; "
              "exit 1",
              PATIENCE_S * 10, what, server->name, times, server->name) != 0)
        fail_msg("the log never said %s", what);
}

static pid_t pid_in_file(const struct server *server)
{
    char path[200];
    long pid = 0;
    snprintf(path, sizeof path, "%s/%s.pid", stack->data, server->name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    fclose(file);
    return (pid_t)pid;
}

static pid_t worker_of(pid_t master)
{
    char command[80];
    long pid = 0;
    snprintf(command, sizeof command, "pgrep -P %d moolahd | head -n 1", (int)master);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    if (fscanf(list, "%ld", &pid) != 1)
        pid = 0;
    pclose(list);
    return (pid_t)pid;
}

/* A call on a connection of its own; *call has the answer. */
static int call_once(int port, struct client_call *call, const char *method, const char *path,
                     const char *bearer, const char *body)
{
    char key[40];
    struct client *client = client_open(port, stack->ca);
    if (client == NULL)
        return -1;
    snprintf(key, sizeof key, "lifecycle-%d-%d", (int)getpid(), ++serial);
    int status = client_do(client, call, method, path, bearer, key, body);
    client_close(client);
    return status;
}

static int fee_at(int port)
{
    char body[300];
    struct client_call call = {0};
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[0].wallet, stack->users[1].wallet);
    int status = call_once(port, &call, "POST", "/v1/transfers", token, body);
    const char *fee = status == 201 ? strstr(call.answer, "\"fee\":") : NULL;
    int result = fee == NULL ? -status : (int)strtol(fee + 6, NULL, 10);
    client_call_clear(&call);
    return result;
}

/* The limit that a call is told of: which configuration answers? While Redis is slow a worker
 * counts by itself and tells of none. */
static int burst_at(int port)
{
    int64_t began = clock_monotonic();
    int burst = -1;
    while (burst < 0) {
        struct client_call call = {0};
        assert_int_equal(call_once(port, &call, "GET", "/v1/me", token, NULL), 200);
        const char *policy = client_header(&call, "ratelimit-policy");
        const char *quota = policy == NULL ? NULL : strstr(policy, "q=");
        burst = quota == NULL ? -1 : (int)strtol(quota + 2, NULL, 10);
        client_call_clear(&call);
        assert_true(clock_monotonic() - began < PATIENCE_S * CLOCK_SECOND);
    }
    return burst;
}

/* The value of a series; -1 when there is none. */
static double metric_at(int port, const char *series)
{
    struct client_call call = {0};
    char line[200];
    assert_int_equal(call_once(port + 1, &call, "GET", "/metrics", stack->operator_token, NULL),
                     200);
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(call.answer, line);
    double value = at == NULL ? -1 : strtod(at + strlen(line), NULL);
    client_call_clear(&call);
    return value;
}

static void test_hup(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir \"$DATA/dear\" && cp '" MOOLAH_SOURCE_DIR
                           "'/rules/*.lua \"$DATA/dear\" && sed -i "
                           "'s/flat = ZAR \"2.50\"/flat = ZAR \"5.00\"/' "
                           "\"$DATA/dear/transfer.fee.lua\""),
                     0);
    struct server server = start("hup", "", false);
    assert_int_equal(burst_at(server.port), 100000);
    /* what can be taken, is; what can't, is named */
    configure(&server, "s/user_burst = 100000/user_burst = 777/; s|rules = .*|rules = "
                       "\"'\"$DATA\"'/dear\", pool = 3, password_threads = 2,|; "
                       "s/workers = [0-9]*/workers = 5/");
    kill(server.pid, SIGHUP);
    await_log(&server, "\"event\":\"reloaded\"", 2);
    await_log(&server, "settings_wait.*pool, workers, password_threads: changed, but a running", 1);
    for (int i = 0; i < 8; i++) { /* whichever worker it comes to */
        assert_int_equal(burst_at(server.port), 777);
        assert_int_equal(fee_at(server.port), 500);
    }
    /* a worker that is started later has it, too */
    kill(worker_of(server.pid), SIGKILL);
    await_log(&server, "worker_died", 1);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fee_at(server.port), 500);
    /* a bad configuration, certificate or rule: all of it is refused, with file and line */
    configure(&server, "s/user_burst = 100000/user_burts = 778/");
    kill(server.pid, SIGHUP);
    await_log(&server, "reload_refused.*hup.lua:[0-9]+:[0-9]+: .*user_burts .*did you mean", 1);
    configure(&server, "s/user_burst = 100000/user_burst = 778/; s|server.pem|nothing.pem|");
    kill(server.pid, SIGHUP);
    await_log(&server, "reload_refused.*nothing.pem", 1);
    assert_int_equal(shell("sed -i 's/minimum = /minimun = /' \"$DATA/dear/transfer.fee.lua\""), 0);
    configure(&server, "s/user_burst = 100000/user_burst = 778/; s|rules = .*|rules = "
                       "\"'\"$DATA\"'/dear\",|");
    kill(server.pid, SIGHUP);
    await_log(&server, "reload_refused.*transfer.fee.lua:[0-9]+:[0-9]+: .*minimun", 1);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(burst_at(server.port), 777);
        assert_int_equal(fee_at(server.port), 500);
    }
    assert_true(metric_at(server.port, "moolah_reloads_total{result=\"accepted\"}") == 1);
    assert_true(metric_at(server.port, "moolah_reloads_total{result=\"refused\"}") == 3);
    assert_int_equal(end(&server), 0);
}

/* The server's new master, when the old one has gone. */
static void follow(struct server *server)
{
    int status;
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    pid_t next = pid_in_file(server);
    assert_true(next > 0 && next != server->pid);
    server->pid = next;
}

static void end_orphan(const struct server *server)
{
    kill(server->pid, SIGTERM);
    assert_int_equal(shell("for i in $(seq %d); do kill -0 %d 2>/dev/null || exit 0; sleep 0.1; "
                           "done; exit 1",
                           PATIENCE_S * 10, (int)server->pid),
                     0);
}

static void test_upgrades(void **state)
{
    (void)state;
    struct server server = start("upgrade", "", false);
    pid_t first = server.pid;
    /* a configuration that is broken: the old goes on, and says why */
    configure(&server, "s/user_burst = 100000/user_burts = 5/");
    kill(server.pid, SIGUSR2);
    await_log(&server, "upgrade_failed.*ended with code 1.*upgrade.lua:[0-9]+:[0-9]+: .*user_burts",
              1);
    assert_int_equal(pid_in_file(&server), first);
    assert_int_equal(burst_at(server.port), 100000);
    assert_true(metric_at(server.port, "moolah_upgrades_failed_total") == 1);
    /* everything can be another: limits, workers, the public address */
    struct server moved = server;
    moved.port += 5;
    configure(&server, "s/user_burst = 100000/user_burst = 555/; s/workers = 2/workers = 3/");
    assert_int_equal(
        shell("sed -i 's/:%d\"/:%d\"/' \"$DATA/upgrade.lua\"", server.port, moved.port), 0);
    kill(server.pid, SIGUSR2);
    follow(&server);
    moved.pid = server.pid;
    assert_int_equal(burst_at(moved.port), 555);
    assert_int_equal(shell("[ $(pgrep -c -P %d) = 3 ]", (int)moved.pid), 0);
    assert_null(client_open(server.port, stack->ca)); /* nobody is left there */
    assert_true(metric_at(server.port, "moolah_build_info{version=\"") == -1);
    /* fewer workers than sockets: none is lost */
    assert_int_equal(shell("sed -i 's/workers = 3/workers = 1/' \"$DATA/upgrade.lua\""), 0);
    kill(moved.pid, SIGUSR2);
    assert_int_equal(shell("for i in $(seq %d); do kill -0 %d 2>/dev/null || exit 0; sleep 0.1; "
                           "done; exit 1",
                           PATIENCE_S * 10, (int)moved.pid),
                     0);
    moved.pid = pid_in_file(&server);
    for (int i = 0; i < 24; i++) /* the kernel deals them out to all three sockets */
        assert_int_equal(burst_at(moved.port), 555);
    assert_int_equal(shell("[ $(pgrep -c -P %d) = 1 ]", (int)moved.pid), 0);
    end_orphan(&moved);
}

static const char *heard(int fd)
{
    static char text[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    do {
        assert_int_equal(poll(&wait, 1, PATIENCE_S * 1000), 1);
        ssize_t got = recv(fd, text, sizeof text - 1, 0);
        assert_true(got > 0);
        text[got] = '\0';
    } while (strcmp(text, "WATCHDOG=1") == 0);
    return text;
}

static void await_watchdog(int fd)
{
    char text[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_S * 1000), 1);
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    assert_int_equal(got, 10);
    assert_memory_equal(text, "WATCHDOG=1", 10);
}

static void test_systemd(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    char mainpid[64];
    (void)state;
    int length = snprintf(name, sizeof name, "@moolah-lifecycle-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "6000000", 1);
    struct server server = start("systemd", "", false);
    assert_string_equal(heard(fd), "READY=1");
    await_watchdog(fd);
    kill(server.pid, SIGHUP);
    assert_memory_equal(heard(fd), "RELOADING=1\nMONOTONIC_USEC=", 27);
    assert_string_equal(heard(fd), "READY=1");
    await_log(&server, "\"event\":\"reloaded\"", 2);
    /* a worker that stands still is replaced before systemd's patience ends */
    pid_t worker = worker_of(server.pid);
    kill(worker, SIGSTOP);
    await_log(&server, "worker_hangs.*slot [01] has stood still for 2[0-9][0-9][0-9] ms", 1);
    await_watchdog(fd);
    assert_true(kill(worker, 0) != 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(burst_at(server.port), 100000);
    /* the main process is another after an upgrade, and the service never stopped */
    kill(server.pid, SIGUSR2);
    assert_string_equal(heard(fd), "READY=1"); /* the new one's */
    pid_t next = pid_in_file(&server);
    snprintf(mainpid, sizeof mainpid, "MAINPID=%d\nREADY=1", (int)next);
    assert_string_equal(heard(fd), mainpid);
    follow(&server);
    await_watchdog(fd);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    kill(server.pid, SIGTERM);
    assert_string_equal(heard(fd), "STOPPING=1");
    end_orphan(&server);
    close(fd);
}

/* Calls in flight until a number of them is answered; all must be. */
static void hammer(int port, int calls)
{
    enum { STREAMS = 50 };
    static struct client_call call[STREAMS];
    struct client *client = client_open(port, stack->ca);
    assert_non_null(client);
    for (int sent = 0; sent < calls; sent += STREAMS) {
        for (int i = 0; i < STREAMS; i++) {
            call[i] = (struct client_call){.method = "GET", .path = "/livez"};
            assert_true(client_begin(client, &call[i]));
        }
        for (int i = 0; i < STREAMS; i++) {
            while (!call[i].done && !call[i].lost)
                client_turn(&client, 1, 1000);
            assert_true(call[i].done);
            assert_int_equal(call[i].status, 200);
            client_call_clear(&call[i]);
        }
    }
    client_close(client);
}

static bool says_dropped(int fd)
{
    static char text[1 << 20];
    size_t length = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (length < sizeof text - 1 && poll(&wait, 1, 2000) == 1) {
        ssize_t got = read(fd, text + length, sizeof text - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        if (strstr(text, "\"event\":\"log_lines_dropped\"") != NULL)
            return true;
    }
    return false;
}

static void test_a_log_that_nobody_reads(void **state)
{
    (void)state;
    struct server server = start("silent", "s|log = .*|log = { file = \"-\" },|", true);
    double dropped = 0;
    for (int round = 0; round < 40 && dropped <= 0; round++) {
        hammer(server.port + 1, 1000); /* 300 bytes a line: 64 KiB of pipe and 256 of buffer */
        dropped = metric_at(server.port, "moolah_log_lines_dropped_total");
    }
    assert_true(dropped > 0);
    assert_true(fee_at(server.port) > 0);  /* money moves */
    assert_true(says_dropped(server.err)); /* as soon as somebody reads it's confessed */
    int status;
    kill(server.pid, SIGTERM);
    close(server.err); /* and now the reader is gone */
    assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- Prometheus' text format 0.0.4, read strictly */

struct family {
    char name[80];
    char kind[16];
};

static struct family families[200];
static size_t family_count;
static char series_seen[4000][200];
static size_t series_count;

/* The histogram that is being read. */
static struct {
    char labels[200];
    double bound;
    double count;
    bool ended;
} histogram;

static struct family *newest(void)
{
    return &families[family_count - 1];
}

static void read_comment(const char *line)
{
    char word[8];
    char name[80];
    char rest[200];
    assert_int_equal(sscanf(line, "# %7s %79s %199[^\n]", word, name, rest), 3);
    if (strcmp(word, "HELP") == 0) {
        for (size_t i = 0; i < family_count; i++)
            assert_string_not_equal(families[i].name, name);
        snprintf(families[family_count++].name, sizeof families[0].name, "%s", name);
        assert_true(family_count < 200);
    } else {
        assert_string_equal(word, "TYPE");
        assert_string_equal(newest()->name, name); /* right behind its HELP */
        assert_string_equal(newest()->kind, "");
        snprintf(newest()->kind, sizeof newest()->kind, "%.15s", rest);
        size_t length = strlen(name);
        bool total = length > 6 && strcmp(name + length - 6, "_total") == 0;
        assert_int_equal(total, strcmp(rest, "counter") == 0);
    }
}

/* name="value",...: the text without the label `le`, whose value goes to *bound. */
static void read_labels(const char *labels, char without[200], double *bound)
{
    char name[40];
    char value[120];
    int used;
    without[0] = '\0';
    while (*labels != '\0') {
        used = 0;
        assert_int_equal(sscanf(labels, "%39[a-z_]=\"%119[^\"\\\n]\"%n", name, value, &used), 2);
        assert_true(used > 0);
        if (strcmp(name, "le") == 0)
            *bound = strcmp(value, "+Inf") == 0 ? (double)INFINITY : strtod(value, NULL);
        else
            snprintf(without + strlen(without), 200 - strlen(without), "%.*s,", used, labels);
        labels += used;
        if (*labels == ',')
            labels++;
    }
}

static void read_bucket(const char *labels, double bound, double value)
{
    if (histogram.ended || strcmp(histogram.labels, labels) != 0) {
        snprintf(histogram.labels, sizeof histogram.labels, "%s", labels);
        histogram.bound = -1;
        histogram.count = 0;
        histogram.ended = false;
    }
    assert_true(bound > histogram.bound); /* ascending, cumulative */
    assert_true(value >= histogram.count);
    histogram.bound = bound;
    histogram.count = value;
}

static void read_histogram(const char *suffix, const char *labels, double bound, double value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        read_bucket(labels, bound, value);
    } else if (strcmp(suffix, "_count") == 0) {
        assert_true(histogram.bound == (double)INFINITY);
        assert_string_equal(histogram.labels, labels);
        assert_true(value == histogram.count);
        histogram.ended = true;
    } else {
        assert_string_equal(suffix, "_sum");
    }
}

static void read_sample(const char *line)
{
    char name[100];
    char labels[400] = "";
    char without[200];
    double bound = -1;
    char *end_of_number;
    size_t length = strcspn(line, "{ ");
    assert_true(length > 0 && length < sizeof name);
    assert_int_equal(strspn(line, "abcdefghijklmnopqrstuvwxyz_"), length);
    snprintf(name, sizeof name, "%.*s", (int)length, line);
    const char *number = strrchr(line, ' ') + 1;
    for (size_t i = 0; i < series_count; i++) /* each series once */
        if (strncmp(series_seen[i], line, (size_t)(number - line)) == 0 &&
            series_seen[i][number - line] == '\0')
            fail_msg("twice: %s", line);
    snprintf(series_seen[series_count++], sizeof series_seen[0], "%.*s", (int)(number - line),
             line);
    assert_true(series_count < 4000);
    double value = strtod(number, &end_of_number);
    assert_true(end_of_number != number && *end_of_number == '\0');
    if (line[length] == '{') {
        assert_int_equal(number[-2], '}');
        snprintf(labels, sizeof labels, "%.*s", (int)(number - line - (long)length - 3),
                 line + length + 1);
    }
    read_labels(labels, without, &bound);
    size_t family = strlen(newest()->name);
    assert_memory_equal(name, newest()->name, family); /* below its own heading */
    if (strcmp(newest()->kind, "histogram") == 0) {
        read_histogram(name + family, without, bound, value);
    } else {
        assert_string_equal(name, newest()->name);
        assert_true(bound == -1);
        if (strcmp(newest()->kind, "counter") == 0)
            assert_true(value >= 0);
    }
}

static bool has_family(const char *name)
{
    for (size_t i = 0; i < family_count; i++)
        if (strcmp(families[i].name, name) == 0)
            return true;
    return false;
}

static void test_metrics(void **state)
{
    static const char *const wanted[] = {
        "moolah_http_requests_total",
        "moolah_http_request_duration_seconds",
        "moolah_posting_batch_orders",
        "moolah_posting_phase_seconds",
        "moolah_posting_wait_seconds",
        "moolah_posting_queue_orders",
        "moolah_posting_orders_total",
        "moolah_posting_lanes_ready",
        "moolah_postgres_connections_ready",
        "moolah_postgres_connections_lost_total",
        "moolah_postgres_errors_total",
        "moolah_postgres_question_seconds",
        "moolah_redis_breakers_closed",
        "moolah_redis_errors_total",
        "moolah_redis_timeouts_total",
        "moolah_redis_question_seconds",
        "moolah_rule_loads_total",
        "moolah_reloads_total",
        "moolah_upgrades_failed_total",
        "moolah_worker_restarts_total",
        "moolah_log_lines_dropped_total",
        "moolah_connections_open",
        "moolah_build_info",
        "process_start_time_seconds",
    };
    struct client_call call = {0};
    (void)state;
    assert_true(fee_at(stack->port) > 0);
    assert_int_equal(
        call_once(stack->port + 1, &call, "GET", "/metrics", stack->operator_token, NULL), 200);
    assert_non_null(strstr(client_header(&call, "content-type"), "text/plain"));
    assert_non_null(strstr(client_header(&call, "content-type"), "version=0.0.4"));
    assert_int_equal(call.answer[call.answer_length - 1], '\n');
    char *rest;
    for (char *line = strtok_r(call.answer, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        if (line[0] == '#')
            read_comment(line);
        else
            read_sample(line);
    client_call_clear(&call);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!has_family(wanted[i]))
            fail_msg("no %s", wanted[i]);
    assert_true(metric_at(stack->port, "moolah_posting_lanes_ready") == 4);
    assert_true(metric_at(stack->port, "moolah_redis_breakers_closed") == 2);
    double started = metric_at(stack->port, "process_start_time_seconds");
    double now = (double)clock_now() / CLOCK_SECOND;
    assert_true(started > now - 600 && started <= now);
}

/* Something in flight that can't end, because its account is locked: cut at the deadline. */
static void test_draining_has_a_deadline(void **state)
{
    struct server server = start("drain",
                                 "s|rules = |limits = { request_s = 60 }, posting = { "
                                 "deadline_ms = 60000 }, rules = |",
                                 false);
    struct client_call call = {
        .method = "POST", .path = "/v1/transfers", .token = token, .key = "lifecycle-locked"};
    char body[300];
    (void)state;
    assert_true(fee_at(server.port) > 0);
    assert_int_equal(
        shell("(psql -qX \"$MOOLAH_DATABASE\" -c 'begin' -c 'select from accounts for update' -c "
              "\"\\\\! touch $DATA/locked\" -c 'select pg_sleep(14)' >/dev/null 2>&1 &); "
              "for i in $(seq 100); do [ -e \"$DATA/locked\" ] && exit 0; sleep 0.1; done; exit 1"),
        0);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[2].wallet, stack->users[3].wallet);
    call.body = body;
    struct client *client = client_open(server.port, stack->ca);
    assert_non_null(client);
    assert_true(client_begin(client, &call));
    for (int i = 0; i < 20; i++)
        client_turn(&client, 1, 10);
    int64_t began = clock_monotonic();
    assert_int_equal(end(&server), 0);
    int64_t took = clock_monotonic() - began;
    assert_true(took >= 9 * CLOCK_SECOND && took < PATIENCE_S * CLOCK_SECOND);
    while (!call.done && !call.lost)
        client_turn(&client, 1, 1000);
    assert_true(call.lost);
    client_close(client);
}

/* In a container moolahd is process 1, and so its workers' parent. */
static void test_as_process_1(void **state)
{
    (void)state;
    if (shell("unshare --pid --fork --kill-child true 2>/dev/null") != 0)
        skip();
    struct server server = {.name = "first", .port = next_port};
    next_port += 10;
    configure(&server, "");
    assert_int_equal(
        shell(
            "unshare --pid --fork --kill-child '" MOOLAH_BINARY_DIR "/moolahd' --config "
            "\"$DATA/first.lua\" >\"$DATA/first.out\" 2>&1 & up=$!; r=1; "
            "for i in $(seq 300); do grep -q 'moolahd ready' \"$DATA/first.out\" && r=0 && break; "
            "sleep 0.1; done; "
            "curl -q -s --http2 --cacert \"$CA\" https://localhost:%d/livez >\"$DATA/alive\" || "
            "r=2; "
            "kill -TERM $(pgrep -P $up) || r=3; wait $up || r=4; cat \"$DATA/first.out\"; exit $r",
            server.port + 1),
        0);
}

/* moolahd's exit code with these words; what it said is in DATA/said. */
static int moolahd(const char *words)
{
    return shell("'" MOOLAH_BINARY_DIR "/moolahd' %s >\"$DATA/said\" 2>&1", words);
}

static void assert_said(const char *pattern)
{
    if (shell("grep -qE '%s' \"$DATA/said\"", pattern) != 0) {
        shell("cat \"$DATA/said\"");
        fail_msg("it didn't say %s", pattern);
    }
}

static void test_starting_wrong(void **state)
{
    struct server server = {.name = "wrong", .port = next_port};
    (void)state;
    assert_int_equal(moolahd(""), 2);
    assert_int_equal(moolahd("--config"), 2);
    assert_int_equal(moolahd("--config x y"), 2);
    assert_int_equal(moolahd("--colour"), 2);
    assert_int_equal(moolahd("--help"), 0);
    assert_int_equal(moolahd("--version"), 0);
    assert_int_equal(moolahd("--config /nowhere.lua"), 1);
    assert_said("^moolahd: /nowhere.lua: cannot be read: No such file or directory; moolahd "
                "--describe-config writes one$");
    configure(&server, "");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\" --check"), 0);
    assert_said("configuration, certificate and rules are good");
    assert_int_equal(shell("! grep -q warning \"$DATA/said\""), 0);
    /* nobody answers: said, but it's no fault of the configuration */
    configure(&server, "s|redis.sock|redis.nowhere|; s|dbname=moolah|dbname=nowhere|");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\" --check"), 0);
    assert_said("warning: PostgreSQL .*database \"nowhere\" does not exist");
    assert_said("warning: Redis doesn.t answer: No such file");
    configure(&server, "s|port=5432|prt=5432|; s|unix:|unux:|");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\" --check"), 1);
    assert_said("wrong.lua:[0-9]+:[0-9]+: database is no libpq connection string: invalid");
    assert_said("wrong.lua:[0-9]+:[0-9]+: redis must be like");
    /* certificates: missing, readable by all, by nobody */
    configure(&server, "s|server.pem|nothing.pem|");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\""), 1);
    assert_said("nothing.pem");
    assert_int_equal(shell("cp \"$DATA/tls/server-key.pem\" \"$DATA/tls/open.pem\" && chmod 644 "
                           "\"$DATA/tls/open.pem\""),
                     0);
    configure(&server, "s|server-key.pem|open.pem|");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\""), 1);
    assert_said("open.pem.*chmod");
    /* a port that is taken, workers that are too many, a log that can't be written */
    server.port = stack->port;
    configure(&server, "");
    assert_int_equal(moolahd("--config \"$DATA/wrong.lua\""), 1);
    assert_said(
        "cannot listen on 127.0.0.1 port [0-9]+: Address already in use: another program has");
    if (getuid() == 0) {
        assert_int_equal(
            shell("chmod 711 \"$DATA\"; install -m 600 \"$DATA/wrong.lua\" /tmp/moolah-mine.lua; "
                  "setpriv --reuid 65534 --regid 65534 --clear-groups '" MOOLAH_BINARY_DIR
                  "/moolahd' --config /tmp/moolah-mine.lua >\"$DATA/said\" 2>&1; r=$?; "
                  "rm /tmp/moolah-mine.lua; exit $r"),
            1);
        assert_said("moolah-mine.lua: cannot be read: Permission denied");
    }
}

static int set_up(void **state)
{
    char body[200];
    struct client_call call = {0};
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    next_port = stack->port + 10;
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", stack->users[0].phone,
             stack->users[0].password);
    if (call_once(stack->port, &call, "POST", "/v1/sessions", NULL, body) != 201)
        return -1;
    const char *at = strstr(call.answer, "\"token\":\"");
    snprintf(token, sizeof token, "%.68s", at == NULL ? "" : at + 9);
    client_call_clear(&call);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),      cmocka_unit_test(test_starting_wrong),
        cmocka_unit_test(test_hup),          cmocka_unit_test(test_upgrades),
        cmocka_unit_test(test_systemd),      cmocka_unit_test(test_a_log_that_nobody_reads),
        cmocka_unit_test(test_as_process_1), cmocka_unit_test(test_draining_has_a_deadline),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
