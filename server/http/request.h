/* A request on one HTTP/2 stream, and its response. Lives in its own arena from the first HEADERS
 * frame until both the stream is closed and the answer was given (or found nobody waiting): whoever
 * holds one as a waiting flow never has to ask whether the client is still there.
 *
 * Owner: http/session makes it and frees it. api/ fills `response` and calls request_answer exactly
 * once. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/inet.h"
#include "base/uuid.h"
#include "http/response.h"

struct feed;
struct flow;
struct route;
struct session;

enum request_method {
    METHOD_GET,
    METHOD_HEAD, /* routed as GET, answered without body */
    METHOD_POST,
    METHOD_PATCH,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

/* Found while it arrived; the router answers with the problem of that name. */
enum request_fault {
    REQUEST_FINE,
    REQUEST_HEADERS_TOO_LARGE, /* 431 */
    REQUEST_BODY_TOO_LARGE,    /* 413 */
    REQUEST_MALFORMED,         /* 400: a header that counts came twice */
    REQUEST_NO_MEMORY          /* 503: its body could not be kept */
};

/* Who logs and counts answers: told once per request that was served, even when nobody waits for
 * the answer any more (request->session is NULL then). */
struct request_log {
    void *owner;
    void (*answered)(void *owner, const struct request *request);
};

#define REQUEST_PARAMETERS_MAX 2

struct request {
    struct arena arena;
    struct uuid id;       /* req_...; goes back as X-Request-Id */
    uint8_t trace_id[16]; /* from traceparent, else made here */
    struct inet client;   /* the peer, or who the PROXY header names */
    int64_t arrived;      /* monotonic us when the headers were complete */
    int64_t deadline;     /* monotonic us: then 503, whatever the flow waits for */

    enum request_method method;
    struct slice path;  /* without query; percent-encoding untouched */
    struct slice query; /* behind the '?', or empty */
    struct slice content_type;
    struct slice authorization;
    struct slice idempotency_key;
    struct slice if_none_match;
    struct slice last_event_id;
    struct slice moolah_version;
    struct slice user_agent;
    struct slice accept;
    bool has_client_certificate; /* verified, on the operators' listener */
    struct bytes body;           /* session_limits say how much */

    const struct route *route;                       /* set by the router, NULL: 404 or 405 */
    struct slice parameters[REQUEST_PARAMETERS_MAX]; /* the {id}s of the path, in order */
    const char *log_kind;    /* free for api: a word for the log line, e.g. "replayed" */
    uint32_t batch_size;     /* for the log line: how many shared the posting batch; 0 none */
    const struct flow *flow; /* for the log line: its steps' times; NULL: none ran */

    struct response response;

    enum request_fault fault; /* what makes it unfit to be served */

    /* session's own */
    struct session *session; /* NULL once the stream is gone */
    struct request_log log;
    int32_t stream_id;
    bool complete; /* its end has come, or its fault is final */
    bool served;   /* its flow has begun */
    bool answered; /* an answer is under way; perhaps not the flow's */
    bool refused;  /* a frame on its stream was invalid: we reset it */
    bool sent;     /* the answer is out, to its end */
    bool finished; /* the flow has given its answer: it won't touch the request again */
    uint32_t header_bytes;
    uint32_t discarded;  /* body bytes that came behind the answer */
    size_t held;         /* its part of request_held */
    struct slice unsent; /* of the body that is being sent */
    struct feed *feed;   /* whose it is, once it's open; NULL: response.body */
    int64_t expires;     /* monotonic us: of the phase it is in */
    struct request *next;
    struct request *previous;
};

/* For http/ only: a request in an arena of its own, and its end. NULL: out of memory. */
struct request *request_new(void);
void request_free(struct request *request);

/* For http/ only: what strangers make us keep, their bodies and our answers, in bytes, over all
 * requests of this process. request_hold adds to it until the request is freed, or takes it back.
 */
void request_hold(struct request *request, size_t length);
void request_unhold(struct request *request, size_t length);
size_t request_held(void);

/* `response` is filled: send it (or drop it when the stream is gone), log it, count it. Exactly
 * once. After this the request may be freed at the end of the loop turn: don't touch it again,
 * unless its deadline answered before you (session keeps it until both happened). */
void request_answer(struct request *request);

/* For http/ only: the request's deadline has passed: 503, while its flow goes on. */
void request_answer_timeout(struct request *request);

/* A value from the query: the first `name`, percent-decoded into the arena. False: absent. `*bad`
 * when its encoding is broken. */
bool request_query(struct request *request, const char *name, struct slice *value, bool *bad);

/* Walk all parameters: start with *at = 0; false at the end. `*bad`: this one's encoding is broken.
 */
bool request_query_next(struct request *request, size_t *at, struct slice *name,
                        struct slice *value, bool *bad);

const char *request_method_name(enum request_method method);

#endif
