#include "webhooks/message.h"

#include "api/receipt.h"
#include "base/clock.h"
#include "ledger/transaction.h"

void message_write(const struct wallets_transaction *transaction, struct bytes *body)
{
    bytes_printf(body, "{\"type\":\"transaction.%s\"",
                 transaction_kind_name((enum transaction_kind)transaction->kind));
    bytes_add_text(body, ",\"timestamp\":\"");
    char time[CLOCK_TEXT_MAX];
    clock_format(transaction->created_at, time);
    bytes_add_text(body, time);
    bytes_add_text(body, "\",\"data\":");
    receipt_write_transaction(transaction, RECEIPT_NEITHER, body);
    bytes_add_char(body, '}');
}

bool message_sign(const struct message_signed *what, const uint8_t secret[WEBHOOKS_SECRET_SIZE],
                  char signature[MESSAGE_SIGNATURE_MAX])
{
    uint8_t mac[CRYPTO_HASH_SIZE];
    struct bytes text;
    bytes_init(&text, NULL);
    bytes_printf(&text, "%s.%lld.", what->id, (long long)what->timestamp);
    bytes_add_slice(&text, what->body);
    bool good = !text.failed;
    crypto_hmac_sha256((struct slice){(const char *)secret, WEBHOOKS_SECRET_SIZE},
                       bytes_view(&text), mac);
    bytes_release(&text);
    memcpy(signature, "v1,", sizeof "v1,");
    crypto_base64(mac, sizeof mac, signature + 3);
    return good;
}
