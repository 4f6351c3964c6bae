/* What a webhook is told: the body, and the headers of Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 * The id is the event's, the same for each attempt: receivers tell duplicates by it. */
#ifndef WEBHOOKS_MESSAGE_H
#define WEBHOOKS_MESSAGE_H

#include "base/bytes.h"
#include "base/uuid.h"
#include "store/webhooks.h"

struct wallets_transaction;

/* {"type":"transaction.deposit","timestamp":...,"data":{...}}: the data is what
 * GET /v1/transactions/{id} gives the partner. */
void message_write(const struct wallets_transaction *transaction, struct bytes *body);

#define MESSAGE_SIGNATURE_MAX 52 /* "v1," and base64 of 32 bytes, and NUL */

/* HMAC-SHA256 over "id.timestamp.body". */
struct message_signed {
    const char *id;
    int64_t timestamp; /* Unix seconds, of the attempt */
    struct slice body;
};
/* False: out of memory. */
bool message_sign(const struct message_signed *what, const uint8_t secret[WEBHOOKS_SECRET_SIZE],
                  char signature[MESSAGE_SIGNATURE_MAX]);

#endif
