/* Webhooks from end to end: a partner's deposits reach a real receiver, signed, once or more, in
 * each wallet's order, though the receiver is slow, wrong, dead, and the server is killed
 * meanwhile. The server is a moolahd of its own on a database of its own.
 *
 * Covers: server/store/outbox.c server/store/webhooks.c server/webhooks/courier.c
 * server/webhooks/sending.c server/api/create_webhook.c server/api/webhook_calls.c
 * server/api/webhook_view.c server/api/replay_webhook.c server/api/list_deliveries.c
 * tests/support/receiver.py */
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

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "store/webhooks.h"
#include "support/client.h"
#include "support/receiver.h"
#include "support/scratch.h"
#include "support/second.h"
#include "support/stack.h"
#include "support/talk.h"

#define WALLETS 3

static struct stack *stack;
static struct scratch *scratch;
static struct second second;
static struct receiver receiver;
static struct client *client;
static char partner[120], other_partner[120];
static char wallets[WALLETS][40];
static struct arena arena; /* of what was read last */
static struct client_call call;
static int deposits; /* so far: each has a key of its own */

/* ---- asking */

static int ask(const char *method, const char *path, const char *body)
{
    client_call_clear(&call);
    if (client == NULL || !client_is_open(client)) {
        client_close(client);
        client = client_open(second.port, stack->ca);
    }
    if (client == NULL)
        return 0;
    client_do(client, &call, method, path, partner, NULL, body);
    talk_note(&call, true);
    return call.status;
}

/* As somebody else, or with another type of body. */
static void ask_as(const char *method, const char *path, const char *token, const char *body,
                   const char *type)
{
    client_call_clear(&call);
    call = (struct client_call){
        .method = method, .path = path, .token = token, .body = body, .type = type};
    assert_true(client_call(client, &call));
    talk_note(&call, true);
}

static const struct json *answer(void)
{
    struct json_error error;
    const struct json *json =
        json_parse((struct slice){call.answer, call.answer_length}, &arena, &error);
    assert_non_null(json);
    return json;
}

static void member(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_member(object, name);
    assert_non_null(value);
    snprintf(out, size, "%.*s", (int)json_string(value).length, json_string(value).at);
}

static void expect_code(int status, const char *code)
{
    char found[60];
    if (call.status != status)
        print_error("%d %s\n", call.status, call.answer);
    assert_int_equal(call.status, status);
    member(answer(), "code", found, sizeof found);
    assert_string_equal(found, code);
}

/* A list of more than one goes on behind its first. */
static void expect_next(const char *list)
{
    char path[300];
    char next[200];
    snprintf(path, sizeof path, "%s?limit=1", list);
    assert_int_equal(ask("GET", path, NULL), 200);
    member(answer(), "next", next, sizeof next);
    snprintf(path, sizeof path, "%s?limit=1&after=%s", list, next);
    assert_int_equal(ask("GET", path, NULL), 200);
}

struct hook {
    char id[40], path[80], secret[80];
};

static void create_hook(struct hook *hook, const char *place, const char *types)
{
    char body[300];
    snprintf(body, sizeof body, "{\"url\":\"https://localhost:%d%s\",\"types\":%s}", receiver.port,
             place, types);
    assert_int_equal(ask("POST", "/v1/webhooks", body), 201);
    member(answer(), "id", hook->id, sizeof hook->id);
    member(answer(), "secret", hook->secret, sizeof hook->secret);
    snprintf(hook->path, sizeof hook->path, "/v1/webhooks/%s", hook->id);
}

static void delete_hook(const struct hook *hook)
{
    assert_int_equal(ask("DELETE", hook->path, NULL), 204);
}

/* With its key again and again until it's answered: the server may be dying. */
static void deposit(int wallet)
{
    char body[200];
    char key[40];
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\",\"reference\":\"d%d\"}",
             wallets[wallet], deposits);
    snprintf(key, sizeof key, "deposit-%d", deposits++);
    for (int tries = 0; tries < 400; tries++) {
        client_call_clear(&call);
        if (client == NULL || !client_is_open(client)) {
            client_close(client);
            client = client_open(second.port, stack->ca);
        }
        if (client != NULL &&
            client_do(client, &call, "POST", "/v1/deposits", partner, key, body) == 201)
            return;
        usleep(25000);
    }
    fail_msg("no deposit: %d %s", call.status, call.answer);
}

