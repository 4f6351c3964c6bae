#include "api/webhook_view.h"

#include <stdio.h>

#include "api/receipt.h"
#include "base/memory.h"
#include "ledger/transaction.h"

void webhook_view_new_secret(const uint8_t key[32], const struct uuid *webhook,
                             struct webhook_view_secret *secret)
{
    uint8_t bytes[WEBHOOKS_SECRET_SIZE];
    crypto_random(bytes, sizeof bytes);
    memcpy(secret->text, "whsec_", 6);
    crypto_base64(bytes, sizeof bytes, secret->text + 6);
    crypto_seal(key, (struct slice){(const char *)webhook->bytes, sizeof webhook->bytes},
                (struct slice){(const char *)bytes, sizeof bytes}, secret->sealed);
    memory_wipe(bytes, sizeof bytes);
}

void webhook_view_write_type(struct json_writer *writer, int kind)
{
    char name[40];
    snprintf(name, sizeof name, "transaction.%s",
             transaction_kind_name((enum transaction_kind)kind));
    json_write_text(writer, name);
}

static void write_types(struct json_writer *writer, int64_t kinds)
{
    json_write_key(writer, "types");
    json_write_array(writer);
    if (kinds == -1)
        json_write_text(writer, "*");
    for (int kind = 0; kinds != -1 && kind < 63; kind++)
        if ((kinds >> kind & 1) != 0)
            webhook_view_write_type(writer, kind);
    json_write_array_end(writer);
}

static void write_time_or_null(struct json_writer *writer, const char *key, int64_t time)
{
    if (time != 0) {
        receipt_write_time(writer, key, time);
        return;
    }
    json_write_key(writer, key);
    json_write_null(writer);
}

void webhook_view_write(struct json_writer *writer, const struct webhook *webhook,
                        const char *secret)
{
    json_write_object(writer);
    receipt_write_id(writer, "id", "whk_", &webhook->id);
    json_write_key(writer, "url");
    json_write_string(writer, webhook->url);
    write_types(writer, webhook->kinds);
    json_write_key(writer, "description");
    if (webhook->description.at == NULL)
        json_write_null(writer);
    else
        json_write_string(writer, webhook->description);
    json_write_key(writer, "status");
    json_write_text(writer, webhook->status == WEBHOOK_ACTIVE ? "active" : "ended");
    receipt_write_time(writer, "created_at", webhook->created_at);
    write_time_or_null(writer, "ended_at", webhook->ended_at);
    write_time_or_null(writer, "previous_secret_until", webhook->previous_until);
    if (secret != NULL) {
        json_write_key(writer, "secret");
        json_write_text(writer, secret);
    }
    json_write_object_end(writer);
}

enum flow_verdict webhook_view_answer(struct call *call, int status, const struct webhook *webhook,
                                      const char *secret)
{
    struct bytes body;
    struct json_writer writer;
    bytes_init(&body, &call->request->arena);
    json_write_init(&writer, &body);
    webhook_view_write(&writer, webhook, secret);
    return call_answer(call, status, &body);
}
