/* Problems (RFC 9457, application/problem+json): the one catalogue of what can go wrong over HTTP.
 * openapi.yaml's part and docs/problems.md are generated from it (moolah docs problems); a test
 * asserts that no other code leaves the server. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/request.h"

/* code, status, title, help (what the caller can do: shown in the docs). The codes are part of the
 * contract. */
#define PROBLEM_CATALOGUE(X)                                                                       \
    X(MALFORMED_JSON, malformed_json, 400, "The body is not valid JSON",                           \
      "Send one JSON object in UTF-8: no trailing text, no duplicate keys, at most 16 "            \
      "levels deep. `detail` names the byte.")                                                     \
    X(INVALID_REQUEST, invalid_request, 400, "A field or parameter is not acceptable",             \
      "Mend what `errors` points at: `/field` of the body, `?parameter` of the query.")            \
    X(IDEMPOTENCY_KEY_MISSING, idempotency_key_missing, 400, "Idempotency-Key is required",        \
      "Send an Idempotency-Key of your own that names this movement, and the same one when "       \
      "you ask again.")                                                                            \
    X(IDEMPOTENCY_KEY_INVALID, idempotency_key_invalid, 400, "Idempotency-Key is not acceptable",  \
      "Send 1 to 255 visible ASCII characters, bare or in double quotes.")                         \
    X(UNAUTHENTICATED, unauthenticated, 401, "A valid access token or API key is required",        \
      "Sign in, or send a valid API key, as Authorization: Bearer. The token may be "              \
      "expired or signed out.")                                                                    \
    X(SIGN_IN_FAILED, sign_in_failed, 401, "Phone, password or code is wrong",                     \
      "Ask for phone, password and, where a second factor is enabled, a new code. Which "          \
      "one was wrong isn't told.")                                                                 \
    X(FORBIDDEN, forbidden, 403, "This caller may not do that",                                    \
      "Use the right kind of caller: users move their own money, API keys bring deposits. "        \
      "Or give the right secret, where `errors` says so.")                                         \
    X(NOT_FOUND, not_found, 404, "There is nothing here",                                          \
      "Check the path: there is no such resource, for anybody.")                                   \
    X(WALLET_NOT_FOUND, wallet_not_found, 404, "No such wallet",                                   \
      "Check the id: it doesn't exist, or isn't the caller's.")                                    \
    X(RECIPIENT_NOT_FOUND, recipient_not_found, 404, "No such recipient",                          \
      "Check the wallet's id or phone number with the person who is to get the money.")            \
    X(TRANSACTION_NOT_FOUND, transaction_not_found, 404, "No such transaction",                    \
      "Check the id: it doesn't exist, or the caller had no part in it.")                          \
    X(HOLD_NOT_FOUND, hold_not_found, 404, "No such hold",                                         \
      "Check the id: it doesn't exist, or the caller had no part in it.")                          \
    X(USER_NOT_FOUND, user_not_found, 404, "No such user",                                         \
      "Check the id: usr_ and 26 characters.")                                                     \
    X(PRODUCT_NOT_FOUND, product_not_found, 404, "No such product",                                \
      "Ask for the catalogue: it isn't in it, or not any more.")                                   \
    X(SESSION_NOT_FOUND, session_not_found, 404, "No such session",                                \
      "Nothing to do: it doesn't exist, isn't the caller's, or is signed out already.")            \
    X(WEBHOOK_NOT_FOUND, webhook_not_found, 404, "No such webhook",                                \
      "Check the id: it doesn't exist, isn't the partner's, or has ended and can't be changed "    \
      "any more.")                                                                                 \
    X(METHOD_NOT_ALLOWED, method_not_allowed, 405, "This path does not know that method",          \
      "Use one of the methods in the Allow header.")                                               \
    X(REQUEST_IN_PROGRESS, request_in_progress, 409, "The first request with this key still runs", \
      "Wait a moment and ask again with the same key: the first request's answer will be "         \
      "there.")                                                                                    \
    X(NOT_SEALED_YET, not_sealed_yet, 409, "This transaction is not sealed yet",                   \
      "Ask again after Retry-After: seals are made in the background, every second or so.")        \
    X(PHONE_TAKEN, phone_taken, 409, "This phone number cannot be registered",                     \
      "Sign in instead, or use another phone number.")                                             \
    X(ARCHIVED, archived, 410, "That month is archived",                                           \
      "Ask the operators for it: `month` and `archive` say what to ask for. Later months and "     \
      "balances are here.")                                                                        \
    X(BODY_TOO_LARGE, body_too_large, 413, "The body is too large",                                \
      "Send less: 64 KiB at most, 256 KiB to /v1/transfers/bulk.")                                 \
    X(UNSUPPORTED_MEDIA_TYPE, unsupported_media_type, 415, "The body must be application/json",    \
      "Send Content-Type: application/json.")                                                      \
    X(INSUFFICIENT_FUNDS, insufficient_funds, 422, "Not enough money available",                   \
      "Send at most `available` less the fee, or wait for money to come in. A new try "            \
      "needs a new key.")                                                                          \
    X(LIMIT_EXCEEDED, limit_exceeded, 422, "A limit would be exceeded",                            \
      "Stay within `limit`: `which` names it, `remaining` is left of it until `resets_at`. A new " \
      "try "                                                                                       \
      "needs a new key.")                                                                          \
    X(WALLET_FROZEN, wallet_frozen, 422, "The wallet is frozen",                                   \
      "Use another wallet, or ask the operator why it is frozen.")                                 \
    X(WALLET_CLOSED, wallet_closed, 422, "The wallet is closed", "Use another wallet.")            \
    X(WALLET_NOT_EMPTY, wallet_not_empty, 422, "The wallet cannot be closed",                      \
      "Close a wallet when nothing is in it or held on it. The first one, which money to the "     \
      "phone goes to, stays.")                                                                     \
    X(SAME_WALLET, same_wallet, 422, "From and to are the same wallet", "Name two wallets.")       \
    X(CURRENCY_MISMATCH, currency_mismatch, 422, "The currency differs from the wallet's",         \
      "Use wallets of the currency that is sent: nothing is exchanged.")                           \
    X(RULE_DENIED, rule_denied, 422, "A rule does not allow this",                                 \
      "Read `detail`: a product rule doesn't allow this movement.")                                \
    X(RECIPIENT_CANNOT_RECEIVE, recipient_cannot_receive, 422,                                     \
      "The recipient cannot receive this", "Use another wallet of the recipient's.")               \
    X(HOLD_EXPIRED, hold_expired, 422, "The hold's time is over",                                  \
      "Make a new hold: what was held is free again, or will be in a moment.")                     \
    X(HOLD_FINISHED, hold_finished, 422, "The hold is finished already",                           \
      "Ask for the hold: its `status` says whether it was captured, voided or expired.")           \
    X(CAPTURE_EXCEEDS_HOLD, capture_exceeds_hold, 422, "More than is held",                        \
      "Capture at most `remaining`, or leave `amount` out for all of it.")                         \
    X(NOT_REFUNDABLE, not_refundable, 422, "This transaction cannot be given back",                \
      "Refunds are of transfers, captures and purchases. A wrong deposit or withdrawal is put "    \
      "right by the operators.")                                                                   \
    X(REFUND_EXCEEDS_ORIGINAL, refund_exceeds_original, 422, "More than is left of the original",  \
      "Give back at most `remaining`: what went back before counts.")                              \
    X(BULK_REFUSED, bulk_refused, 422, "Nothing of the bulk was posted",                           \
      "Read `results`: each item says why it was refused, or that nothing spoke against it. A "    \
      "new try needs a new key.")                                                                  \
    X(OUT_OF_STOCK, out_of_stock, 422, "Sold out",                                                 \
      "Choose another product, or try again later with a new key. No money was held.")             \
    X(PRODUCT_UNAVAILABLE, product_unavailable, 422, "This product cannot be had right now",       \
      "Try again later, with the same key: its supplier isn't answering, and nothing was done.")   \
    X(PURCHASE_NOT_FOUND, purchase_not_found, 404, "No such purchase",                             \
      "Check the id: it doesn't exist, or isn't the caller's.")                                    \
    X(PURCHASE_NOT_OPEN, purchase_not_open, 422, "Nothing is to be decided about this purchase",   \
      "Read `detail`: it's finished or decided already, or may yet end by itself.")                \
    X(VALIDATION_FAILED, validation_failed, 422, "A field doesn't fit the rest of the request",    \
      "Mend what `errors` points at: each field may be fine by itself. A quote is for the "        \
      "caller, "                                                                                   \
      "the parties, the amount and the currency that it was asked for, and for no others.")        \
    X(QUOTE_EXPIRED, quote_expired, 422, "The quote is over",                                      \
      "Ask for a new one and move the money with it, under a new key: a quote holds for 60 s.")    \
    X(IDEMPOTENCY_KEY_REUSED, idempotency_key_reused, 422, "This key belongs to another request",  \
      "Use a new key for a new request; with this key, repeat the first request exactly.")         \
    X(RATE_LIMITED, rate_limited, 429, "Too many requests",                                        \
      "Wait as long as Retry-After says. RateLimit tells what is left before it comes to "         \
      "this.")                                                                                     \
    X(TOO_MANY_STREAMS, too_many_streams, 429, "Too many event streams",                           \
      "End another one of the user's event streams: so many may be open at once.")                 \
    X(HEADERS_TOO_LARGE, headers_too_large, 431, "The headers are over 16 KiB",                    \
      "Send fewer or shorter headers, path included.")                                             \
    X(INTERNAL, internal, 500, "Something went wrong on our side",                                 \
      "Ask again with the same key; nothing was moved. If it persists, report the "                \
      "`request_id`.")                                                                             \
    X(OVERLOADED, overloaded, 503, "Too busy right now",                                           \
      "Ask again after Retry-After, with the same key: should the first have come about, "         \
      "its answer is given.")                                                                      \
    X(DATABASE_UNAVAILABLE, database_unavailable, 503, "The database cannot be reached",           \
      "Ask again after Retry-After, with the same key.")                                           \
    X(RULE_FAILED, rule_failed, 503, "The pricing rule failed",                                    \
      "Ask again later with the same key: nothing was moved, and the operators know.")

enum problem_code {
#define X(name, code, status, title, help) PROBLEM_##name,
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
#define PROBLEM_EXTRAS_MAX 6

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
const char *problem_help(enum problem_code code);

/* The catalogue's entry of that name. False: there is none. */
bool problem_find(struct slice name, enum problem_code *code);

/* The body for `problem`, appended to `out`. Also used by posting, which stores refusals byte for
 * byte. */
struct bytes;
struct json_writer;
void problem_write(const struct problem *problem, const struct uuid *request_id, struct bytes *out);

/* Its members alone, into an object that the caller has begun and will end: for members of its own.
 */
void problem_write_members(const struct problem *problem, const struct uuid *request_id,
                           struct json_writer *writer);

/* The catalogue as a page of the docs. */
void problem_write_docs(struct bytes *out);

/* Fill the response with it and request_answer. */
void problem_answer(struct request *request, const struct problem *problem);

/* The short way for problems that need no more than their code and perhaps a sentence. */
void problem_answer_code(struct request *request, enum problem_code code, const char *detail);

#endif