/* ---- hearing */

#define HEARD_MAX 4000

static struct heard {
    char id[40], timestamp[24], signature[120], body[700], wallet[40], reference[12];
    int status; /* it was about to get */
} heard[HEARD_MAX];
static int heard_count;

static void take_line(const char *line, size_t length)
{
    struct json_error error;
    struct heard *h = &heard[heard_count++];
    assert_true(heard_count < HEARD_MAX);
    const struct json *json = json_parse((struct slice){line, length}, &arena, &error);
    assert_non_null(json);
    member(json, "id", h->id, sizeof h->id);
    member(json, "timestamp", h->timestamp, sizeof h->timestamp);
    member(json, "signature", h->signature, sizeof h->signature);
    member(json, "body", h->body, sizeof h->body);
    h->status = (int)json_integer(json_member(json, "status"));
    const struct json *body = json_parse(slice_of(h->body), &arena, &error);
    assert_non_null(body);
    const struct json *data = json_member(body, "data");
    member(data, "to", h->wallet, sizeof h->wallet);
    member(data, "reference", h->reference, sizeof h->reference);
}

/* All that came since forget(). */
static int hear(void)
{
    static char text[4000000];
    FILE *file = fopen(receiver.requests, "r");
    heard_count = 0;
    arena_release(&arena);
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    for (char *at = text, *end; (end = memchr(at, '\n', (size_t)(text + length - at))) != NULL;
         at = end + 1)
        take_line(at, (size_t)(end - at));
    return heard_count;
}

static void forget(void)
{
    assert_int_equal(truncate(receiver.requests, 0), 0);
}

/* Different events that were taken. */
static int events_taken(void)
{
    int count = 0;
    hear();
    for (int i = 0; i < heard_count; i++) {
        bool again = heard[i].status != 200;
        for (int j = 0; j < i && !again; j++)
            again = heard[j].status == 200 && strcmp(heard[j].id, heard[i].id) == 0;
        count += !again;
    }
    return count;
}

static void await(int (*count)(void), int wanted)
{
    for (int i = 0; i < 1000; i++) {
        if (count() >= wanted)
            return;
        usleep(20000);
    }
    fail_msg("%d of %d came", count(), wanted);
}

/* Is one of the signatures that of the secret? By the specification, without our own code for it.
 */
