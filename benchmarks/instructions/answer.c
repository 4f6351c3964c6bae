/* A receipt becomes a response: headers, log line, metrics, HTTP/2 frames for the transport. */
#include <stdio.h>

#include "api/service.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/flow.h"
#include "base/log.h"
#include "benchmarks/instructions/client.h"
#include "benchmarks/instructions/pieces.h"
#include "http/session.h"

#define OUTPUT_MAX 65536

static const char receipt[] =
    "{\"id\":\"tx_01kbb9xq4ge6z9mvf3s8b2t5rw\",\"kind\":\"transfer\",\"status\":\"posted\","
    "\"amount\":10000,\"fee\":250,\"currency\":\"ZAR\",\"from\":\"wal_01kbb9xq4ge6z9mvf3s8b2t5rw\","
    "\"to\":\"wal_01kbb9xq4ge6z9mvf3s8b2t5ry\",\"note\":\"lunch at the market\",\"reference\":null,"
    "\"created_at\":\"2026-12-01T08:00:00.000000Z\",\"pricing\":{\"bundle\":\"sha256:"
    "1f6a7c0d9be2483518c9a4f0e7d6b5c41f6a7c0d9be2483518c9a4f0e7d6b5c4\",\"rules\":[\"transfer."
    "p2p\"],\"lines\":[{\"rule\":\"transfer.p2p\",\"code\":\"fee\",\"amount\":250}]},\"balance\":{"
    "\"posted\":1989750,\"held\":0,\"available\":1989750},\"request_id\":\"req_"
    "01kbb9xq4ge6z9mvf3s8b2t5rz\"}";

/* The steps of a transfer, for the log line. */
static const struct flow_step steps[] = {
    {"read_body", NULL},   {"ask_gate", NULL},       {"check_gate", NULL}, {"ask_recipient", NULL},
    {"ask_posting", NULL}, {"report_posting", NULL}, {NULL, NULL},
};
static const struct flow flow = {
    .steps = steps, .state = FLOW_FINISHED, .at = 5, .step_us = {31, 412, 2, 0, 2718, 3}};

struct answer {
    struct request *requests[CLIENT_REQUESTS + 1];
    size_t count;
};

static void serve(void *owner, struct request *request)
{
    struct answer *answer = owner;
    request->id = pieces_id(100 + (unsigned)answer->count);
    request->flow = &flow;
    request->batch_size = 128;
    answer->requests[answer->count++] = request;
}

static void wake(void *owner)
{
    (void)owner;
}

static void give(struct request *request)
{
    response_header_add(request, "ratelimit-policy", SLICE("\"user\";q=20;w=2"));
    response_header_add(request, "ratelimit", SLICE("\"user\";r=17;t=1"));
    response_json(request, 201, arena_copy(&request->arena, SLICE(receipt)));
    request_answer(request);
}

PIECES_COUNTED bool counted_answer(struct session *session, const struct answer *answer,
                                   struct bytes *out)
{
    for (size_t i = 1; i < answer->count; i++)
        give(answer->requests[i]);
    return session_send(session, out, OUTPUT_MAX);
}

/* A duration in the log has always seven digits. */
static bool run_round(const struct client_bytes *bytes, struct bytes *out)
{
    struct answer answer = {.count = 0};
    const struct session_owner owner = {&answer, serve, wake, {NULL, service_answered}};
    int64_t now = clock_monotonic() - 4 * (int64_t)CLOCK_SECOND;
    struct session *session =
        session_new(&session_limits_default, &owner, &pieces_client, false, now);
    bool good =
        session != NULL && session_receive(session, bytes->start.at, bytes->start.length, now);
    for (int i = 0; good && i < CLIENT_REQUESTS; i++)
        good = session_receive(session, bytes->requests[i].at, bytes->requests[i].length, now);
    good = good && answer.count == CLIENT_REQUESTS + 1;
    if (good) {
        give(answer.requests[0]);
        good = session_send(session, out, OUTPUT_MAX);
        bytes_clear(out);
        good = good && counted_answer(session, &answer, out) &&
               out->length > CLIENT_REQUESTS * (sizeof receipt - 1);
    }
    session_free(session);
    bytes_clear(out);
    log_flush();
    return good;
}

static bool run(const char *scratch)
{
    struct client_bytes bytes;
    struct bytes out;
    (void)scratch;
    bytes_init(&out, NULL);
    if (!client_write(&bytes))
        return pieces_fail(&answer_piece, "out of memory");
    for (int round = 0; round < PIECES_ROUNDS; round++)
        if (!run_round(&bytes, &out))
            return pieces_fail(&answer_piece, "a receipt was not sent whole");
    bytes_release(&out);
    return true;
}

const struct piece answer_piece = {"write_response", "counted_answer", CLIENT_REQUESTS, "response",
                                   run};
