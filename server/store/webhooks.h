/* Partners' webhooks, and the log of what was told to them: the API's questions. What is sent is
 * store/outbox.h's. Same conventions as store/users.h. */
#ifndef STORE_WEBHOOKS_H
#define STORE_WEBHOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;

#define WEBHOOKS_PER_PARTNER 10
#define WEBHOOKS_SECRET_SIZE 32
#define WEBHOOKS_SEALED_SIZE (WEBHOOKS_SECRET_SIZE + CRYPTO_SEAL_EXTRA)

enum webhook_status { WEBHOOK_ACTIVE = 1, WEBHOOK_ENDED = 2, WEBHOOK_DELETED = 3 };

struct webhook {
    struct uuid id;
    struct slice url;
    int64_t kinds;            /* bit n: transactions of kind n; -1: all */
    struct slice description; /* {NULL,0}: none */
    enum webhook_status status;
    int64_t created_at;
    int64_t ended_at;       /* 0: it hasn't */
    int64_t previous_until; /* the secret before signs until then; 0: there is none */
};

/* One event, as its webhook was told of it. */
struct webhooks_delivery {
    struct uuid event; /* the transaction's id */
    int kind;          /* enum transaction_kind */
    int status;        /* enum outbox_status */
    int attempts;
    int64_t last_at;         /* 0: never tried */
    int last_status;         /* 0: no answer */
    struct slice last_error; /* {NULL,0}: none */
    int64_t due;             /* 0: none, or it waits for an earlier one of its wallet */
    int64_t created_at;
};

struct webhooks_question {
    struct arena *arena;
    void (*done)(struct webhooks_question *question);
    enum pg_outcome outcome;
    bool found; /* it's the partner's / there was room / it's active */
    struct webhook *webhooks;
    size_t webhook_count;
    struct webhooks_delivery *deliveries;
    size_t delivery_count;
};

/* found=false: the partner has WEBHOOKS_PER_PARTNER already. */
bool webhooks_create(struct pg_pool *pool, const struct webhook *fresh, const struct uuid *partner,
                     const uint8_t sealed[WEBHOOKS_SEALED_SIZE], struct webhooks_question *q);
/* Newest first, those before `before` (NULL: from the newest), one more than `limit`. */
bool webhooks_list(struct pg_pool *pool, const struct uuid *partner, const struct uuid *before,
                   int limit, struct webhooks_question *q);
bool webhooks_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                   struct webhooks_question *q);
bool webhooks_delete(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     struct webhooks_question *q);
/* The secret becomes the previous one. */
bool webhooks_rotate(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     const uint8_t sealed[WEBHOOKS_SEALED_SIZE], struct webhooks_question *q);
/* Tell all events after `after`, up to `until`, again. Two wishes become one that covers both. */
bool webhooks_replay(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     const struct uuid range[2], struct webhooks_question *q);
struct webhooks_page {
    const struct uuid *before; /* NULL: from the newest */
    int limit;                 /* one more is read */
};
/* The log, newest first; found=false: it isn't the partner's. */
bool webhooks_log(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                  const struct webhooks_page *page, struct webhooks_question *q);

extern const struct pg_statement *const webhooks_statements[];

#endif
