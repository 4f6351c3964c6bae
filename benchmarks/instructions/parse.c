/* Frames of POST /v1/transfers -> request -> route -> the body as ledger types -> the question to
 * the gate, encoded for Redis: what a transfer costs until it waits for the first time. */
#include <ev.h>

#include "api/service.h"
#include "base/clock.h"
#include "base/flow.h"
#include "benchmarks/instructions/client.h"
#include "benchmarks/instructions/pieces.h"
#include "benchmarks/instructions/relay.h"
#include "http/session.h"
#include "posting/posting.h"

struct parse {
    struct service service;
    int waiting; /* requests that wait for the gate */
};

static void serve(void *owner, struct request *request)
{
    struct parse *parse = owner;
    service_serve(&parse->service, request);
    parse->waiting += request->flow != NULL && request->flow->state == FLOW_WAITING;
}

static void wake(void *owner)
{
    (void)owner;
}

PIECES_COUNTED bool counted_parse(struct session *session, const struct client_bytes *bytes,
                                  int64_t now)
{
    bool good = true;
    for (int i = 0; i < CLIENT_REQUESTS; i++)
        good =
            good && session_receive(session, bytes->requests[i].at, bytes->requests[i].length, now);
    return good;
}

static bool run_round(struct parse *parse, const struct client_bytes *bytes)
{
    const struct session_owner owner = {parse, serve, wake, {NULL, service_answered}};
    int64_t now = clock_monotonic();
    struct session *session =
        session_new(&session_limits_default, &owner, &pieces_client, false, now);
    parse->waiting = 0;
    bool good = session != NULL &&
                session_receive(session, bytes->start.at, bytes->start.length, now) &&
                counted_parse(session, bytes, now);
    session_free(session); /* the requests go on waiting */
    return good && parse->waiting == CLIENT_REQUESTS + 1;
}

static bool run(const char *scratch)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    static const currency currencies[] = {CURRENCY_ZAR, 0};
    struct parse parse = {.service.settings = {.currency = CURRENCY_ZAR,
                                               .currencies = currencies,
                                               .posting_deadline_us = CLOCK_SECOND}};
    const struct posting_settings posting = {.conninfo = "host=/nowhere",
                                             .lanes = 1,
                                             .batch_max = 1,
                                             .queue_max = 1,
                                             .currencies = currencies};
    struct client_bytes bytes;
    struct relay relay;
    if (!relay_open(&relay, scratch) || !client_write(&bytes))
        return pieces_fail(&parse_piece, "no Redis in the scratch folder, or out of memory");
    parse.service.gate = relay_gate(&relay, loop);
    parse.service.posting = posting_new(loop, &posting); /* its line is empty: all are admitted */
    if (parse.service.gate == NULL || parse.service.posting == NULL)
        return pieces_fail(&parse_piece, "the gate did not connect, or out of memory");
    for (int round = 0; round < PIECES_ROUNDS; round++) {
        if (!run_round(&parse, &bytes))
            return pieces_fail(&parse_piece, "a transfer did not get as far as the gate");
        ev_run(loop, EVRUN_NOWAIT); /* the questions leave; answers aren't needed */
    }
    return true;
}

const struct piece parse_piece = {"parse_and_route", "counted_parse", CLIENT_REQUESTS, "transfer",
                                  run};
