#include "supply/pin.h"

#include <stdio.h>
#include <string.h>

#define ABOUT_MAX 80

/* "voucher:airtime.r50": nobody's secret can be passed off as another's. */
static struct slice about(const char *kind, struct slice what, char text[ABOUT_MAX])
{
    int length = snprintf(text, ABOUT_MAX, "%s:%.*s", kind, (int)what.length, what.at);
    return (struct slice){text, (size_t)(length < ABOUT_MAX ? length : ABOUT_MAX - 1)};
}

bool pin_is_good(struct slice pin)
{
    if (pin.length == 0 || pin.length > PIN_MAX || pin.at[0] == ' ' ||
        pin.at[pin.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < pin.length; i++)
        if (pin.at[i] < ' ' || pin.at[i] > '~')
            return false;
    return true;
}

void pin_hash(const uint8_t key[32], struct slice pin, uint8_t hash[CRYPTO_HASH_SIZE])
{
    char text[ABOUT_MAX + 1 + PIN_MAX];
    struct slice start = about("voucher", SLICE("pin"), text);
    text[start.length] = '\n';
    memcpy(text + start.length + 1, pin.at, pin.length);
    crypto_hmac_sha256((struct slice){(const char *)key, 32},
                       (struct slice){text, start.length + 1 + pin.length}, hash);
}

void pin_seal(const uint8_t key[32], struct slice product, struct slice pin, uint8_t *sealed)
{
    char text[ABOUT_MAX];
    crypto_seal(key, about("voucher", product, text), pin, sealed);
}

bool pin_open(const uint8_t key[32], struct slice product, struct slice sealed, char pin[PIN_MAX],
              size_t *length)
{
    char text[ABOUT_MAX];
    if (sealed.at == NULL || sealed.length <= CRYPTO_SEAL_EXTRA ||
        sealed.length > PIN_MAX + CRYPTO_SEAL_EXTRA)
        return false;
    *length = sealed.length - CRYPTO_SEAL_EXTRA;
    return crypto_open(key, about("voucher", product, text), sealed, (uint8_t *)pin);
}

static struct slice about_goods(const struct uuid *purchase, char text[ABOUT_MAX])
{
    char id[UUID_TEXT_MAX];
    uuid_format(purchase, "pur_", id);
    return about("goods", slice_of(id), text);
}

void pin_seal_goods(const uint8_t key[32], const struct uuid *purchase, struct slice goods,
                    uint8_t *sealed)
{
    char text[ABOUT_MAX];
    crypto_seal(key, about_goods(purchase, text), goods, sealed);
}

bool pin_open_goods(const uint8_t key[32], const struct uuid *purchase, struct slice sealed,
                    char *goods)
{
    char text[ABOUT_MAX];
    return sealed.at != NULL && sealed.length > CRYPTO_SEAL_EXTRA &&
           crypto_open(key, about_goods(purchase, text), sealed, (uint8_t *)goods);
}
