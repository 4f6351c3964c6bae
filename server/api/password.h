/* argon2id off the loop's thread: 25 ms of CPU each. */
#ifndef API_PASSWORD_H
#define API_PASSWORD_H

#include "api/call.h"
#include "base/crypto.h"
#include "base/offload.h"

struct password_work {
    struct offload_job job;
    struct call *call;
    int64_t until; /* monotonic us */
    struct slice password;
    char encoded[CRYPTO_PASSWORD_HASH_MAX]; /* in for verify, out for hash */
    bool good;                              /* verified, or hashed */
    bool late;                              /* nobody waits any more: neither was done */
};

/* FLOW_WAIT; or the refusal when the pool's queue is full. What reaches its turn after the
 * request's deadline isn't worked on, or a pool that is behind would never catch up. */
enum flow_verdict password_hash(struct call *call, struct password_work *work);
enum flow_verdict password_verify(struct call *call, struct password_work *work);

/* For an unknown phone: verified against this, so that time tells nothing. */
void password_dummy(char encoded[CRYPTO_PASSWORD_HASH_MAX]);

#endif
