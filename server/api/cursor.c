#include "api/cursor.h"

#include "base/crypto.h"

enum { VERSION_SIZE = 8, MAC_SIZE = 16 };

static void sign(const uint8_t key[32], const struct uuid *wallet, const uint8_t version[8],
                 uint8_t mac[CRYPTO_HASH_SIZE])
{
    uint8_t text[16 + VERSION_SIZE];
    memcpy(text, wallet->bytes, 16);
    memcpy(text + 16, version, VERSION_SIZE);
    crypto_hmac_sha256((struct slice){(const char *)key, 32},
                       (struct slice){(const char *)text, sizeof text}, mac);
}

void cursor_write(const uint8_t key[32], const struct uuid *wallet, int64_t version,
                  char text[CURSOR_TEXT_MAX])
{
    uint8_t data[VERSION_SIZE + MAC_SIZE];
    uint8_t mac[CRYPTO_HASH_SIZE];
    for (int i = 0; i < VERSION_SIZE; i++)
        data[i] = (uint8_t)((uint64_t)version >> 8 * (VERSION_SIZE - 1 - i));
    sign(key, wallet, data, mac);
    memcpy(data + VERSION_SIZE, mac, MAC_SIZE);
    crypto_base64url(data, sizeof data, text);
}

bool cursor_read(const uint8_t key[32], const struct uuid *wallet, struct slice text,
                 int64_t *version)
{
    uint8_t data[VERSION_SIZE + MAC_SIZE];
    uint8_t mac[CRYPTO_HASH_SIZE];
    uint64_t number = 0;
    if (!crypto_base64url_decode(text, data, sizeof data))
        return false;
    sign(key, wallet, data, mac);
    if (!crypto_equal(mac, data + VERSION_SIZE, MAC_SIZE))
        return false;
    for (int i = 0; i < VERSION_SIZE; i++)
        number = number << 8 | data[i];
    *version = (int64_t)number;
    return true;
}
