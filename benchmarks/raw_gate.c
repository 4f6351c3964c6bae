#include "benchmarks/raw_gate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/raw_job.h"
#include "store/gate.h"
#include "store/pg_pool.h"
#include "store/pool_statements.h"

#define CONNECTIONS 2
#define PIPELINE_MAX 1024 /* every token of the first turn; no connection takes more */

struct raw_gate {
    struct pg_pool *pool;
    struct gate *gate;
};

static struct pg_pool *make_pool(struct ev_loop *loop, const struct raw_job *job)
{
    const struct pg_pool_settings settings = {
        .connection = {.conninfo = job->conninfo,
                       .application_name = "moolah-bench raw",
                       .statements = gate_statements,
                       .setup = pool_statements_setup,
                       .connect_timeout_us = 5 * CLOCK_SECOND,
                       .answer_timeout_us = 30 * CLOCK_SECOND},
        .connections = CONNECTIONS,
        .queue_max = CONNECTIONS * PIPELINE_MAX,
        .pipeline_max = PIPELINE_MAX,
    };
    return pg_pool_new(loop, &settings);
}

struct raw_gate *raw_gate_new(struct ev_loop *loop, const struct raw_job *job)
{
    /* Limits that are counted and never reached. Slow is what is to be seen, not a reason to go
     * without Redis. */
    static const struct gate_rate endless = {1e6, 1000000};
    const struct gate_settings settings = {.redis = job->redis,
                                           .timeout_us = 5 * CLOCK_SECOND,
                                           .user = endless,
                                           .ip = endless,
                                           .sign_in_phone = endless,
                                           .sign_in_ip = endless,
                                           .lookup_user = endless,
                                           .sign_up_ip = endless};
    struct raw_gate *gate = memory_alloc(sizeof *gate);
    if (gate == NULL)
        return NULL;
    gate->pool = make_pool(loop, job);
    if (gate->pool != NULL)
        gate->gate = gate_new(loop, gate->pool, &settings);
    if (gate->gate != NULL)
        return gate;
    raw_gate_free(gate);
    return NULL;
}

void raw_gate_free(struct raw_gate *gate)
{
    if (gate == NULL)
        return;
    gate_free(gate->gate);
    pg_pool_free(gate->pool);
    memory_free(gate);
}

bool raw_gate_is_ready(const struct raw_gate *gate)
{
    return pg_pool_is_ready(gate->pool) && !gate_breaker_is_open(gate->gate);
}

bool raw_gate_ask(struct raw_gate *gate, struct gate_question *question,
                  const struct raw_job_person *person)
{
    static const struct inet loopback = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    if (gate_breaker_is_open(gate->gate))
        return false;
    question->authorization = (struct slice){person->authorization, strlen(person->authorization)};
    question->client = loopback;
    question->extra = GATE_PLAIN;
    return gate_ask(gate->gate, question) == GATE_ASKED_LATER;
}

bool raw_gate_let_in(const struct raw_gate *gate, const struct gate_question *question,
                     struct raw_job *job)
{
    static const char *const words[] = {[GATE_ALLOWED] = "let in",
                                        [GATE_UNAUTHENTICATED] = "unauthenticated",
                                        [GATE_LIMITED] = "limited",
                                        [GATE_UNAVAILABLE] = "unavailable"};
    bool alone = gate_breaker_is_open(gate->gate);
    if (question->answer.verdict == GATE_ALLOWED && !alone)
        return true;
    snprintf(job->error, sizeof job->error, "the gate said '%s'%s", words[question->answer.verdict],
             alone ? ": Redis does not answer it" : "");
    return false;
}
