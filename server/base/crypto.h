/* Hashes, random bytes, passwords, one-time codes. Users: tokens, gate, sign-in. The only other
 * user of wolfCrypt than net/, the only one of libsodium. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define CRYPTO_HASH_SIZE 32
#define CRYPTO_PASSWORD_HASH_MAX 128 /* argon2id's encoded text and NUL */
#define CRYPTO_TOTP_SECRET_SIZE 20
#define CRYPTO_SEED_SIZE 32      /* Ed25519's private key, as RFC 8032 has it */
#define CRYPTO_PUBLIC_SIZE 32    /* ... its public key */
#define CRYPTO_SIGNATURE_SIZE 64 /* ... and a signature */

/* Once per process, before anything else here; false: no random source, don't start. */
bool crypto_start(void);

void crypto_random(void *out, size_t length);
void crypto_sha256(struct slice text, uint8_t hash[CRYPTO_HASH_SIZE]);

/* The same of a text that comes in pieces. */
struct crypto_sum {
    _Alignas(16) uint8_t state[128];
};
void crypto_sum_begin(struct crypto_sum *sum);
void crypto_sum_add(struct crypto_sum *sum, const void *data, size_t length);
void crypto_sum_end(struct crypto_sum *sum, uint8_t hash[CRYPTO_HASH_SIZE]);

void crypto_hmac_sha256(struct slice key, struct slice text, uint8_t mac[CRYPTO_HASH_SIZE]);

/* SipHash-2-4 with 128 bits: a MAC for short texts that is checked often, a tenth of a microsecond.
 */
#define CRYPTO_SHORT_MAC_SIZE 16
void crypto_short_mac(const uint8_t key[16], struct slice text, uint8_t mac[CRYPTO_SHORT_MAC_SIZE]);

/* Same time whatever the difference; lengths are not secret. */
bool crypto_equal(const void *a, const void *b, size_t length);

/* argon2id. Blocks for ~25 ms of CPU at 19 MiB and t=2 (OWASP): only on the thread pool. False: no
 * memory. */
bool crypto_password_hash(struct slice password, char encoded[CRYPTO_PASSWORD_HASH_MAX]);
bool crypto_password_verify(struct slice password, const char *encoded);

/* RFC 6238 over SHA-1, 6 digits, 30 s. Accepts the step of `unix_seconds` and one beside it;
 * `*step` is the one that matched, to be remembered so that a code counts once. */
bool crypto_totp_verify(const uint8_t secret[CRYPTO_TOTP_SECRET_SIZE], int64_t unix_seconds,
                        struct slice code, int64_t *step);

/* Ed25519 (RFC 8032). The same text under the same key has the same signature, always. */
void crypto_ed25519_public(const uint8_t seed[CRYPTO_SEED_SIZE], uint8_t key[CRYPTO_PUBLIC_SIZE]);
void crypto_ed25519_sign(const uint8_t seed[CRYPTO_SEED_SIZE], struct slice text,
                         uint8_t signature[CRYPTO_SIGNATURE_SIZE]);
bool crypto_ed25519_verify(const uint8_t key[CRYPTO_PUBLIC_SIZE], struct slice text,
                           const uint8_t signature[CRYPTO_SIGNATURE_SIZE]);

/* XChaCha20-Poly1305 for what is kept in the database: a random nonce, then the text, then its tag.
 * `about` is bound to it (whose secret it is) and must be the same to open it. `sealed` holds
 * text.length + CRYPTO_SEAL_EXTRA. */
#define CRYPTO_SEAL_EXTRA 40
void crypto_seal(const uint8_t key[32], struct slice about, struct slice text, uint8_t *sealed);
/* `text` holds sealed.length - CRYPTO_SEAL_EXTRA. False: another key, another `about`, or changed.
 */
bool crypto_open(const uint8_t key[32], struct slice about, struct slice sealed, uint8_t *text);

/* RFC 4648 base64 with padding. `out` holds 4 for each 3 begun, plus NUL. */
void crypto_base64(const void *data, size_t length, char *out);

/* RFC 4648 base64url without padding. `out` holds 4/3 of length rounded up, plus NUL. */
void crypto_base64url(const void *data, size_t length, char *out);
/* Strict; false unless `text` decodes to exactly `length` bytes. */
bool crypto_base64url_decode(struct slice text, void *data, size_t length);
/* RFC 4648 base32 (upper case, no padding), for TOTP secrets in otpauth: links. */
void crypto_base32(const void *data, size_t length, char *out);

#endif