static bool is_signed(const struct heard *h, const char *secret)
{
    uint8_t key[WEBHOOKS_SECRET_SIZE];
    uint8_t mac[CRYPTO_HASH_SIZE];
    char url_safe[60];
    char text[900];
    char expected[60] = "v1,";
    snprintf(url_safe, sizeof url_safe, "%s", secret + strlen("whsec_"));
    for (char *at = url_safe; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at;
    assert_true(crypto_base64url_decode(slice_of(url_safe), key, sizeof key));
    snprintf(text, sizeof text, "%s.%s.%s", h->id, h->timestamp, h->body);
    crypto_hmac_sha256((struct slice){(const char *)key, sizeof key}, slice_of(text), mac);
    crypto_base64(mac, sizeof mac, expected + 3);
    return strstr(h->signature, expected) != NULL;
}

/* Each wallet's events, as they were first taken, in the order they were made: references count. */
static void assert_in_order(void)
{
    for (int w = 0; w < WALLETS; w++) {
        int last = -1;
        for (int i = 0; i < heard_count; i++) {
            bool again = heard[i].status != 200 || strcmp(heard[i].wallet, wallets[w]) != 0;
            for (int j = 0; j < i && !again; j++)
                again = heard[j].status == 200 && strcmp(heard[j].id, heard[i].id) == 0;
            if (again)
                continue;
            int number = (int)strtol(heard[i].reference + 1, NULL, 10);
            if (number <= last)
                fail_msg("d%d came after d%d", number, last);
            last = number;
        }
    }
}

/* The example of docs/webhooks.md takes what came, and nothing else. */
static void assert_example_verifies(const char *secret)
{
    char command[1500];
    snprintf(command, sizeof command,
             "python3 -c '\n"
             "import json, re, sys\n"
             "text = open(sys.argv[1]).read()\n"
             "exec(re.search(\"```python\\n(.*?)```\", text, re.S).group(1))\n"
             "def fails(*arguments):\n"
             "    try: verify(*arguments)\n"
             "    except ValueError: return True\n"
             "for line in open(sys.argv[2]):\n"
             "    r = json.loads(line)\n"
             "    h = {\"webhook-\" + name: r[name] for name in [\"id\", \"timestamp\", "
             "\"signature\"]}\n"
             "    body = r[\"body\"].encode()\n"
             "    assert verify(sys.argv[3], h, body) == r[\"id\"]\n"
             "    assert fails(sys.argv[3], h, body + b\"x\")\n"
             "    assert fails(sys.argv[3], h, body, int(r[\"timestamp\"]) + 301)\n"
             "    assert fails(\"whsec_AAAA\", h, body)\n"
             "' " MOOLAH_SOURCE_DIR "/docs/webhooks.md %s %s",
             receiver.requests, secret);
    assert_int_equal(stack_shell(stack, command), 0);
}

/* What waits for its next attempt doesn't have to. */
static void hurry(void)
{
    scratch_run(scratch, "update webhook_deliveries set due = now() where due > now()");
}

/* ... nor what was on its way just now and comes back to wait. */
static int events_taken_hurried(void)
{
    hurry();
    return events_taken();
}

static int64_t pending(void)
{
    return scratch_number(scratch, "select count(*) from webhook_deliveries where status = 1");
}

static void await_quiet(void)
{
    for (int i = 0; i < 1000 && pending() > 0; i++)
        usleep(20000);
    assert_int_equal(pending(), 0);
}

/* ---- tests */

static void test_calls(void **state)
{
    struct hook hook;
    char secret[80];
    char path[120];
    (void)state;
    create_hook(&hook, "/hook", "[\"transaction.deposit\",\"transaction.transfer\"]");
    assert_int_equal(strncmp(hook.secret, "whsec_", 6), 0);

    assert_int_equal(ask("GET", hook.path, NULL), 200);
    assert_null(strstr(call.answer, "secret\":\"whsec_"));
    assert_non_null(strstr(call.answer, "[\"transaction.deposit\",\"transaction.transfer\"]"));
    assert_non_null(strstr(call.answer, "\"status\":\"active\""));
    assert_int_equal(ask("GET", "/v1/webhooks?limit=1", NULL), 200);
    assert_non_null(strstr(call.answer, hook.id));
    snprintf(path, sizeof path, "%s/deliveries", hook.path);
    assert_int_equal(ask("GET", path, NULL), 200);
    assert_string_equal(call.answer, "{\"data\":[],\"next\":null}");

    snprintf(path, sizeof path, "%s/rotate", hook.path);
    assert_int_equal(ask("POST", path, NULL), 200);
    member(answer(), "secret", secret, sizeof secret);
    assert_string_not_equal(secret, hook.secret);
    assert_null(strstr(call.answer, "\"previous_secret_until\":null"));
    assert_int_equal(scratch_number(scratch, "select count(*) from webhooks where secret <> "
                                             "previous_secret and octet_length(secret) = 72"),
                     1);

    /* nobody else's business */
    ask_as("GET", hook.path, other_partner, NULL, NULL);
    expect_code(404, "webhook_not_found");
    ask_as("DELETE", hook.path, other_partner, NULL, NULL);
    expect_code(404, "webhook_not_found");

    delete_hook(&hook);
    static const char *const gone[] = {"", "/deliveries"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s%s", hook.path, gone[i]);
        ask("GET", path, NULL);
        expect_code(404, "webhook_not_found");
    }
    snprintf(path, sizeof path, "%s/rotate", hook.path);
    ask("POST", path, NULL);
    expect_code(404, "webhook_not_found");
    snprintf(path, sizeof path, "%s/replay", hook.path);
    ask("POST", path, "{\"from\":\"2026-01-01T00:00:00Z\"}");
    expect_code(404, "webhook_not_found");
}

static void test_refusals(void **state)
{
    static const char *const bodies[] = {
        "{\"url\":\"http://example.com/\",\"types\":[\"*\"]}",
        "{\"url\":\"https:///path\",\"types\":[\"*\"]}",
        "{\"url\":\"https://me@example.com/\",\"types\":[\"*\"]}",
        "{\"url\":\"https://example.com/ a\",\"types\":[\"*\"]}",
        "{\"url\":\"https://10.0.0.1/hook\",\"types\":[\"*\"]}",
        "{\"url\":\"https://169.254.169.254/latest\",\"types\":[\"*\"]}",
        "{\"url\":\"https://0x0a000001/\",\"types\":[\"*\"]}",
        "{\"url\":\"https://[::1]:8443/\",\"types\":[\"*\"]}",
        "{\"url\":\"https://example.com/\",\"types\":[]}",
        "{\"url\":\"https://example.com/\",\"types\":\"*\"}",
        "{\"url\":\"https://example.com/\",\"types\":[\"transaction.gift\"]}",
        "{\"url\":\"https://example.com/\",\"types\":[\"deposit\"]}",
        "{\"url\":\"https://example.com/\"}",
    };
    static const char *const replays[] = {
        "{}",
        "{\"from\":\"yesterday\"}",
        "{\"after\":\"tx_01jb0000000000000000000000\"}",
        "{\"from\":\"2026-01-01T00:00:00Z\",\"after\":\"evt_01jb0000000000000000000000\"}",
    };
    struct hook hook;
    char path[120];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ask("POST", "/v1/webhooks", bodies[i]);
        expect_code(400, "invalid_request");
    }
    create_hook(&hook, "/hook", "[\"*\"]");
    ask("GET", "/v1/webhooks?after=x", NULL);
    expect_code(400, "invalid_request");
    snprintf(path, sizeof path, "%s/deliveries?after=x", hook.path);
    ask("GET", path, NULL);
    expect_code(400, "invalid_request");
    snprintf(path, sizeof path, "%s/replay", hook.path);
    for (size_t i = 0; i < sizeof replays / sizeof replays[0]; i++) {
        ask("POST", path, replays[i]);
        expect_code(400, "invalid_request");
    }
    for (int i = 1; i < 10; i++)
        create_hook(&hook, "/hook", "[\"*\"]");
    ask("POST", "/v1/webhooks", "{\"url\":\"https://example.com/\",\"types\":[\"*\"]}");
    expect_code(422, "limit_exceeded");
    expect_next("/v1/webhooks");
    scratch_run(scratch, "update webhooks set status = 3");
}

