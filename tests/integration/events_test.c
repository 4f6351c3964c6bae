/* Event streams against a real server: what comes, in which order, from where; who may listen, and
 * for how long; and that nothing is missed when a worker, PostgreSQL or Redis is killed. The money
 * moves on the stack's own workers, the streams are another server's: it learns of news by asking,
 * unless a test says otherwise.
 *
 * Covers: server/api/wallet_events.c server/api/event_hub.c server/store/news.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/second.h"
#include "support/talk.h"

#define LISTENERS_MAX 8
#define PATIENCE_US (20 * (int64_t)CLOCK_SECOND)

static struct second second;

/* One stream, on a connection of its own. */
struct listener {
    struct client *client;
    struct client_call call;
    char path[100];
};

static struct client *connect_to(int port)
{
    int64_t until = clock_monotonic() + PATIENCE_US;
    struct client *client;
    do
        client = client_open(port, talk.stack->ca);
    while (client == NULL && clock_monotonic() < until);
    assert_non_null(client);
    return client;
}

/* `after`: Last-Event-ID, NULL: none. */
static void begin(struct listener *l, const char *method, int port, int user, const char *after)
{
    memset(l, 0, sizeof *l);
    snprintf(l->path, sizeof l->path, "/v1/wallets/%s/events", talk.stack->users[user].wallet);
    l->call.method = method;
    l->call.path = l->path;
    l->call.token = talk.tokens[user];
    if (after != NULL)
        talk_extra(&l->call, "last-event-id", after);
    l->client = connect_to(port);
    assert_true(client_begin(l->client, &l->call));
}

static void listen_to(struct listener *l, int user, const char *after)
{
    begin(l, "GET", second.port, user, after);
}

static bool is_over(const struct listener *l)
{
    return l->call.done || l->call.lost;
}

/* Until the stream has said that, or has ended. */
static bool hears(struct listener *l, const char *what)
{
    int64_t until = clock_monotonic() + PATIENCE_US;
    while (!(l->call.answer != NULL && strstr(l->call.answer, what) != NULL) && !is_over(l) &&
           clock_monotonic() < until)
        client_turn(&l->client, 1, 100);
    return l->call.answer != NULL && strstr(l->call.answer, what) != NULL;
}

static void expect(struct listener *l, const char *what)
{
    if (!hears(l, what))
        fail_msg("not heard: %s in (%d) %s", what, l->call.status,
                 l->call.answer == NULL ? "nothing" : l->call.answer);
}

static void expect_end(struct listener *l)
{
    int64_t until = clock_monotonic() + PATIENCE_US;
    while (!is_over(l) && clock_monotonic() < until)
        client_turn(&l->client, 1, 100);
    assert_true(is_over(l));
}

static void expect_id(struct listener *l, int64_t id)
{
    char text[40];
    snprintf(text, sizeof text, "id: %lld\n", (long long)id);
    expect(l, text);
}

/* As a client does after a failure: again, while the server looks for its database. */
static void listen_at_last(struct listener *l, int user, const char *after)
{
    int64_t until = clock_monotonic() + PATIENCE_US;
    for (;;) {
        listen_to(l, user, after);
        while (l->call.status == 0 && !is_over(l) && clock_monotonic() < until)
            client_turn(&l->client, 1, 100);
        if (l->call.status != 503 || clock_monotonic() >= until)
            return;
        client_close(l->client);
        client_call_clear(&l->call);
    }
}

static void leave(struct listener *l)
{
    talk_note(&l->call, true);
    client_close(l->client);
    client_call_clear(&l->call);
}

static const char *after(int64_t id)
{
    static char text[24];
    snprintf(text, sizeof text, "%lld", (long long)id);
    return text;
}

static int64_t number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

/* Every transaction event from `first` on, each once, in order, its balance what the one before and
 * its change make of it. Returns how many there are. */
static int64_t check_order(const struct listener *l, int64_t first)
{
    int64_t next = first;
    int64_t balance = 0;
    for (const char *at = l->call.answer; (at = strstr(at, "event: transaction.")) != NULL; at++) {
        const char *id = at - 2;
        while (id > l->call.answer && id[-1] != '\n')
            id--;
        assert_int_equal(number_behind(id, "id: "), next);
        assert_int_equal(number_behind(at, "\"version\":"), next);
        int64_t after_it = number_behind(at, "\"balance_after\":{\"posted\":");
        if (next > first)
            assert_int_equal(after_it, balance + number_behind(at, "\"change\":"));
        balance = after_it;
        next++;
    }
    return next - first;
}

static int64_t version_of(int user)
{
    char path[100];
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[user].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[user], NULL, NULL), 200);
    return talk_number("version");
}

