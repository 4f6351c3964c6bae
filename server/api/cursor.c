#include "api/cursor.h"

#include "base/crypto.h"

enum { POSITION_SIZE = 16, MAC_SIZE = 16, NUMBER_AT = 8 };

static void sign(const uint8_t key[32], const struct cursor *cursor, uint8_t mac[CRYPTO_HASH_SIZE])
{
    uint8_t text[1 + 16 + POSITION_SIZE];
    text[0] = (uint8_t)cursor->list;
    memcpy(text + 1, cursor->scope.bytes, 16);
    memcpy(text + 17, cursor->position.bytes, POSITION_SIZE);
    crypto_hmac_sha256((struct slice){(const char *)key, 32},
                       (struct slice){(const char *)text, sizeof text}, mac);
}

void cursor_write(const uint8_t key[32], const struct cursor *cursor, char text[CURSOR_TEXT_MAX])
{
    uint8_t data[POSITION_SIZE + MAC_SIZE];
    uint8_t mac[CRYPTO_HASH_SIZE];
    sign(key, cursor, mac);
    memcpy(data, cursor->position.bytes, POSITION_SIZE);
    memcpy(data + POSITION_SIZE, mac, MAC_SIZE);
    crypto_base64url(data, sizeof data, text);
}

bool cursor_read(const uint8_t key[32], struct cursor *cursor, struct slice text)
{
    uint8_t data[POSITION_SIZE + MAC_SIZE];
    uint8_t mac[CRYPTO_HASH_SIZE];
    struct cursor claimed = *cursor;
    if (!crypto_base64url_decode(text, data, sizeof data))
        return false;
    memcpy(claimed.position.bytes, data, POSITION_SIZE);
    sign(key, &claimed, mac);
    if (!crypto_equal(mac, data + POSITION_SIZE, MAC_SIZE))
        return false;
    cursor->position = claimed.position;
    return true;
}

struct uuid cursor_position(int64_t number)
{
    struct uuid position = {{0}};
    for (int i = 0; i < 8; i++)
        position.bytes[NUMBER_AT + i] = (uint8_t)((uint64_t)number >> 8 * (7 - i));
    return position;
}

int64_t cursor_number(const struct uuid *position)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | position->bytes[NUMBER_AT + i];
    return (int64_t)number;
}
