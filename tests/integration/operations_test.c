/* Running it: rules that change while it serves, workers that die, reload, upgrade, drain, ending
 * and starting again.
 *
 * Covers: server/worker.c server/rule_keeper.c server/main.c server/config.c server/store/upkeep.c
 *     server/ops/supervisor.c server/ops/listen.c server/ops/notify.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/client.h"
#include "support/stack.h"

static struct stack *stack;
static char rules[] = "/tmp/moolah-rules-XXXXXX";
static char token[96];
static int serial;

static void take_token(const struct client_call *call)
{
    const char *at = strstr(call->answer, "\"token\":\"");
    assert_non_null(at);
    snprintf(token, sizeof token, "%.68s", at + 9);
}

static void sign_in(int port)
{
    char body[200];
    struct client_call call = {0};
    struct client *client = client_open(port, stack->ca);
    assert_non_null(client);
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", stack->users[0].phone,
             stack->users[0].password);
    assert_int_equal(client_do(client, &call, "POST", "/v1/sessions", NULL, NULL, body), 201);
    take_token(&call);
    client_call_clear(&call);
    client_close(client);
}

/* One transfer on a connection of its own: its fee, or minus the status. */
static int fee_of_transfer(int port)
{
    char body[300];
    char key[40];
    struct client_call call = {0};
    struct client *client = client_open(port, stack->ca);
    if (client == NULL)
        return -1;
    snprintf(key, sizeof key, "operations-%d-%d", (int)getpid(), ++serial);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[0].wallet, stack->users[1].wallet);
    int status = client_do(client, &call, "POST", "/v1/transfers", token, key, body);
    const char *fee = status == 201 ? strstr(call.answer, "\"fee\":") : NULL;
    int result = fee == NULL ? -status : (int)strtol(fee + 6, NULL, 10);
    client_call_clear(&call);
    client_close(client);
    return result;
}

/* Until a condition holds, for at most `seconds`; how long it took in us, or -1. */
static int64_t await_fee(int fee, int seconds)
{
    int64_t began = clock_monotonic();
    int in_a_row = 0;
    while (in_a_row < 8) { /* connections go to both workers */
        if (clock_monotonic() - began > (int64_t)seconds * CLOCK_SECOND)
            return -1;
        in_a_row = fee_of_transfer(stack->port) == fee ? in_a_row + 1 : 0;
    }
    return clock_monotonic() - began;
}

static int shell(const char *command)
{
    return stack_shell(stack, command);
}

static void test_a_saved_rule_prices_within_a_moment(void **state)
{
    (void)state;
    assert_int_equal(fee_of_transfer(stack->port), 250);
    setenv("RULES", rules, 1);
    assert_int_equal(
        shell("sed -i 's/flat = ZAR \"2.50\"/flat = ZAR \"3.75\"/; s/version = 3/version = 4/' "
              "\"$RULES/transfer.fee.lua\""),
        0);
    int64_t took = await_fee(375, 10);
    assert_true(took >= 0);
    printf("  a saved rule priced after %lld ms\n", (long long)took / 1000);
}

static void test_a_bad_rule_never_prices(void **state)
{
    (void)state;
    assert_int_equal(shell("cp \"$RULES/transfer.fee.lua\" \"$RULES/.kept\"; "
                           "sed -i 's/minimum = /minimun = /' \"$RULES/transfer.fee.lua\""),
                     0);
    /* both workers have said no, with file, line and what is meant */
    assert_int_equal(shell("for i in $(seq 100); do [ $($MOOLAH rules status | grep -c "
                           "\"REFUSED.*transfer.fee.lua:[0-9]"
                           "*:[0-9]*: unknown key 'minimun'; did you mean 'minimum'\") = 2 ] && "
                           "exit 0; sleep 0.1; "
                           "done; $MOOLAH rules status; exit 1"),
                     0);
    assert_int_equal(fee_of_transfer(stack->port), 375);
    assert_int_equal(shell("mv \"$RULES/.kept\" \"$RULES/transfer.fee.lua\""), 0);
    assert_int_equal(
        shell(
            "for i in $(seq 100); do [ $($MOOLAH rules status | grep -c 'serves the newest') = 2 ] "
            "&& exit 0; sleep 0.1; done; exit 1"),
        0);
}