/* Each call: who may not, and what no call takes. */
static void test_callers(void **state)
{
    static const char id[] = "/v1/webhooks/whk_01jb0000000000000000000000";
    static const struct {
        const char *method, *tail, *body;
    } calls[] = {
        {"POST", NULL, "{\"url\":\"https://example.com/\",\"types\":[\"*\"]}"},
        {"GET", NULL, NULL},
        {"GET", "", NULL},
        {"DELETE", "", NULL},
        {"POST", "/rotate", NULL},
        {"POST", "/replay", "{\"from\":\"2026-01-01T00:00:00Z\"}"},
        {"GET", "/deliveries", NULL},
    };
    static char large[70000];
    char token[120];
    (void)state;
    memset(large, ' ', sizeof large - 1);
    assert_int_equal(
        ask("POST", "/v1/sessions", "{\"phone\":\"+27820000000\",\"password\":\"correct horse\"}"),
        201);
    member(answer(), "token", token, sizeof token);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char path[120];
        char odd[140];
        const char *method = calls[i].method;
        const char *body = calls[i].body;
        snprintf(path, sizeof path, "%s%s", calls[i].tail == NULL ? "/v1/webhooks" : id,
                 calls[i].tail == NULL ? "" : calls[i].tail);
        snprintf(odd, sizeof odd, "%s?odd=1", path);
        ask_as(method, path, NULL, body, NULL);
        expect_code(401, "unauthenticated");
        ask_as(method, path, token, body, NULL);
        expect_code(403, "forbidden");
        ask_as(method, odd, partner, body, NULL);
        expect_code(400, "invalid_request");
        if (body == NULL)
            continue;
        ask_as(method, path, partner, body, "text/plain");
        expect_code(415, "unsupported_media_type");
        ask_as(method, path, partner, "{", NULL);
        expect_code(400, "malformed_json");
        ask_as(method, path, partner, large, NULL);
        expect_code(413, "body_too_large");
    }
}