static void pay(int from, int to)
{
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                              talk_transfer(from, to, "100", "")),
                     201);
}

/* The wallet as it stands, then each transaction as the statement's line has it. */
static void test_from_now_on(void **state)
{
    struct listener l;
    char path[120];
    char expected[1200];
    int64_t version = version_of(0);
    (void)state;
    listen_to(&l, 0, NULL);
    expect(&l, "\n\n");
    expect_id(&l, version);
    expect(&l, "event: wallet\ndata: {\"id\":\"wal_");
    assert_int_equal(l.call.status, 200);
    assert_string_equal(client_header(&l.call, "content-type"), "text/event-stream");
    assert_int_equal(number_behind(l.call.answer, "\"version\":"), version);
    pay(0, 1);
    expect_id(&l, version + 1);
    expect(&l, "event: transaction.transfer\ndata: ");
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=1", talk.stack->users[0].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    const char *line = strchr(talk.call.answer, '[') + 1;
    const char *end = strstr(line, "],\"next\"");
    assert_non_null(end);
    snprintf(expected, sizeof expected, "\ndata: %.*s\n\n", (int)(end - line), line);
    expect(&l, expected);
    snprintf(expected, sizeof expected,
             "{\"to\":\"%s\",\"amount\":5,\"currency\":\"ZAR\",\"reference\":\"cash\"}",
             talk.stack->users[0].wallet);
    assert_int_equal(
        talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), expected), 201);
    expect(&l, "event: transaction.deposit\n");
    assert_int_equal(check_order(&l, version + 1), 2);
    leave(&l);
}

#define MANY 150

/* Payments both ways, as fast as they go, while one stream reads all that ever was, one goes on
 * from here, and one comes in the middle of it. */
static void test_many_in_order(void **state)
{
    static struct client_call calls[MANY];
    static char bodies[MANY][300];
    static char keys[MANY][40];
    struct listener all, new, late;
    int64_t version = version_of(1);
    (void)state;
    listen_to(&new, 1, after(version));
    expect(&new, "retry: ");
    for (int i = 0; i < MANY; i++) {
        int from = i % 3 == 0;
        snprintf(bodies[i], sizeof bodies[i], "%s", talk_transfer(from, !from, "100", ""));
        snprintf(keys[i], sizeof keys[i], "%s", talk_key());
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/transfers",
                                        .token = talk.tokens[from],
                                        .key = keys[i],
                                        .body = bodies[i]};
        while (client_in_flight(talk.client) > 50)
            client_turn(&talk.client, 1, 1000);
        assert_true(client_begin(talk.client, &calls[i]));
        if (i == MANY / 2) {
            listen_to(&late, 1, after(version + 3));
            listen_to(&all, 1, "0");
        }
    }
    while (client_in_flight(talk.client) > 0)
        client_turn(&talk.client, 1, 1000);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].status, 201);
        client_call_clear(&calls[i]);
    }
    expect_id(&new, version + MANY);
    expect_id(&late, version + MANY);
    expect_id(&all, version + MANY);
    assert_int_equal(check_order(&new, version + 1), MANY);
    assert_int_equal(check_order(&late, version + 4), MANY - 3);
    assert_int_equal(check_order(&all, 1), version + MANY);
    assert_null(strstr(new.call.answer, "event: wallet"));
    leave(&new);
    leave(&late);
    leave(&all);
}

/* Who posts in the worker of the stream tells it: no round of questions lies between. */
static void test_the_same_worker_tells(void **state)
{
    struct listener l;
    struct client *stack_client = talk.client;
    char command[300];
    (void)state;
    listen_to(&l, 0, NULL);
    expect(&l, "event: wallet");
    talk.client = connect_to(second.port);
    pay(0, 1);
    client_close(talk.client);
    talk.client = stack_client;
    expect(&l, "event: transaction.transfer");
    snprintf(command, sizeof command,
             "curl -s --http2 --cacert \"$CA\" -H 'Authorization: Bearer %s' "
             "https://localhost:%d/metrics | grep -q '^moolah_news_hints_total [1-9]'",
             talk.stack->operator_token, second.port + 1);
    assert_int_equal(stack_shell(talk.stack, command), 0);
    leave(&l);
}

static void refused(const char *path, const char *token, const char *id, int status,
                    const char *code)
{
    struct client_call question = {.method = "GET", .path = path, .token = token};
    if (id != NULL)
        talk_extra(&question, "last-event-id", id);
    talk_expect(talk_send(&question), status, code);
}