static void test_a_killed_worker_is_back(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t worker = stack_pid(stack, STACK_WORKER, 0);
        assert_true(worker > 0);
        kill(worker, SIGKILL);
        int64_t began = clock_monotonic();
        pid_t now[2];
        do {
            now[0] = stack_pid(stack, STACK_WORKER, 0);
            now[1] = stack_pid(stack, STACK_WORKER, 1);
            assert_true(clock_monotonic() - began < 10 * CLOCK_SECOND);
        } while (now[0] == worker || now[1] == worker || now[0] == 0 || now[1] == 0);
        printf("  worker back after %lld us\n", (long long)(clock_monotonic() - began));
        assert_true(await_fee(375, 20) >= 0);
    }
}

static void test_hup_reloads(void **state)
{
    (void)state;
    kill(stack_pid(stack, STACK_MASTER, 0), SIGHUP);
    assert_int_equal(shell("for i in $(seq 100); do [ $(grep -c '\"event\":\"reloaded\"' "
                           "\"$DATA/moolahd.log\") -ge 2 ] && exit 0; sleep 0.1; done; exit 1"),
                     0);
    assert_true(await_fee(375, 10) >= 0);
}

static void test_money_moves_without_redis(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        pid_t redis = stack_pid(stack, STACK_REDIS, 0);
        assert_true(redis > 0);
        kill(redis, SIGSTOP); /* slow for ever: the breaker has to open */
        assert_true(await_fee(375, 20) >= 0);
        kill(redis, SIGCONT);
        assert_true(await_fee(375, 20) >= 0);
    }
}

static void test_a_taken_folder_or_port_is_one_clear_line(void **state)
{
    (void)state;
    assert_int_equal(shell("\"$MOOLAH_UP\" --data \"$DATA\" --port 1 >/tmp/moolah-taken 2>&1"), 1);
    assert_int_equal(shell("grep -q 'another ci/up runs on' /tmp/moolah-taken && "
                           "[ $(wc -l </tmp/moolah-taken) = 1 ]"),
                     0);
    assert_int_equal(shell("$MOOLAH_D --config \"$DATA/moolahd.lua\" >/tmp/moolah-taken 2>&1"), 1);
    assert_int_equal(shell("grep -q 'another program has this port' /tmp/moolah-taken; r=$?; "
                           "rm -f /tmp/moolah-taken; exit $r"),
                     0);
}

static void test_check_says_file_and_line(void **state)
{
    (void)state;
    assert_int_equal(shell("$MOOLAH_D --config \"$DATA/moolahd.lua\" --check >/dev/null"), 0);
    assert_int_equal(
        shell("sed 's/workers = /wokers = /; s/allow_tls12/x/' \"$DATA/moolahd.lua\" "
              ">/tmp/moolah-bad.lua; "
              "$MOOLAH_D --config /tmp/moolah-bad.lua --check 2>&1 | "
              "grep -qE 'moolah-bad.lua:[0-9]+:[0-9]+: wokers .*did you mean workers'; r=$?; "
              "rm -f /tmp/moolah-bad.lua; exit $r"),
        0);
}

/* A server beside the stack's, on ports of its own, to be upgraded. */
static pid_t start_second(int port)
{
    char command[700];
    int ends[2];
    char line[200] = "";
    snprintf(
        command, sizeof command,
        "sed 's/:%d\"/:%d\"/; s/:%d\"/:%d\"/; s/workers = [0-9]*/workers = 2, stripe_first = 100/' "
        "\"$DATA/moolahd.lua\" >\"$DATA/second.lua\"",
        stack->port, port, stack->port + 1, port + 1);
    assert_int_equal(shell(command), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char config[200];
        snprintf(config, sizeof config, "%s/second.lua", stack->data);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(MOOLAH_BINARY_DIR "/moolahd", MOOLAH_BINARY_DIR "/moolahd", "--config", config,
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "moolahd ready"));
    return pid; /* the pipe stays open: its successor writes there, too */
}

