/* moolah-bench: a closed loop of transfers between the demo wallets of a running ci/up, for a first
 * look at speed. The real instrument (open loop, scenarios, audit, baselines) is a later step.
 *
 *   moolah-bench DIR [connections 64] [streams 8] [seconds 10]      DIR: ci/up's --data
 *
 * Prints acknowledged transfers per second, and the latency of single calls. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/client.h"

#define USERS 4
#define PLACES_MAX 4096

struct place {
    struct client_call call;
    char key[40];
    char body[220];
    int connection;
    bool busy;
};

static struct {
    int port;
    char ca[200];
    char wallets[USERS][40];
    char tokens[USERS][96];
    struct client *clients[512];
    struct place places[PLACES_MAX];
    long serial, good, bad;
    uint32_t *latencies; /* microseconds, of the good ones */
    size_t latency_count, latency_room;
} bench;

static void fail(const char *what)
{
    fprintf(stderr, "moolah-bench: %s\n", what);
    exit(1);
}

static void copy(const struct json *object, const char *name, char *out, size_t size)
{
    struct slice text = json_string(json_member(object, name));
    snprintf(out, size, "%.*s", (int)text.length, text.at);
}

static void sign_in(const struct json *user, int i)
{
    char phone[32];
    char password[64];
    char body[200];
    struct client_call call = {0};
    struct arena arena;
    struct json_error error;
    copy(user, "phone", phone, sizeof phone);
    copy(user, "password", password, sizeof password);
    copy(user, "wallet", bench.wallets[i], sizeof bench.wallets[i]);
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", phone, password);
    if (client_do(bench.clients[0], &call, "POST", "/v1/sessions", NULL, NULL, body) != 201)
        fail("a demo user cannot sign in: is ci/up running on that folder?");
    arena_init(&arena);
    const struct json *answer =
        json_parse((struct slice){call.answer, call.answer_length}, &arena, &error);
    copy(answer, "token", bench.tokens[i], sizeof bench.tokens[i]);
    arena_release(&arena);
    client_call_clear(&call);
}

/* So that nobody runs out of money: refusals would be cheaper than what is to be measured. */
static void deposit(const char *partner_key, int i)
{
    char key[60];
    char body[200];
    struct client_call call = {0};
    snprintf(key, sizeof key, "bench-deposit-%d-%d", (int)getpid(), i);
    snprintf(
        body, sizeof body,
        "{\"to\":\"%s\",\"amount\":1000000000000,\"currency\":\"ZAR\",\"reference\":\"bench\"}",
        bench.wallets[i]);
    if (client_do(bench.clients[0], &call, "POST", "/v1/deposits", partner_key, key, body) != 201)
        fail("a deposit was refused");
    client_call_clear(&call);
}

static void connect_all(const char *folder, int connections)
{
    static char text[65536];
    char path[300];
    char url[80];
    char partner_key[96];
    struct arena arena;
    struct json_error error;
    snprintf(path, sizeof path, "%s/demo.json", folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail("there is no demo.json in that folder: start ci/up --data DIR first");
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    arena_init(&arena);
    const struct json *demo = json_parse((struct slice){text, length}, &arena, &error);
    if (demo == NULL)
        fail("demo.json is broken");
    copy(demo, "url", url, sizeof url);
    copy(demo, "ca", bench.ca, sizeof bench.ca);
    copy(demo, "partner_key", partner_key, sizeof partner_key);
    bench.port = (int)strtol(strrchr(url, ':') + 1, NULL, 10);
    for (int i = 0; i < connections; i++)
        if ((bench.clients[i] = client_open(bench.port, bench.ca)) == NULL)
            fail("cannot connect");
    for (int i = 0; i < USERS; i++) {
        sign_in(json_element(json_member(demo, "users"), (size_t)i), i);
        deposit(partner_key, i);
    }
    arena_release(&arena);
}

static void begin(struct place *place)
{
    int from = (int)(bench.serial % USERS);
    int to = (from + 1 + (int)(bench.serial / USERS % (USERS - 1))) % USERS;
    snprintf(place->key, sizeof place->key, "bench-%d-%ld", (int)getpid(), bench.serial++);
    snprintf(place->body, sizeof place->body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"}",
             bench.wallets[from], bench.wallets[to]);
    client_call_clear(&place->call);
    place->call.method = "POST";
    place->call.path = "/v1/transfers";
    place->call.token = bench.tokens[from];
    place->call.key = place->key;
    place->call.body = place->body;
    place->busy = client_begin(bench.clients[place->connection], &place->call);
}

static void take(struct place *place)
{
    place->busy = false;
    if (!place->call.done || place->call.status != 201) {
        bench.bad++;
        return;
    }
    bench.good++;
    if (bench.latency_count < bench.latency_room)
        bench.latencies[bench.latency_count++] =
            (uint32_t)(place->call.ended_us - place->call.began_us);
}

static void run(int connections, int streams, int seconds)
{
    int64_t end = clock_monotonic() + (int64_t)seconds * CLOCK_SECOND;
    int busy = 1;
    for (int i = 0; i < connections * streams; i++)
        bench.places[i].connection = i % connections;
    while (busy > 0) {
        bool more = clock_monotonic() < end;
        busy = 0;
        for (int i = 0; i < connections * streams; i++) {
            struct place *place = &bench.places[i];
            if (place->busy && (place->call.done || place->call.lost))
                take(place);
            if (!place->busy && more)
                begin(place);
            busy += place->busy;
        }
        if (busy > 0)
            client_turn(bench.clients, (size_t)connections, 100);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static uint32_t percentile(double part)
{
    return bench.latencies[(size_t)((double)(bench.latency_count - 1) * part)];
}

int main(int argc, char **argv)
{
    int connections = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 64;
    int streams = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 8;
    int seconds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 10;
    if (argc < 2 || connections < 1 || connections > 512 || streams < 1 ||
        connections * streams > PLACES_MAX || seconds < 1)
        fail("moolah-bench DIR [connections 64] [streams 8] [seconds 10]");
    signal(SIGPIPE, SIG_IGN);
    bench.latency_room = 4000000;
    bench.latencies = malloc(bench.latency_room * sizeof bench.latencies[0]);
    if (bench.latencies == NULL)
        fail("out of memory");
    connect_all(argv[1], connections);
    int64_t began = clock_monotonic();
    run(connections, streams, seconds);
    double took = (double)(clock_monotonic() - began) / CLOCK_SECOND;
    if (bench.latency_count == 0)
        fail("nothing was answered");
    qsort(bench.latencies, bench.latency_count, sizeof bench.latencies[0], compare);
    printf("transfers_per_second %.0f 1/s\n", (double)bench.good / took);
    printf("latency_p50 %u us\nlatency_p99 %u us\nlatency_p999 %u us\n", percentile(0.5),
           percentile(0.99), percentile(0.999));
    printf("not_answered %ld calls\n", bench.bad);
    return bench.bad > 0;
}
