/* The master with workers that do nothing but answer: who is served when one dies, stands still,
 * is reloaded, drained, replaced.
 *
 * Covers: server/ops/supervisor.c server/ops/listen.c server/ops/upgrade.c */
#include "ops/supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/listen.h"

enum { WORKERS = 2, LISTENERS = 2, PATIENCE_S = 30 };

/* What the test tells the workers and hears of them. */
struct board {
    pid_t pids[WORKERS];
    bool quiet;    /* stand still, in a way */
    bool stubborn; /* pay no heed to TERM */
    bool slow;     /* before somebody can take a signal */
    bool may_reload;
    int hups[WORKERS];
    int ready;
};

static struct board *board;
static struct supervisor_settings settings;
static pid_t master;
static int notified = -1; /* what systemd would hear */

static volatile sig_atomic_t got_term;
static volatile sig_atomic_t got_hup;

static void on_signal(int number)
{
    if (number == SIGTERM)
        got_term = 1;
    else
        got_hup = 1;
}

/* One connection on each socket, told who serves it. */
static void serve_one(const struct supervisor_seat *seat)
{
    for (int i = 0; i < seat->count; i++) {
        char answer[32];
        int fd = accept4(seat->sockets[i].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        int length =
            snprintf(answer, sizeof answer, "%d %d\n", (int)getpid(), seat->sockets[i].listener);
        ssize_t written = write(fd, answer, (size_t)length);
        (void)written;
        close(fd);
    }
}

static int work(void *owner, const struct supervisor_seat *seat)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ours;
    (void)owner;
    while (board->slow)
        poll(NULL, 0, 5);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &ours, NULL);
    __atomic_store_n(&board->pids[seat->slot], getpid(), __ATOMIC_RELEASE);
    __atomic_store_n(&seat->word->ready, true, __ATOMIC_RELEASE);
    while (!got_term || board->stubborn) {
        if (!board->quiet)
            __atomic_store_n(&seat->word->heartbeat, clock_monotonic(), __ATOMIC_RELAXED);
        if (got_hup) {
            got_hup = 0;
            __atomic_add_fetch(&board->hups[seat->slot], 1, __ATOMIC_RELEASE);
            __atomic_add_fetch(&seat->word->reloads, 1, __ATOMIC_RELEASE);
        }
        if (!got_term)
            serve_one(seat);
        poll(NULL, 0, 5);
    }
    return 0;
}

static bool may_reload(void *owner)
{
    (void)owner;
    return board->may_reload;
}

static void ready(void *owner)
{
    (void)owner;
    __atomic_add_fetch(&board->ready, 1, __ATOMIC_RELEASE);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static struct inet loopback(uint16_t port)
{
    return (struct inet){.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = port};
}

static void await(bool (*holds)(void))
{
    int64_t began = clock_monotonic();
    while (!holds()) {
        assert_true(clock_monotonic() - began < PATIENCE_S * CLOCK_SECOND);
        poll(NULL, 0, 2);
    }
}

static bool is_ready(void)
{
    return __atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) > 0;
}

