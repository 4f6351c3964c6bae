#include "webhooks/sending.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "webhooks/schedule.h"

#define CONNECT_US (INT64_C(5) * CLOCK_SECOND)
#define ANSWER_MAX 4096 /* nobody reads it: what is longer is cut off, its status counts */

struct sending *sending_new(const struct pg_rows *rows, int row, const struct sending_terms *terms)
{
    struct sending *s = memory_alloc(sizeof *s);
    if (s == NULL)
        return NULL;
    arena_init(&s->arena);
    s->owner = terms->owner;
    s->done = terms->done;
    bytes_init(&s->body, &s->arena);
    bool good = outbox_take_delivery(rows, row, &s->arena, &s->delivery);
    if (good)
        message_write(&s->delivery.transaction, &s->body);
    if (good && !s->body.failed)
        return s;
    sending_free(s);
    return NULL;
}

void sending_free(struct sending *s)
{
    if (s->transfer.work != NULL && !s->ended)
        outbound_cancel(&s->transfer);
    arena_release(&s->arena);
    memory_free(s);
}

static struct slice error_of(struct sending *s, const char *what)
{
    snprintf(s->error, sizeof s->error, "%s", what);
    return slice_of(s->error);
}

/* Once more later, or never. */
static void fail(struct sending *s, const char *why, struct slice retry_after)
{
    uint32_t chance;
    uuid_random(&chance, sizeof chance);
    int64_t wait = schedule_next(s->delivery.attempts + 1, retry_after, chance);
    s->end.status = wait > 0 ? OUTBOX_PENDING : OUTBOX_FAILED;
    s->end.due = clock_now() + wait;
    if (why != NULL)
        s->end.error = error_of(s, why);
}

static void judge(struct sending *s)
{
    const struct outbound_transfer *t = &s->transfer;
    char retry_after[16] = "";
    char why[sizeof s->error];
    s->end.http_status = t->status;
    if (t->result != OUTBOUND_ANSWERED && t->result != OUTBOUND_TOO_LARGE) {
        snprintf(why, sizeof why, "%s: %s", outbound_result_name(t->result), t->error);
        fail(s, why, SLICE(""));
    } else if (t->status >= 200 && t->status < 300) {
        s->end.status = OUTBOX_DELIVERED;
    } else if (t->status == 410) {
        s->end.status = OUTBOX_FAILED;
        s->end.ends_webhook = true;
    } else {
        outbound_answer_header(t, "Retry-After", retry_after, sizeof retry_after);
        fail(s, NULL, slice_of(retry_after));
    }
}

static void on_done(struct outbound_transfer *transfer)
{
    struct sending *s = (struct sending *)(void *)transfer;
    judge(s);
    s->ended = true;
    s->done(s);
}

static bool add_signature(struct sending *s, struct slice sealed, int64_t timestamp,
                          const uint8_t *key)
{
    uint8_t secret[WEBHOOKS_SECRET_SIZE];
    char signature[MESSAGE_SIGNATURE_MAX];
    const struct message_signed what = {s->id, timestamp, bytes_view(&s->body)};
    const struct slice about = {(const char *)s->delivery.webhook.bytes, 16};
    if (sealed.length != WEBHOOKS_SEALED_SIZE || !crypto_open(key, about, sealed, secret))
        return false;
    bool good = message_sign(&what, secret, signature);
    memory_wipe(secret, sizeof secret);
    size_t length = strlen(s->signatures);
    snprintf(s->signatures + length, sizeof s->signatures - length, "%s%s", length == 0 ? "" : " ",
             signature);
    return good;
}

static bool sign(struct sending *s, const uint8_t *key)
{
    int64_t timestamp = clock_now() / CLOCK_SECOND;
    uuid_format(&s->delivery.event, "evt_", s->id);
    snprintf(s->timestamp, sizeof s->timestamp, "%lld", (long long)timestamp);
    return add_signature(s, s->delivery.secret, timestamp, key) &&
           (s->delivery.previous_secret.at == NULL ||
            add_signature(s, s->delivery.previous_secret, timestamp, key));
}

bool sending_start(struct sending *s, struct outbound *outbound, const struct sending_terms *terms)
{
    s->end.place = (struct outbox_place){s->delivery.webhook, s->delivery.event};
    if (!sign(s, terms->secret_key)) {
        log_message(LOG_ERROR, "webhook_secret", "can't be opened: has secret_key changed?");
        fail(s, "our side: its secret can't be opened", SLICE(""));
        s->ended = true;
        return true;
    }
    s->transfer = (struct outbound_transfer){
        .method = "POST",
        .url = s->delivery.url.at,
        .headers = {{"Content-Type", SLICE("application/json")},
                    {"Webhook-Id", slice_of(s->id)},
                    {"Webhook-Timestamp", slice_of(s->timestamp)},
                    {"Webhook-Signature", slice_of(s->signatures)}},
        .header_count = 4,
        .body = bytes_view(&s->body),
        .connect_timeout_us = terms->timeout_us < CONNECT_US ? terms->timeout_us : CONNECT_US,
        .timeout_us = terms->timeout_us,
        .answer_max = ANSWER_MAX,
        .done = on_done,
    };
    return outbound_start(outbound, &s->transfer);
}
