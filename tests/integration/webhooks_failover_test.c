/* Webhooks while what brings them dies: servers that lead, killed -9, and PostgreSQL. Two servers
 * on one database; the partner's journal says what must have been told. And the sweep of the log,
 * which is the first thing that who leads does.
 *
 * Covers: server/store/outbox.c server/webhooks/courier.c tests/support/told.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/client.h"
#include "support/receiver.h"
#include "support/scratch.h"
#include "support/second.h"
#include "support/stack.h"
#include "support/told.h"

#define WALLETS 3
#define SERVERS 2

static struct stack *stack;
static struct scratch *scratch;
static struct receiver receiver;
static struct told told;
static char script[700];
static struct {
    struct second second;
    struct client *client;
    bool runs;
} servers[SERVERS];
static char partner[120];
static char wallets[WALLETS][40];
static struct client_call call;
static int deposits;

static int ask(int server, const char *method, const char *path, const char *key, const char *body)
{
    client_call_clear(&call);
    if (servers[server].client == NULL || !client_is_open(servers[server].client)) {
        client_close(servers[server].client);
        servers[server].client = client_open(servers[server].second.port, stack->ca);
    }
    if (servers[server].client == NULL)
        return 0;
    client_do(servers[server].client, &call, method, path, partner, key, body);
    return call.status;
}

static void start_server(int i)
{
    second_start(&servers[i].second, stack, stack->port + 4 + 4 * i, 1, script);
    servers[i].runs = true;
}

static void kill_server(int i)
{
    second_kill(&servers[i].second);
    client_close(servers[i].client);
    servers[i].client = NULL;
    servers[i].runs = false;
}

/* Through whichever runs, with its key again and again until it's answered. */
static void deposit(int wallet)
{
    char body[200];
    char key[40];
    int64_t end = clock_monotonic() + 60 * CLOCK_SECOND;
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\",\"reference\":\"x\"}",
             wallets[wallet]);
    snprintf(key, sizeof key, "deposit-%d", deposits++);
    for (int i = deposits;
         !servers[i % SERVERS].runs || ask(i % SERVERS, "POST", "/v1/deposits", key, body) != 201;
         i++) {
        if (clock_monotonic() > end)
            fail_msg("no deposit: %d %s", call.status, call.answer);
        usleep(1000);
    }
    told_note(&told, key, call.answer);
}

static void deposit_some(int count)
{
    for (int i = 0; i < count; i++)
        deposit(i % WALLETS);
}

static bool leads(int server)
{
    struct client *client = client_open(servers[server].second.port + 1, stack->ca);
    assert_non_null(client);
    client_call_clear(&call);
    assert_int_equal(client_do(client, &call, "GET", "/metrics", stack->operator_token, NULL, NULL),
                     200);
    const char *line = strstr(call.answer, "\nmoolah_webhooks_leading ");
    assert_non_null(line);
    client_close(client);
    return strchr(line + 1, ' ')[1] == '1';
}

/* The one of those that run that leads. */
static int await_leader(void)
{
    int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
    for (int i = 0;; i = (i + 1) % SERVERS) {
        if (servers[i].runs && leads(i))
            return i;
        assert_true(clock_monotonic() < end);
        usleep(5000);
    }
}

static void await_count(int64_t wanted, const char *what)
{
    int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
    while (scratch_number(scratch, "select count(*) from %s", what) != wanted) {
        assert_true(clock_monotonic() < end);
        usleep(20000);
    }
}

static void create_hook(char path[80])
{
    char body[200];
    snprintf(body, sizeof body, "{\"url\":\"https://localhost:%d/hook\",\"types\":[\"*\"]}",
             receiver.port);
    assert_int_equal(ask(0, "POST", "/v1/webhooks", NULL, body), 201);
    assert_int_equal(strncmp(call.answer, "{\"id\":\"whk_", 11), 0);
    snprintf(path, 80, "/v1/webhooks/%.30s", call.answer + 7);
}

/* Who leads is killed in the midst of it; the other one leads then. */
static void test_leadership_moves(void **state)
{
    (void)state;
    receiver_mode(&receiver, "slow 0.03");
    int leader = await_leader();
    deposit_some(30);
    kill_server(leader);
    deposit_some(15);
    assert_int_equal(await_leader(), 1 - leader);
    start_server(leader);
    deposit_some(15);
    assert_false(leads(leader)); /* who leads goes on */
    receiver_mode(&receiver, "200");
    told_await(&told, stack, scratch->owner);
    await_count(0, "webhook_lanes");
    await_count(deposits, "webhook_deliveries where status = 2");
}

