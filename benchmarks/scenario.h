/* A scenario: what the load consists of (scenario_file.h reads it). Requests are templates; the
 * request with a given number is always the same, so that it can be sent twice and asked for again
 * afterwards. */
#ifndef BENCHMARKS_SCENARIO_H
#define BENCHMARKS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct population;

#define SCENARIO_CALLS_MAX 16
#define SCENARIO_EXPECT_MAX 4
#define SCENARIO_TEXT_MAX 512
#define SCENARIO_CONNECTIONS_MAX 20000
#define SCENARIO_STREAMS_MAX 1000

/* What path and body may have in them, for people. */
#define SCENARIO_PLACES "{from} {to} {popular} {amount} {phone} {password} {serial}"

enum scenario_caller { SCENARIO_NOBODY, SCENARIO_FROM, SCENARIO_PARTNER };

struct scenario_call {
    char name[32];
    double weight;
    char method[8];
    char path[SCENARIO_TEXT_MAX]; /* with SCENARIO_PLACES */
    char body[SCENARIO_TEXT_MAX];
    enum scenario_caller as;
    bool key;                        /* carries an Idempotency-Key */
    int64_t least, most;             /* {amount} */
    int expect[SCENARIO_EXPECT_MAX]; /* statuses that are right; ended by 0 */
};

struct scenario {
    char name[64];
    char help[256];
    struct scenario_call calls[SCENARIO_CALLS_MAX];
    int call_count;
    double twice;    /* share of keyed calls that are sent again */
    double zipf;     /* exponent of the wallets' popularity; 0: uniform */
    double of_peak;  /* an open loop at that multiple of the server's peak; 0: not so */
    int connections; /* 0: the command line says */
    int streams;
    int requests_per_connection; /* 0: as many as come */
    int idle;                    /* connections that are held open and do nothing */

    /* derived */
    double zeta_n, zeta_2, alpha, eta; /* of the Zipf distribution */
    size_t wallets;
};

/* Is `name` one of SCENARIO_PLACES? */
bool scenario_knows_place(const char *name, size_t length);

/* Before the first request: the population it is about. */
void scenario_prepare(struct scenario *scenario, size_t wallets);

/* A request, rendered. */
struct scenario_request {
    const struct scenario_call *call;
    char path[SCENARIO_TEXT_MAX];
    char body[SCENARIO_TEXT_MAX];
    char key[64];
    char authorization[128];
    size_t path_length, body_length, key_length, authorization_length;
};

/* What a run's requests have in common. */
struct scenario_run {
    const struct scenario *scenario;
    const struct population *population;
    const char *name;        /* of the run: part of each key */
    const char *partner_key; /* for calls of a partner */
    uint64_t seed;
};

/* Request number `serial` of a run. */
void scenario_request(const struct scenario_run *run, uint64_t serial,
                      struct scenario_request *out);

#endif