static void start(void)
{
    master = fork();
    assert_true(master >= 0);
    if (master != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(notified); /* the test's end, not the one that is sent to */
    metrics_start(settings.workers + 1);
    supervisor_register_metrics();
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_start(nowhere, LOG_ERROR, -1);
    _exit(supervisor_run(&settings));
}

/* How the master ended. */
static int end(void)
{
    int status;
    assert_int_equal(waitpid(master, &status, 0), master);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int connect_to(int listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(settings.addresses[listener].port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Who serves this connection; 0: it was cut. */
static pid_t server_of(int fd, int listener)
{
    char answer[32] = "";
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_S * 1000), 1);
    ssize_t got = read(fd, answer, sizeof answer - 1);
    close(fd);
    if (got <= 0)
        return 0;
    char *rest;
    pid_t pid = (pid_t)strtol(answer, &rest, 10);
    assert_int_equal(strtol(rest, NULL, 10), listener);
    return pid;
}

static void test_serves_and_drains(void **state)
{
    (void)state;
    start();
    await(is_ready);
    for (int i = 0; i < 20; i++) {
        pid_t pid = server_of(connect_to(i % 2), i % 2);
        assert_true(pid == board->pids[0] || pid == board->pids[1]);
    }
    kill(master, SIGTERM);
    assert_int_equal(end(), 0);
    assert_int_equal(board->ready, 1);
}

/* A port that is taken: one clear line (on standard error), exit code 1. */
static void test_a_taken_port(void **state)
{
    int ends[2];
    char said[300] = "";
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(settings.addresses[1].port)};
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    setsockopt(taken, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    start();
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    assert_int_equal(end(), 1);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    assert_non_null(strstr(said, "another program has this port"));
    close(ends[0]);
    close(taken);
}

static bool both_are_new(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (__atomic_load_n(&board->pids[i], __ATOMIC_ACQUIRE) == 0)
            return false;
    return true;
}

/* What waits in a dead worker's queue is its successor's. */
static void test_a_dead_workers_queue_is_kept(void **state)
{
    enum { CONNECTIONS = 40 };
    int fds[CONNECTIONS];
    pid_t old[WORKERS];
    (void)state;
    start();
    await(is_ready);
    for (int i = 0; i < WORKERS; i++) {
        old[i] = board->pids[i];
        kill(old[i], SIGSTOP);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = connect_to(i % 2); /* the kernel says yes, nobody accepts */
    memset(board->pids, 0, sizeof board->pids);
    for (int i = 0; i < WORKERS; i++)
        kill(old[i], SIGKILL);
    await(both_are_new);
    for (int i = 0; i < CONNECTIONS; i++) {
        pid_t pid = server_of(fds[i], i % 2);
        assert_true(pid == board->pids[0] || pid == board->pids[1]);
        assert_true(pid != old[0] && pid != old[1]);
    }
    kill(master, SIGTERM);
    assert_int_equal(end(), 0);
}

static bool both_had_hup(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (__atomic_load_n(&board->hups[i], __ATOMIC_ACQUIRE) == 0)
            return false;
    return true;
}

/* A signal that comes before a worker can take it waits for it; it doesn't kill it. */
static void test_signals_wait_for_a_slow_worker(void **state)
{
    (void)state;
    board->slow = true;
    start();
    /* HUP may come to the master before the workers are there at all: it starts them first */
    poll(NULL, 0, 50);
    kill(master, SIGHUP);
    poll(NULL, 0, 50);
    assert_int_equal(board->ready, 0);
    board->slow = false;
    await(is_ready);
    await(both_had_hup);
    kill(master, SIGTERM);
    assert_int_equal(end(), 0);
}

static void test_draining_has_a_deadline(void **state)
{
    (void)state;
    board->stubborn = true;
    settings.drain_s = 1;
    start();
    await(is_ready);
    int64_t began = clock_monotonic();
    kill(master, SIGTERM);
    assert_int_equal(end(), 0);
    assert_true(clock_monotonic() - began >= CLOCK_SECOND);
}

static void test_a_second_term_ends_at_once(void **state)
{
    (void)state;
    board->stubborn = true;
    settings.drain_s = 600;
    start();
    await(is_ready);
    kill(master, SIGTERM);
    poll(NULL, 0, 60); /* two at once are one */
    kill(master, SIGINT);
    assert_int_equal(end(), 0);
}

static const char *heard(void)
{
    static char text[256];
    struct pollfd wait = {.fd = notified, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_S * 1000), 1);
    ssize_t got = recv(notified, text, sizeof text - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
    return text;
}

static void hear_systemd(const char *watchdog_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int length = snprintf(name, sizeof name, "@moolah-supervisor-%d", (int)getpid());
    notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    assert_int_equal(bind(notified, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    if (watchdog_us != NULL)
        setenv("WATCHDOG_USEC", watchdog_us, 1);
}

static void test_systemd_hears_of_it(void **state)
{
    (void)state;
    hear_systemd(NULL);
    board->may_reload = true;
    start();
    assert_string_equal(heard(), "READY=1");
    kill(master, SIGHUP);
    assert_memory_equal(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27);
    assert_string_equal(heard(), "READY=1"); /* and by then every worker has dealt with it */
    assert_int_equal(board->hups[0], 1);
    assert_int_equal(board->hups[1], 1);
    board->may_reload = false;
    kill(master, SIGHUP);
    assert_memory_equal(heard(), "RELOADING=1\n", 12);
    assert_string_equal(heard(), "READY=1");
    assert_int_equal(board->hups[0], 1); /* the old goes on */
    kill(master, SIGTERM);
    assert_string_equal(heard(), "STOPPING=1");
    assert_int_equal(end(), 0);
}

/* The watchdog hears nothing while a worker is late; one that stands still is replaced. */
static void test_a_worker_that_hangs(void **state)
{
    int64_t gap = 0;
    (void)state;
    hear_systemd("200000");
    settings.hang_us = 5 * CLOCK_SECOND / 2;
    start();
    assert_string_equal(heard(), "READY=1");
    for (int i = 0; i < 3; i++)
        assert_string_equal(heard(), "WATCHDOG=1");
    pid_t old = board->pids[0];
    board->quiet = true;
    board->pids[0] = board->pids[1] = 0;
    int64_t last = clock_monotonic();
    while (!both_are_new()) {
        struct pollfd wait = {.fd = notified, .events = POLLIN};
        int64_t now = clock_monotonic();
        if (poll(&wait, 1, 10) == 1) {
            assert_string_equal(heard(), "WATCHDOG=1");
            last = now;
        }
        gap = now - last > gap ? now - last : gap;
        assert_true(now - last < PATIENCE_S * CLOCK_SECOND);
    }
    assert_true(gap >= CLOCK_SECOND); /* 2.5 s still, late after a fifth of it */
    board->quiet = false;
    assert_true(board->pids[0] != old);
    assert_string_equal(heard(), "WATCHDOG=1");
    kill(master, SIGTERM);
    while (strcmp(heard(), "STOPPING=1") != 0)
        continue;
    assert_int_equal(end(), 0);
}

/* A new binary that doesn't even start: the old one serves on. */
static void test_an_upgrade_to_nothing(void **state)
{
    static char nowhere[] = "/nowhere/moolahd";
    static char *argv[] = {nowhere, NULL};
    (void)state;
    settings.argv = argv;
    start();
    await(is_ready);
    for (int i = 0; i < 3; i++) {
        kill(master, SIGUSR2);
        poll(NULL, 0, 100);
        pid_t pid = server_of(connect_to(0), 0);
        assert_true(pid == board->pids[0] || pid == board->pids[1]);
    }
    kill(master, SIGTERM);
    assert_int_equal(end(), 0);
}

/* Sockets that are handed over: kept by address, completed, shared out, closed when nobody wants
 * them. */
static void test_sockets_are_handed_over(void **state)
{
    static struct listen_set first;
    static struct listen_set second;
    struct listen_socket dealt[LISTEN_MAX];
    char text[200];
    (void)state;
    assert_true(listen_open(&first, settings.addresses, 2, 2));
    assert_int_equal(first.count, 4);
    assert_true(listen_export(&first, text, sizeof text));
    char *value = strchr(text, '=');
    *value++ = '\0';
    /* the same, one worker more; nonsense beside them is passed over */
    char more[250];
    snprintf(more, sizeof more, "%s,2,99999,x", value);
    setenv(text, more, 1);
    assert_true(listen_open(&second, settings.addresses, 2, 3));
    assert_null(getenv(text));
    assert_int_equal(second.count, 6);
    for (int i = 0; i < 4; i++)
        assert_int_equal(second.sockets[i].fd, first.sockets[i].fd);
    for (int slot = 0; slot < 3; slot++)
        assert_int_equal(listen_of_slot(&second, slot, 3, dealt), 2);
    /* fewer workers: nothing is closed, everybody has something of each listener */
    assert_true(listen_export(&second, text, sizeof text));
    value = strchr(text, '=');
    *value++ = '\0';
    setenv(text, value, 1);
    assert_true(listen_open(&first, settings.addresses, 2, 2));
    assert_int_equal(first.count, 6);
    assert_int_equal(listen_of_slot(&first, 0, 2, dealt), 4);
    assert_int_equal(listen_of_slot(&first, 1, 2, dealt), 2);
    assert_int_not_equal(dealt[0].listener, dealt[1].listener);
    /* another address: its sockets are new, those of the old one are closed */
    assert_true(listen_export(&first, text, sizeof text));
    value = strchr(text, '=');
    *value++ = '\0';
    setenv(text, value, 1);
    const struct inet moved[2] = {settings.addresses[0], loopback(free_port())};
    assert_true(listen_open(&second, moved, 2, 2));
    assert_int_equal(second.count, 3 + 2);
    int closed = 0;
    for (int i = 0; i < 6; i++)
        closed += first.sockets[i].listener == 1 && fcntl(first.sockets[i].fd, F_GETFD) < 0;
    assert_true(closed >= 1); /* a number may be in use again */
    /* the old port is free now */
    assert_true(listen_open(&first, settings.addresses + 1, 1, 1));
    listen_close(&first);
    listen_close(&second);
    assert_false(listen_open(&first, settings.addresses, 2, LISTEN_MAX));
    assert_non_null(strstr(first.error, "too many workers"));
}

static int before(void **state)
{
    static char self[] = "/proc/self/exe";
    static char *argv[] = {self, NULL};
    (void)state;
    memset(board, 0, sizeof *board);
    board->may_reload = true;
    settings = (struct supervisor_settings){
        .addresses = {loopback(free_port()), loopback(free_port())},
        .listeners = LISTENERS,
        .workers = WORKERS,
        .drain_s = 600,
        .hang_us = 600 * CLOCK_SECOND,
        .argv = argv,
        .work = work,
        .may_reload = may_reload,
        .ready = ready,
    };
    return 0;
}

static int after(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(notified);
    notified = -1;
    return 0;
}

int main(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGPIPE, SIG_IGN);
    unsetenv("WATCHDOG_PID");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_serves_and_drains, before, after),
        cmocka_unit_test_setup_teardown(test_a_taken_port, before, after),
        cmocka_unit_test_setup_teardown(test_a_dead_workers_queue_is_kept, before, after),
        cmocka_unit_test_setup_teardown(test_signals_wait_for_a_slow_worker, before, after),
        cmocka_unit_test_setup_teardown(test_draining_has_a_deadline, before, after),
        cmocka_unit_test_setup_teardown(test_a_second_term_ends_at_once, before, after),
        cmocka_unit_test_setup_teardown(test_systemd_hears_of_it, before, after),
        cmocka_unit_test_setup_teardown(test_a_worker_that_hangs, before, after),
        cmocka_unit_test_setup_teardown(test_an_upgrade_to_nothing, before, after),
        cmocka_unit_test_setup_teardown(test_sockets_are_handed_over, before, after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