/* Signed, logged, once; by both secrets while one follows the other. */
static void test_delivers(void **state)
{
    struct hook hook;
    char path[120];
    char fresh[80];
    (void)state;
    forget();
    create_hook(&hook, "/hook", "[\"*\"]");
    for (int i = 0; i < 12; i++)
        deposit(i % WALLETS);
    await(events_taken, 12);
    assert_int_equal(heard_count, 12);
    for (int i = 0; i < heard_count; i++)
        assert_true(is_signed(&heard[i], hook.secret));
    assert_in_order();
    assert_example_verifies(hook.secret);
    assert_non_null(strstr(heard[0].body, "{\"type\":\"transaction.deposit\",\"timestamp\":\""));

    snprintf(path, sizeof path, "%s/rotate", hook.path);
    assert_int_equal(ask("POST", path, NULL), 200);
    member(answer(), "secret", fresh, sizeof fresh);
    deposit(0);
    await(events_taken, 13);
    assert_true(is_signed(&heard[12], hook.secret) && is_signed(&heard[12], fresh));
    scratch_run(scratch, "update webhooks set previous_until = now()");
    deposit(0);
    await(events_taken, 14);
    assert_true(!is_signed(&heard[13], hook.secret) && is_signed(&heard[13], fresh));

    await_quiet();
    snprintf(path, sizeof path, "%s/deliveries", hook.path);
    expect_next(path);
    snprintf(path, sizeof path, "%s/deliveries?limit=100", hook.path);
    assert_int_equal(ask("GET", path, NULL), 200);
    const struct json *data = json_member(answer(), "data");
    assert_int_equal(json_count(data), 14);
    member(json_element(data, 0), "status", fresh, sizeof fresh);
    assert_string_equal(fresh, "delivered");

    /* all behind the third event, again */
    char body[100];
    char events[14][40];
    for (int i = 0; i < 14; i++)
        member(json_element(data, (size_t)(13 - i)), "event", events[i], sizeof events[i]);
    forget();
    snprintf(path, sizeof path, "%s/replay", hook.path);
    snprintf(body, sizeof body, "{\"after\":\"%s\"}", events[2]);
    assert_int_equal(ask("POST", path, body), 202);
    await(events_taken, 11);
    await_quiet();
    assert_int_equal(hear(), 11);
    assert_in_order();
    for (int i = 0; i < 11; i++)
        for (int e = 0; e < 3; e++)
            assert_string_not_equal(heard[i].id, events[e]);
    delete_hook(&hook);
}

/* One wallet's events aren't taken: they wait in their order, the others' go on. */
static void test_order(void **state)
{
    struct hook hook;
    char mode[80];
    (void)state;
    forget();
    create_hook(&hook, "/hook", "[\"transaction.deposit\"]");
    snprintf(mode, sizeof mode, "500\n%s", wallets[0]);
    receiver_mode(&receiver, mode);
    for (int i = 0; i < 12; i++)
        deposit(i % WALLETS);
    await(events_taken, 8);
    hurry();
    await(hear, 10); /* the first one's second attempt, at least */
    const char *first = NULL;
    for (int i = 0; i < heard_count; i++) {
        if (heard[i].status == 200)
            continue;
        first = first == NULL ? heard[i].id : first;
        assert_string_equal(heard[i].id, first);
    }
    receiver_mode(&receiver, "200");
    await(events_taken_hurried, 12);
    assert_in_order();
    await_quiet();
    delete_hook(&hook);
}

/* A receiver that says when it wants to be asked again; one that hangs; one that has gone; one that
 * has taken it, at length. */
static void test_answers(void **state)
{
    struct hook later;
    struct hook slow;
    struct hook gone;
    struct hook wordy;
    (void)state;
    receiver_mode(&receiver, "200");
    create_hook(&wordy, "/large/100000", "[\"*\"]");
    create_hook(&later, "/status/503?retry_after=3600", "[\"*\"]");
    create_hook(&slow, "/slow/5", "[\"*\"]");
    create_hook(&gone, "/status/410", "[\"*\"]");
    deposit(0);
    for (int i = 0; i < 1000; i++) {
        if (scratch_number(scratch, "select count(*) from webhook_deliveries d join webhooks w "
                                    "on w.id = d.webhook where attempts = 1 and w.status < 3") == 4)
            break;
        usleep(20000);
    }
    assert_int_equal(scratch_number(scratch, "select count(*) from webhook_deliveries where "
                                             "last_status = 503 and due > now() + '59 minutes' "
                                             "and due < now() + '61 minutes'"),
                     1);
    assert_int_equal(scratch_number(scratch,
                                    "select count(*) from webhook_deliveries where last_status "
                                    "is null and last_error like 'timeout: %%' and status = 1"),
                     1);
    assert_int_equal(scratch_number(scratch, "select count(*) from webhook_deliveries where "
                                             "last_status = 200 and last_error is null and "
                                             "due is null and status = 2 and webhook = (select id "
                                             "from webhooks where url like '%%/large/100000')"),
                     1);
    delete_hook(&wordy);
    assert_int_equal(ask("GET", gone.path, NULL), 200);
    assert_non_null(strstr(call.answer, "\"status\":\"ended\""));
    deposit(0); /* and hears nothing more */
    for (int i = 0; i < 1000; i++) {
        if (scratch_number(scratch, "select count(*) from webhook_deliveries where due is null "
                                    "and status = 1") == 2)
            break;
        usleep(20000);
    }
    assert_int_equal(scratch_number(scratch, "select count(*) from webhook_deliveries d join "
                                             "webhooks w on w.id = d.webhook where w.status = 2"),
                     1);
    delete_hook(&later);
    delete_hook(&slow);
    delete_hook(&gone);
}