/* Another one leads. */
static void move_on(void)
{
    int leader = await_leader();
    kill_server(leader);
    assert_int_equal(await_leader(), 1 - leader);
    start_server(leader);
}

/* What ended more than 30 days ago goes, a thousand at a time; what is pending or younger stays. A
 * deleted webhook goes with its log. */
static void test_sweep(void **state)
{
    char second_hook[80];
    char more[120];
    (void)state;
    create_hook(second_hook);
    deposit_some(3);
    told_await(&told, stack, scratch->owner);
    await_count(0, "webhook_deliveries where status = 1");
    assert_int_equal(ask(0, "DELETE", second_hook, NULL, NULL), 204);
    int64_t log = deposits;
    scratch_run(scratch,
                "insert into webhook_deliveries (webhook, event, status, created_at) select "
                "w.id, (substr(uuid_floor(now() - make_interval(days => days))::text, 1, 24) || "
                "v.status || lpad(n::text, 11, '0'))::uuid, v.status, now() from webhooks w, "
                "(values (31, 2, "
                "1200), (31, 3, 300), (31, 1, 1), (29, 2, 1)) v(days, status, count), "
                "generate_series(1, count) n where w.status = 1");
    move_on();
    snprintf(more, sizeof more, "(select count(*) as n from webhook_deliveries) l where n > %d",
             (int)log + 500 + 2);
    await_count(0, more);
    move_on();
    await_count(log + 2, "webhook_deliveries");
    await_count(1, "webhooks");
    await_count(1, "webhook_deliveries where status = 1 and event < uuid_floor(now() - interval "
                   "'30 days')");
    deposit_some(3);
    told_await(&told, stack, scratch->owner);
}

/* All its sessions end, the leader's too; deliveries that are on their way are told again. */
static void test_postgres_dies(void **state)
{
    (void)state;
    receiver_mode(&receiver, "slow 0.03");
    deposit_some(20);
    kill(stack_pid(stack, STACK_POSTGRES, 0), SIGQUIT);
    deposit_some(20);
    receiver_mode(&receiver, "200");
    told_await(&told, stack, scratch->owner);
    await_leader();
}

/* ---- the parts */

static void make_partner(void)
{
    char command[700];
    char path[160];
    snprintf(path, sizeof path, "%s/partner", stack->data);
    snprintf(command, sizeof command,
             "MOOLAH_DATABASE=\"%s\" $MOOLAH --json partner add one | "
             "sed -n 's/.*\"api_key\":\"\\([^\"]*\\)\".*/\\1/p' >%s",
             scratch->owner, path);
    assert_int_equal(stack_shell(stack, command), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(partner, sizeof partner, file));
    partner[strcspn(partner, "\n")] = '\0';
    fclose(file);
}

static void make_wallets(void)
{
    for (int i = 0; i < WALLETS; i++) {
        char body[200];
        snprintf(body, sizeof body,
                 "{\"phone\":\"+2782000000%d\",\"password\":\"correct horse\",\"name\":\"W\"}", i);
        assert_int_equal(ask(0, "POST", "/v1/users", NULL, body), 201);
        const char *wallet = strstr(call.answer, "\"wallet\":\"");
        assert_non_null(wallet);
        snprintf(wallets[i], sizeof wallets[i], "%.30s", wallet + 10);
    }
}

static int group_setup(void **state)
{
    char hook[80];
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    scratch = scratch_new(stack, true);
    receiver_start(&receiver, false);
    told_init(&told, &receiver);
    make_partner();
    snprintf(script, sizeof script,
             "s/dbname=moolah /dbname=%s /; s|^return {|return { outbound = { ca = \"%s\", allow = "
             "{ \"127.0.0.0/8\" } }, webhooks = { timeout_s = 1 },|; /proof = {/,/},/d",
             scratch->name, receiver.ca);
    for (int i = 0; i < SERVERS; i++)
        start_server(i);
    make_wallets();
    create_hook(hook);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    client_call_clear(&call);
    int code = 0;
    for (int i = 0; i < SERVERS; i++) {
        client_close(servers[i].client);
        code += second_stop(&servers[i].second);
    }
    told_release(&told);
    receiver_stop(&receiver);
    scratch_free(scratch);
    stack_stop(stack);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leadership_moves), cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_postgres_dies), /* and scratch's connection with it */
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