static void test_upgrade_without_one_failed_request(void **state)
{
    int port = stack->port + 10;
    int status;
    (void)state;
    pid_t old = start_second(port);
    sign_in(port);
    int64_t began = clock_monotonic();
    int served = 0;
    bool old_is_gone = false;
    kill(old, SIGUSR2);
    while (!old_is_gone || served < 200) {
        assert_int_equal(fee_of_transfer(port), 375); /* a new connection each */
        served++;
        old_is_gone = old_is_gone || waitpid(old, &status, WNOHANG) == old;
        assert_true(clock_monotonic() - began < 60 * CLOCK_SECOND);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("  %d transfers during the upgrade, none failed\n", served);
    /* the successor drains as told */
    assert_int_equal(
        shell("pkill -TERM -o -f \"$DATA/second.lua\"; for i in $(seq 150); do pgrep -f "
              "\"$DATA/second.lua\" >/dev/null || exit 0; sleep 0.1; done; exit 1"),
        0);
}

static void test_draining_finishes_what_runs(void **state)
{
    enum { CALLS = 60 };
    static struct client_call calls[CALLS];
    static char keys[CALLS][40];
    char body[300];
    int port = stack->port + 20;
    int status;
    int answered = 0;
    (void)state;
    pid_t server = start_second(port);
    struct client *client = client_open(port, stack->ca);
    assert_non_null(client);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[0].wallet, stack->users[1].wallet);
    for (int i = 0; i < CALLS; i++) {
        snprintf(keys[i], sizeof keys[i], "drain-%d-%d", (int)getpid(), i);
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/transfers",
                                        .token = token,
                                        .key = keys[i],
                                        .body = body};
        assert_true(client_begin(client, &calls[i]));
        client_turn(&client, 1, 0);
    }
    kill(server, SIGTERM);
    for (int i = 0; i < CALLS; i++) {
        while (!calls[i].done && !calls[i].lost)
            client_turn(&client, 1, 1000);
        /* what was on its way is answered; a later one may be refused, unprocessed */
        answered += calls[i].done && calls[i].status == 201;
        assert_true(calls[i].done || calls[i].lost);
        client_call_clear(&calls[i]);
    }
    printf("  %d of %d calls answered while draining\n", answered, CALLS);
    assert_true(answered > 0);
    client_close(client);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_the_money_is_there_the_next_time(void **state)
{
    char path[80];
    struct client_call call = {0};
    char before[300];
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s", stack->users[0].wallet);
    struct client *client = client_open(stack->port, stack->ca);
    assert_int_equal(client_do(client, &call, "GET", path, token, NULL, NULL), 200);
    snprintf(before, sizeof before, "%s", call.answer);
    client_close(client);
    assert_int_equal(stack_halt(stack), 0);
    assert_int_equal(shell("! pgrep -f \"[m]oolahd --config $DATA\" && ! pgrep -f \"[-]D "
                           "$DATA/pg\" && ! pgrep -f \"[r]edis-server.*$DATA\""),
                     0); /* nobody is left */
    int64_t began = clock_monotonic();
    stack_restart(stack);
    printf("  started again in %lld ms\n", (long long)(clock_monotonic() - began) / 1000);
    client = client_open(stack->port, stack->ca);
    assert_int_equal(client_do(client, &call, "GET", path, token, NULL, NULL), 200);
    assert_string_equal(call.answer, before);
    client_call_clear(&call);
    client_close(client);
    assert_int_equal(shell("$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

static int set_up(void **state)
{
    char command[200];
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(rules) == NULL)
        return -1;
    snprintf(command, sizeof command, "chmod 755 %s; cp %s/*.lua %s", rules,
             MOOLAH_SOURCE_DIR "/rules", rules);
    if (system(command) != 0)
        return -1;
    setenv("MOOLAH_UP", MOOLAH_SOURCE_DIR "/ci/up", 1);
    setenv("MOOLAH_D", MOOLAH_BINARY_DIR "/moolahd", 1);
    stack = stack_start(rules);
    sign_in(stack->port);
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    stack_stop(stack);
    snprintf(command, sizeof command, "rm -rf %s", rules);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_saved_rule_prices_within_a_moment),
        cmocka_unit_test(test_a_bad_rule_never_prices),
        cmocka_unit_test(test_a_killed_worker_is_back),
        cmocka_unit_test(test_hup_reloads),
        cmocka_unit_test(test_money_moves_without_redis),
        cmocka_unit_test(test_a_taken_folder_or_port_is_one_clear_line),
        cmocka_unit_test(test_check_says_file_and_line),
        cmocka_unit_test(test_upgrade_without_one_failed_request),
        cmocka_unit_test(test_draining_finishes_what_runs),
        cmocka_unit_test(test_the_money_is_there_the_next_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