/* There may be none right now. */
static void kill_worker(int nth)
{
    pid_t pid = second_worker(&second, nth);
    if (pid > 0)
        kill(pid, SIGKILL);
}

/* Kill -9 of all there is: the worker that leads, the receiver; and a receiver down for a while. */
static void test_kills(void **state)
{
    struct hook hook;
    (void)state;
    forget();
    receiver_mode(&receiver, "slow 0.05");
    create_hook(&hook, "/hook", "[\"*\"]");
    int first = deposits;
    for (int i = 0; i < 90; i++) {
        deposit(i % WALLETS);
        if (i % 15 == 5)
            kill_worker(0);
        if (i == 30)
            receiver_kill(&receiver);
        if (i == 60)
            receiver_restart(&receiver);
        if (i == 75)
            kill_worker(1);
    }
    receiver_mode(&receiver, "200");
    await(events_taken_hurried, 90);
    assert_int_equal(events_taken(), deposits - first);
    assert_in_order();
    for (int i = 0; i < heard_count; i++)
        assert_true(is_signed(&heard[i], hook.secret));
    await_quiet();
    assert_int_equal(scratch_number(scratch, "select count(*) from webhook_lanes l join webhooks w "
                                             "on w.id = l.webhook where w.status < 3"),
                     0);
    delete_hook(&hook);
}

/* ---- the parts */

static void make_partner(const char *name, char key[120])
{
    char command[700];
    char path[160];
    snprintf(path, sizeof path, "%s/partner-%s", stack->data, name);
    snprintf(command, sizeof command,
             "MOOLAH_DATABASE=\"%s\" $MOOLAH --json partner add %s | "
             "sed -n 's/.*\"api_key\":\"\\([^\"]*\\)\".*/\\1/p' >%s",
             scratch->owner, name, path);
    assert_int_equal(stack_shell(stack, command), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(key, 120, file));
    key[strcspn(key, "\n")] = '\0';
    fclose(file);
}

static void make_wallets(void)
{
    for (int i = 0; i < WALLETS; i++) {
        char body[200];
        snprintf(body, sizeof body,
                 "{\"phone\":\"+2782000000%d\",\"password\":\"correct horse\",\"name\":\"W\"}", i);
        assert_int_equal(ask("POST", "/v1/users", body), 201);
        member(answer(), "wallet", wallets[i], sizeof wallets[i]);
    }
}

static int group_setup(void **state)
{
    char script[700];
    (void)state;
    stack = stack_start(NULL);
    scratch = scratch_new(stack, true);
    receiver_start(&receiver, false);
    arena_init(&arena);
    make_partner("one", partner);
    make_partner("two", other_partner);
    snprintf(script, sizeof script,
             "s/dbname=moolah /dbname=%s /; s|^return {|return { outbound = { ca = \"%s\", allow = "
             "{ \"127.0.0.0/8\" } }, webhooks = { timeout_s = 1 },|",
             scratch->name, receiver.ca);
    second_start(&second, stack, stack->port + 4, 2, script);
    make_wallets();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    client_call_clear(&call);
    client_close(client);
    arena_release(&arena);
    int code = second_stop(&second);
    receiver_stop(&receiver);
    scratch_free(scratch);
    stack_stop(stack);
    return code;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* who is asked may have been killed */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),    cmocka_unit_test(test_callers),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_delivers),
        cmocka_unit_test(test_order),    cmocka_unit_test(test_answers),
        cmocka_unit_test(test_kills),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
