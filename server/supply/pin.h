/* Vouchers' PINs and bought goods as they lie in the database: sealed, bound to whose they are. */
#ifndef SUPPLY_PIN_H
#define SUPPLY_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/slice.h"
#include "base/uuid.h"

#define PIN_MAX 64 /* characters, visible ASCII and spaces inside */

bool pin_is_good(struct slice pin);

/* What makes a PIN the same one, whatever product it was loaded for: keyed, because PINs are short
 * enough to be tried. */
void pin_hash(const uint8_t key[32], struct slice pin, uint8_t hash[CRYPTO_HASH_SIZE]);

/* `sealed` holds pin.length + CRYPTO_SEAL_EXTRA. */
void pin_seal(const uint8_t key[32], struct slice product, struct slice pin, uint8_t *sealed);
bool pin_open(const uint8_t key[32], struct slice product, struct slice sealed, char pin[PIN_MAX],
              size_t *length);

/* Goods (JSON) of a purchase. `sealed` holds goods.length + CRYPTO_SEAL_EXTRA, `goods` that much
 * less than sealed.length. */
void pin_seal_goods(const uint8_t key[32], const struct uuid *purchase, struct slice goods,
                    uint8_t *sealed);
bool pin_open_goods(const uint8_t key[32], const struct uuid *purchase, struct slice sealed,
                    char *goods);

#endif
