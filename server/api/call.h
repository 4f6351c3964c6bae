/* A call: what every endpoint's operation embeds first. Its flow, the request it answers, and the
 * gate's answer.
 *
 *     struct show_me {
 *         struct call call;
 *         struct users_question user;
 *     };
 *
 * Operations live in the request's arena and are never freed by themselves. Every step that ends
 * the request leaves a response behind and returns FLOW_DONE; the flow's end sends it. */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/service.h"
#include "base/flow.h"
#include "http/problem.h"
#include "store/gate.h"
#include "store/pg_pool.h"

struct call {
    struct flow flow;
    struct request *request;
    struct service *service;
    struct gate_question gate;
    struct problem problem; /* what call_refuse sends */
    struct slice within;    /* body.c's: the pointer to the object that it reads; none: the body */
    bool refused;
};

/* Who may call: the gate is asked accordingly. */
enum call_access { CALL_ANYONE, CALL_USER, CALL_PARTNER, CALL_ANY_CALLER };

/* An operation of `size` bytes that begins with a struct call, started on `steps`. */
void call_start(struct service *service, struct request *request, size_t size,
                const struct flow_step *steps);

/* The call around a flow. */
struct call *call_of(struct flow *flow);

/* For a step that asked something: go on with the next one. Called by answers. */
void call_resume(struct call *call);

/* Answer with a problem. `call->problem` may have been given fields and extras before. Returns
 * FLOW_DONE. */
enum flow_verdict call_refuse(struct call *call, enum problem_code code, const char *detail);

/* One more faulty field for call->problem. `pointer` must outlive the request: a literal, or in its
 * arena. */
void call_add_field(struct call *call, struct slice pointer, const char *code, const char *detail);

/* What a question's outcome means when it isn't PG_OK. Returns FLOW_DONE. */
enum flow_verdict call_refuse_outcome(struct call *call, enum pg_outcome outcome);

/* After a question to the database. Returns FLOW_WAIT when it was `asked`; FLOW_DONE when the pool
 * took no more, because it is full or has no connection. */
enum flow_verdict call_wait(struct call *call, bool asked);

/* Answer JSON that `body` holds. Returns FLOW_DONE. */
enum flow_verdict call_answer(struct call *call, int status, const struct bytes *body);

/* Answer what was stored when it came about, byte for byte: JSON, a problem, or nothing (204). */
enum flow_verdict call_answer_stored(struct call *call, int status, struct slice body);

/* Answer as call_answer for a GET whose answer has an ETag (of its content): 304 when the caller
 * has it already. */
enum flow_verdict call_answer_tagged(struct call *call, const struct bytes *body);

enum flow_verdict call_answer_nothing(struct call *call); /* 204 */

/* Steps: ask the gate; whoever may not call is refused. */
enum flow_verdict call_ask_gate(struct flow *flow);
enum flow_verdict call_check_anyone(struct flow *flow);
enum flow_verdict call_check_user(struct flow *flow);
enum flow_verdict call_check_partner(struct flow *flow);
enum flow_verdict call_check_caller(struct flow *flow); /* user or partner */

/* No query parameters are known: any is refused. False: refused. */
bool call_expect_no_query(struct call *call);

/* An id from the path; nil when it isn't one of that prefix. */
struct uuid call_path_id(const struct call *call, size_t index, const char *prefix);

const struct uuid *call_caller(const struct call *call);

/* A line in the log about something that happened: event, caller, and up to one id. */
void call_log(const struct call *call, const char *event, const char *prefix,
              const struct uuid *id);

#endif
