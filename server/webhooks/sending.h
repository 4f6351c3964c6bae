/* One attempt to tell a webhook of an event: made from the outbox's row, sent, and judged. */
#ifndef WEBHOOKS_SENDING_H
#define WEBHOOKS_SENDING_H

#include "base/arena.h"
#include "net/outbound.h"
#include "store/outbox.h"
#include "webhooks/message.h"

struct sending {
    struct outbound_transfer transfer;
    struct arena arena;
    struct outbox_delivery delivery;
    struct bytes body;
    char id[UUID_TEXT_MAX];
    char timestamp[24];
    char signatures[2 * MESSAGE_SIGNATURE_MAX]; /* two secrets sign while one follows the other */
    bool ended;
    struct outbox_end end; /* how, once it has */
    char error[48 + OUTBOUND_ERROR_MAX];
    void *owner;
    void (*done)(struct sending *sending); /* ended; it stays the owner's to free */
    struct sending *next;
};

struct sending_terms {
    const uint8_t *secret_key; /* what seals the secrets, 32 bytes */
    int64_t timeout_us;
    void *owner;
    void (*done)(struct sending *sending);
};

/* NULL: out of memory. */
struct sending *sending_new(const struct pg_rows *rows, int row, const struct sending_terms *terms);
/* Also cancels it when it's on its way. */
void sending_free(struct sending *sending);

/* False: nothing was begun, there are too many. What can't be sent at all ends here, without
 * `done`. */
bool sending_start(struct sending *sending, struct outbound *outbound,
                   const struct sending_terms *terms);

#endif
