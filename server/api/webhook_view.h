/* Webhooks as JSON, the names of event types, and secrets: shown once, sealed in the database. */
#ifndef API_WEBHOOK_VIEW_H
#define API_WEBHOOK_VIEW_H

#include "api/call.h"
#include "base/json.h"
#include "store/webhooks.h"

/* A new secret, as the partner sees it ("whsec_..."), and sealed for this webhook. */
#define WEBHOOK_VIEW_SECRET_MAX 52
struct webhook_view_secret {
    char text[WEBHOOK_VIEW_SECRET_MAX];
    uint8_t sealed[WEBHOOKS_SEALED_SIZE];
};
void webhook_view_new_secret(const uint8_t key[32], const struct uuid *webhook,
                             struct webhook_view_secret *secret);

/* "transaction.transfer" */
void webhook_view_write_type(struct json_writer *writer, int kind);

/* `secret`: NULL, or shown for the first and last time. */
void webhook_view_write(struct json_writer *writer, const struct webhook *webhook,
                        const char *secret);

/* Answer one webhook. Returns FLOW_DONE. */
enum flow_verdict webhook_view_answer(struct call *call, int status, const struct webhook *webhook,
                                      const char *secret);

#endif
