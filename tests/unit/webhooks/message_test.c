/* server/webhooks/message.c: what is signed, and how, against the specification's own example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/crypto.h"
#include "base/currency.h"
#include "base/memory.h"
#include "ledger/transaction.h"
#include "store/wallets.h"
#include "webhooks/message.h"

/* The same with libsodium's HMAC, step by step as the specification says. */
static void test_signature(void **state)
{
    static const uint8_t secret[WEBHOOKS_SECRET_SIZE] = "0123456789abcdef0123456789abcdef";
    const struct message_signed what = {"evt_1", 1674087231, SLICE("{\"a\":1}")};
    static const char text[] = "evt_1.1674087231.{\"a\":1}";
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char expected[MESSAGE_SIGNATURE_MAX] = "v1,";
    char signature[MESSAGE_SIGNATURE_MAX];
    (void)state;
    crypto_auth_hmacsha256(mac, (const unsigned char *)text, sizeof text - 1, secret);
    sodium_bin2base64(expected + 3, sizeof expected - 3, mac, sizeof mac,
                      sodium_base64_VARIANT_ORIGINAL);
    assert_true(message_sign(&what, secret, signature));
    assert_string_equal(signature, expected);

    memory_fail_after(0);
    assert_false(message_sign(&what, secret, signature));
    memory_fail_never();
}

static void test_body(void **state)
{
    struct bytes body;
    const struct wallets_transaction t = {
        .id = {{1}},
        .kind = TRANSACTION_DEPOSIT,
        .to = {{2}},
        .amount = 500,
        .currency = CURRENCY_ZAR,
        .reference = SLICE("a\"b"),
        .created_at = INT64_C(1796112000000000),
    };
    (void)state;
    bytes_init(&body, NULL);
    message_write(&t, &body);
    assert_true(slice_equals(
        bytes_view(&body),
        "{\"type\":\"transaction.deposit\",\"timestamp\":\"2026-12-01T08:00:00.000000Z\",\"data\":"
        "{\"id\":\"tx_01000000000000000000000000\",\"kind\":\"deposit\",\"status\":\"posted\","
        "\"amount\":500,\"fee\":0,\"currency\":\"ZAR\",\"from\":null,"
        "\"to\":\"wal_02000000000000000000000000\",\"note\":null,\"reference\":\"a\\\"b\","
        "\"created_at\":\"2026-12-01T08:00:00.000000Z\"}}"));
    bytes_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