static void test_who_may_listen_to_what(void **state)
{
    static const char *const bad[] = {"", "-1", "1.5", "x", "1234567890123456789"};
    char path[100];
    char query[120];
    struct listener head;
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s/events", talk.stack->users[0].wallet);
    snprintf(query, sizeof query, "%s?from=1", path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(path, talk.tokens[0], bad[i], 400, "invalid_request");
    refused(query, talk.tokens[0], NULL, 400, "invalid_request");
    refused(path, NULL, NULL, 401, "unauthenticated");
    refused(path, talk.stack->partner_key, NULL, 403, "forbidden");
    refused(path, talk.tokens[1], NULL, 404, "wallet_not_found");
    refused("/v1/wallets/wal_01jb0000000000000000000000/events", talk.tokens[0], NULL, 404,
            "wallet_not_found");
    refused("/v1/wallets/x/events", talk.tokens[0], NULL, 404, "wallet_not_found");
    begin(&head, "HEAD", second.port, 0, NULL);
    expect_end(&head);
    assert_int_equal(head.call.status, 200);
    assert_int_equal(head.call.answer_length, 0);
    leave(&head);
}

/* What the reader has can't be gone on from: it gets the wallet as it is. */
static void test_ids_that_lead_nowhere(void **state)
{
    struct listener l;
    int64_t version = version_of(2);
    (void)state;
    listen_to(&l, 2, after(version + 1000));
    expect_id(&l, version);
    expect(&l, "event: wallet\n");
    pay(2, 3);
    expect_id(&l, version + 1);
    leave(&l);
    /* a month that was taken away: here its first lines, by force */
    talk_sql("alter table postings disable trigger all");
    talk_sql("create table kept as select * from postings where account = (select wallet from "
             "users where phone = '+27820000003') and version = 1");
    talk_sql("do $$ declare part regclass; begin for part in select inhrelid::regclass from "
             "pg_inherits where inhparent = 'postings'::regclass loop execute format('alter table "
             "%s disable trigger all', part); end loop; end $$");
    talk_sql("delete from postings where (account, version) in (select account, version from "
             "kept)");
    listen_to(&l, 2, "0");
    expect_id(&l, version + 1);
    expect(&l, "event: wallet\n");
    assert_null(strstr(l.call.answer, "event: transaction."));
    pay(2, 3);
    expect_id(&l, version + 2);
    leave(&l);
    talk_sql("insert into postings select * from kept");
    talk_sql("do $$ declare part regclass; begin for part in select inhrelid::regclass from "
             "pg_inherits where inhparent = 'postings'::regclass loop execute format('alter table "
             "%s enable trigger all', part); end loop; end $$");
    talk_sql("alter table postings enable trigger all");
    listen_to(&l, 2, "0");
    expect_id(&l, version + 2);
    assert_int_equal(check_order(&l, 1), version + 2);
    leave(&l);
}

static void test_so_many_and_no_more(void **state)
{
    struct listener l[6];
    struct listener more;
    (void)state;
    for (int i = 0; i < 6; i++) {
        listen_to(&l[i], i < 3 ? 0 : 1, NULL);
        expect(&l[i], "event: wallet");
    }
    listen_to(&more, 0, NULL);
    expect_end(&more);
    assert_int_equal(more.call.status, 429);
    expect(&more, "\"code\":\"too_many_streams\"");
    assert_true(strtol(client_header(&more.call, "retry-after"), NULL, 10) >= 1);
    leave(&more);
    listen_to(&more, 2, NULL);
    expect_end(&more);
    assert_int_equal(more.call.status, 503);
    expect(&more, "\"code\":\"overloaded\"");
    leave(&more);
    leave(&l[0]);
    int64_t until = clock_monotonic() + PATIENCE_US;
    do { /* the server hears of it in a moment */
        listen_to(&more, 2, NULL);
        assert_true(hears(&more, "event: wallet") || more.call.status == 503);
        if (more.call.status == 200)
            break;
        leave(&more);
    } while (clock_monotonic() < until);
    expect(&more, ":\n\n"); /* and a quiet one says that it is there */
    leave(&more);
    for (int i = 1; i < 6; i++)
        leave(&l[i]);
}

static void test_signing_out_ends_it(void **state)
{
    struct listener l;
    (void)state;
    listen_to(&l, 3, NULL);
    expect(&l, "event: wallet");
    assert_int_equal(talk_ask("DELETE", "/v1/sessions/current", talk.tokens[3], NULL, NULL), 204);
    expect_end(&l);
    assert_true(l.call.done);
    leave(&l);
    assert_true(talk_logged("events_ended.*\"why\":\"signed_out\",\"events\":1,"));
    talk_sign_in(3);
}

static void set_status(int user, int status)
{
    char statement[300];
    snprintf(statement, sizeof statement,
             "update accounts set status = %d where id = (select wallet from users where phone = "
             "'%s')",
             status, talk.stack->users[user].phone);
    talk_sql(statement);
}

static void test_another_status_is_told_and_ends_it(void **state)
{
    struct listener l;
    (void)state;
    int64_t version = version_of(3);
    listen_to(&l, 3, after(version));
    expect(&l, "retry:");
    set_status(3, 2);
    expect(&l, "\"status\":\"frozen\"");
    expect_end(&l);
    assert_true(l.call.done);
    leave(&l);
    listen_to(&l, 3, after(version)); /* who is frozen receives */
    pay(2, 3);
    expect_id(&l, version + 1);
    set_status(3, 3);
    expect(&l, "\"status\":\"closed\"");
    expect_end(&l);
    leave(&l);
    listen_to(&l, 3, after(version)); /* what it has missed, and the end */
    expect_id(&l, version + 1);
    expect_end(&l);
    assert_true(l.call.done);
    leave(&l);
    listen_to(&l, 3, NULL);
    expect(&l, "\"status\":\"closed\"");
    expect_end(&l);
    assert_true(l.call.done);
    leave(&l);
    listen_to(&l, 3, after(version + 1));
    expect_end(&l);
    assert_int_equal(l.call.status, 204);
    leave(&l);
    set_status(3, 1);
}

static void kill_part(enum stack_part part, int how)
{
    pid_t pid;
    int64_t until = clock_monotonic() + PATIENCE_US;
    while ((pid = stack_pid(talk.stack, part, 0)) == 0)
        assert_true(clock_monotonic() < until);
    assert_int_equal(kill(pid, how), 0);
}

/* Asked until it's posted: there may be no database just now. */
static void pay_at_last(int from, int to)
{
    char key[40];
    int64_t until = clock_monotonic() + PATIENCE_US;
    int status;
    snprintf(key, sizeof key, "%s", talk_key());
    do
        status = talk_ask("POST", "/v1/transfers", talk.tokens[from], key,
                          talk_transfer(from, to, "100", ""));
    while (status != 201 && clock_monotonic() < until);
    assert_int_equal(status, 201);
}

static void test_killed_parts(void **state)
{
    struct listener l;
    int64_t version = version_of(0);
    (void)state;
    listen_to(&l, 0, NULL);
    expect(&l, "event: wallet");
    kill_part(STACK_REDIS, SIGKILL);
    pay_at_last(0, 1);
    expect_id(&l, version + 1);
    kill_part(
        STACK_POSTGRES,
        SIGQUIT); /* without a shutdown: the stream stays, and goes on when the database is back */
    pay_at_last(0, 1);
    pay_at_last(1, 0);
    expect_id(&l, version + 3);
    assert_int_equal(check_order(&l, version + 1), 3);
    assert_int_equal(kill(second_worker(&second, 0), SIGKILL), 0);
    expect_end(&l);
    assert_true(l.call.lost);
    client_close(l.client);
    client_call_clear(&l.call);
    pay_at_last(0, 1); /* while nobody listens */
    pay_at_last(1, 0);
    listen_at_last(&l, 0, after(version + 3));
    expect_id(&l, version + 5);
    pay_at_last(0, 1);
    expect_id(&l, version + 6);
    assert_int_equal(check_order(&l, version + 4), 3);
    leave(&l);
}

/* The last test: the server drains. */
static void test_draining_ends_it_cleanly(void **state)
{
    struct listener l;
    (void)state;
    listen_at_last(&l, 0, NULL);
    expect(&l, "event: wallet");
    assert_int_equal(kill(second.master, SIGTERM), 0);
    expect_end(&l);
    assert_true(l.call.done);
    leave(&l);
    assert_true(talk_logged("events_ended.*\"why\":\"drain\""));
}

static int set_up(void **state)
{
    if (talk_start(state) != 0)
        return -1;
    second_start(&second, talk.stack, talk.stack->port + 2, 1,
                 "s/^return {/return { events = { heartbeat_s = 1, recheck_s = 1, streams = 6, "
                 "streams_per_user = 3 },/");
    return 0;
}

static int tear_down(void **state)
{
    second_stop(&second);
    return talk_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_now_on),
        cmocka_unit_test(test_many_in_order),
        cmocka_unit_test(test_the_same_worker_tells),
        cmocka_unit_test(test_who_may_listen_to_what),
        cmocka_unit_test(test_ids_that_lead_nowhere),
        cmocka_unit_test(test_so_many_and_no_more),
        cmocka_unit_test(test_signing_out_ends_it),
        cmocka_unit_test(test_another_status_is_told_and_ends_it),
        cmocka_unit_test(test_killed_parts),
        cmocka_unit_test(test_draining_ends_it_cleanly),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
