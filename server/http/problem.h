/* Problems (RFC 9457, application/problem+json): the one catalogue of what can go wrong over HTTP.
 * openapi.yaml's part and docs/problems.md are generated from it (moolah docs problems); a test
 * asserts that no other code leaves the server. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/request.h"

/* code, status, title, help (what the caller can do: shown in the docs). The codes are part of the
 * contract. */
#define PROBLEM_CATALOGUE(X)                                                                       \
    X(MALFORMED_JSON, malformed_json, 400, "The body is not valid JSON")                           \
    X(INVALID_REQUEST, invalid_request, 400, "A field or parameter is not acceptable")             \
    X(IDEMPOTENCY_KEY_MISSING, idempotency_key_missing, 400, "Idempotency-Key is required")        \
    X(IDEMPOTENCY_KEY_INVALID, idempotency_key_invalid, 400, "Idempotency-Key is not acceptable")  \
    X(UNAUTHENTICATED, unauthenticated, 401, "A valid access token or API key is required")        \
    X(SIGN_IN_FAILED, sign_in_failed, 401, "Phone, password or code is wrong")                     \
    X(FORBIDDEN, forbidden, 403, "This caller may not do that")                                    \
    X(NOT_FOUND, not_found, 404, "There is nothing here")                                          \
    X(WALLET_NOT_FOUND, wallet_not_found, 404, "No such wallet")                                   \
    X(RECIPIENT_NOT_FOUND, recipient_not_found, 404, "No such recipient")                          \
    X(TRANSACTION_NOT_FOUND, transaction_not_found, 404, "No such transaction")                    \
    X(SESSION_NOT_FOUND, session_not_found, 404, "No such session")                                \
    X(METHOD_NOT_ALLOWED, method_not_allowed, 405, "This path does not know that method")          \
    X(REQUEST_IN_PROGRESS, request_in_progress, 409, "The first request with this key still runs") \
    X(PHONE_TAKEN, phone_taken, 409, "This phone number cannot be registered")                     \
    X(BODY_TOO_LARGE, body_too_large, 413, "The body is over 64 KiB")                              \
    X(UNSUPPORTED_MEDIA_TYPE, unsupported_media_type, 415, "The body must be application/json")    \
    X(INSUFFICIENT_FUNDS, insufficient_funds, 422, "Not enough money available")                   \
    X(LIMIT_EXCEEDED, limit_exceeded, 422, "A limit would be exceeded")                            \
    X(WALLET_FROZEN, wallet_frozen, 422, "The wallet is frozen")                                   \
    X(WALLET_CLOSED, wallet_closed, 422, "The wallet is closed")                                   \
    X(SAME_WALLET, same_wallet, 422, "From and to are the same wallet")                            \
    X(CURRENCY_MISMATCH, currency_mismatch, 422, "The currency differs from the wallet's")         \
    X(RULE_DENIED, rule_denied, 422, "A rule does not allow this")                                 \
    X(RECIPIENT_CANNOT_RECEIVE, recipient_cannot_receive, 422,                                     \
      "The recipient cannot receive this")                                                         \
    X(IDEMPOTENCY_KEY_REUSED, idempotency_key_reused, 422, "This key belongs to another request")  \
    X(RATE_LIMITED, rate_limited, 429, "Too many requests")                                        \
    X(HEADERS_TOO_LARGE, headers_too_large, 431, "The headers are over 16 KiB")                    \
    X(INTERNAL, internal, 500, "Something went wrong on our side")                                 \
    X(OVERLOADED, overloaded, 503, "Too busy right now")                                           \
    X(DATABASE_UNAVAILABLE, database_unavailable, 503, "The database cannot be reached")           \
    X(RULE_FAILED, rule_failed, 503, "The pricing rule failed")

enum problem_code {
#define X(name, code, status, title) PROBLEM_##name,
    PROBLEM_CATALOGUE(X)
#undef X
        PROBLEM_COUNT
};

/* One thing wrong with one field. */
struct problem_field {
    struct slice pointer; /* RFC 6901: "/amount"; for a query parameter "?limit" */
    const char *code;     /* "required" "unknown" "type" "range" "format" "duplicate" */
    const char *detail;   /* for people: what is expected */
};

#define PROBLEM_FIELDS_MAX 8
#define PROBLEM_EXTRAS_MAX 4

/* A member beside the standard ones that helps the caller: available, limit, used, resets_at. */
struct problem_extra {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

struct problem {
    enum problem_code code;
    const char *detail; /* NULL: the title says it all */
    struct problem_field fields[PROBLEM_FIELDS_MAX];
    size_t field_count;
    struct problem_extra extras[PROBLEM_EXTRAS_MAX];
    size_t extra_count;
    int retry_after_s; /* 0: none. 429 and 503 get at least 1 */
};

int problem_status(enum problem_code code);
const char *problem_name(enum problem_code code);
const char *problem_title(enum problem_code code);

/* The body for `problem`, appended to `out`. Also used by posting, which stores refusals byte for
 * byte. */
struct bytes;
void problem_write(const struct problem *problem, const struct uuid *request_id, struct bytes *out);

/* The catalogue as a page of the docs. */
void problem_write_docs(struct bytes *out);

/* Fill the response with it and request_answer. */
void problem_answer(struct request *request, const struct problem *problem);

/* The short way for problems that need no more than their code and perhaps a sentence. */
void problem_answer_code(struct request *request, enum problem_code code, const char *detail);

#endif
