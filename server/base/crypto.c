#include "base/crypto.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <argon2.h>
#include <sodium.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hmac.h>

#include "base/memory.h"

enum {
    PASSWORD_PASSES = 2,
    PASSWORD_MEMORY_KIB = 19 * 1024,
    PASSWORD_SALT_SIZE = 16,
    PASSWORD_HASH_SIZE = 32,
    TOTP_SECONDS = 30,
    TOTP_DIGITS = 6,
    TOTP_MODULUS = 1000000,
};

_Static_assert(CRYPTO_HASH_SIZE == crypto_hash_sha256_BYTES, "SHA-256");
_Static_assert(CRYPTO_SEED_SIZE == crypto_sign_SEEDBYTES &&
                   CRYPTO_PUBLIC_SIZE == crypto_sign_PUBLICKEYBYTES &&
                   CRYPTO_SIGNATURE_SIZE == crypto_sign_BYTES,
               "Ed25519");
_Static_assert(CRYPTO_PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "room for argon2id's text");

bool crypto_start(void)
{
    uint8_t probe[16];

    if (sodium_init() < 0)
        return false;
    /* Waits at boot until the kernel has entropy; afterwards it can't fail. */
    return getrandom(probe, sizeof probe, 0) == (ssize_t)sizeof probe;
}

/* The kernel directly: libsodium asks it for 256 bytes at a time. */
void crypto_random(void *out, size_t length)
{
    uint8_t *at = out;

    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* no keys, tokens or ids without randomness */
        at += got;
        length -= (size_t)got;
    }
}

void crypto_sha256(struct slice text, uint8_t hash[CRYPTO_HASH_SIZE])
{
    crypto_hash_sha256(hash, (const unsigned char *)text.at, text.length);
}

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct crypto_sum),
               "room for libsodium's state");

static crypto_hash_sha256_state *state_of(struct crypto_sum *sum)
{
    return (crypto_hash_sha256_state *)(void *)sum->state;
}

void crypto_sum_begin(struct crypto_sum *sum)
{
    crypto_hash_sha256_init(state_of(sum));
}

void crypto_sum_add(struct crypto_sum *sum, const void *data, size_t length)
{
    crypto_hash_sha256_update(state_of(sum), data, length);
}

void crypto_sum_end(struct crypto_sum *sum, uint8_t hash[CRYPTO_HASH_SIZE])
{
    crypto_hash_sha256_final(state_of(sum), hash);
}

void crypto_hmac_sha256(struct slice key, struct slice text, uint8_t mac[CRYPTO_HASH_SIZE])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.at, key.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.at, text.length);
    crypto_auth_hmacsha256_final(&state, mac);
    memory_wipe(&state, sizeof state);
}

void crypto_short_mac(const uint8_t key[16], struct slice text, uint8_t mac[CRYPTO_SHORT_MAC_SIZE])
{
    crypto_shorthash_siphashx24(mac, (const uint8_t *)text.at, text.length, key);
}

bool crypto_equal(const void *a, const void *b, size_t length)
{
    return length == 0 || sodium_memcmp(a, b, length) == 0;
}

/* libargon2 instead of libsodium's argon2id: libsodium maps and unmaps its 19 MiB for each
 * password, which costs more than the hash itself (measured on a virtual machine: 70 ms of CPU
 * against 21). This one asks malloc, which keeps a freed block of that size for the thread's next;
 * its content is wiped before. Same text form. */
bool crypto_password_hash(struct slice password, char encoded[CRYPTO_PASSWORD_HASH_MAX])
{
    uint8_t salt[PASSWORD_SALT_SIZE];

    crypto_random(salt, sizeof salt);
    return argon2id_hash_encoded(PASSWORD_PASSES, PASSWORD_MEMORY_KIB, 1,
                                 password.length == 0 ? "" : password.at, password.length, salt,
                                 sizeof salt, PASSWORD_HASH_SIZE, encoded,
                                 CRYPTO_PASSWORD_HASH_MAX) == ARGON2_OK;
}

bool crypto_password_verify(struct slice password, const char *encoded)
{
    return argon2id_verify(encoded, password.length == 0 ? "" : password.at, password.length) ==
           ARGON2_OK;
}

/* RFC 4226: the HOTP value of a counter. False: wolfCrypt has no memory or no SHA-1. */
static bool hotp(const uint8_t *secret, uint64_t counter, uint32_t *value)
{
    uint8_t moving[8];
    uint8_t mac[WC_SHA_DIGEST_SIZE];
    Hmac hmac;

    for (int i = 0; i < 8; i++)
        moving[i] = (uint8_t)(counter >> (56 - 8 * i));
    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0)
        return false;

    bool done = wc_HmacSetKey(&hmac, WC_SHA, secret, CRYPTO_TOTP_SECRET_SIZE) == 0 &&
                wc_HmacUpdate(&hmac, moving, sizeof moving) == 0 && wc_HmacFinal(&hmac, mac) == 0;

    wc_HmacFree(&hmac);
    if (!done)
        return false;

    const uint8_t *at = mac + (mac[WC_SHA_DIGEST_SIZE - 1] & 15);

    *value =
        ((uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) %
        TOTP_MODULUS;
    return true;
}

bool crypto_totp_verify(const uint8_t secret[CRYPTO_TOTP_SECRET_SIZE], int64_t unix_seconds,
                        struct slice code, int64_t *step)
{
    uint32_t given = 0;
    bool found = false;

    if (code.length != TOTP_DIGITS || unix_seconds < TOTP_SECONDS)
        return false;
    for (size_t i = 0; i < TOTP_DIGITS; i++) {
        if (code.at[i] < '0' || code.at[i] > '9')
            return false;
        given = given * 10 + (uint32_t)(code.at[i] - '0');
    }

    int64_t now = unix_seconds / TOTP_SECONDS;

    /* All three, whatever matches: the time it takes tells nothing. */
    for (int64_t at = now - 1; at <= now + 1; at++) {
        uint32_t right;

        if (!hotp(secret, (uint64_t)at, &right))
            return false;
        if (crypto_equal(&right, &given, sizeof right)) {
            *step = at;
            found = true;
        }
    }
    return found;
}

void crypto_ed25519_public(const uint8_t seed[CRYPTO_SEED_SIZE], uint8_t key[CRYPTO_PUBLIC_SIZE])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];

    crypto_sign_seed_keypair(key, secret, seed);
    memory_wipe(secret, sizeof secret);
}

void crypto_ed25519_sign(const uint8_t seed[CRYPTO_SEED_SIZE], struct slice text,
                         uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t key[CRYPTO_PUBLIC_SIZE];

    crypto_sign_seed_keypair(key, secret, seed);
    crypto_sign_detached(signature, NULL, (const unsigned char *)text.at, text.length, secret);
    memory_wipe(secret, sizeof secret);
}

bool crypto_ed25519_verify(const uint8_t key[CRYPTO_PUBLIC_SIZE], struct slice text,
                           const uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
    return crypto_sign_verify_detached(signature, (const unsigned char *)text.at, text.length,
                                       key) == 0;
}

void crypto_base64url(const void *data, size_t length, char *out)
{
    sodium_bin2base64(out,
                      sodium_base64_encoded_len(length, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                      data, length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool crypto_base64url_decode(struct slice text, void *data, size_t length)
{
    size_t decoded;

    /* libsodium 1.0.18 takes every byte from 0x80 on for a '_'. */
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    /* Without an `end` to fill, it fails on anything left over. */
    return sodium_base642bin(data, length, text.length == 0 ? "" : text.at, text.length, NULL,
                             &decoded, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           decoded == length;
}

void crypto_base32(const void *data, size_t length, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *from = data;
    unsigned bits = 0;
    int held = 0;

    for (size_t i = 0; i < length; i++) {
        bits = (bits << 8 | from[i]) & 0xfff;
        for (held += 8; held >= 5; held -= 5)
            *out++ = letters[bits >> (held - 5) & 31];
    }
    if (held > 0)
        *out++ = letters[bits << (5 - held) & 31];
    *out = '\0';
}

void crypto_seal(const uint8_t key[32], struct slice about, struct slice text, uint8_t *sealed)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    _Static_assert(CRYPTO_SEAL_EXTRA == NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES, "room");

    crypto_random(sealed, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, (const unsigned char *)text.at,
                                               text.length, (const unsigned char *)about.at,
                                               about.length, NULL, sealed, key);
}

bool crypto_open(const uint8_t key[32], struct slice about, struct slice sealed, uint8_t *text)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    const unsigned char *at = (const unsigned char *)sealed.at;

    return sealed.length >= CRYPTO_SEAL_EXTRA &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(
               text, NULL, NULL, at + NONCE, sealed.length - NONCE, (const unsigned char *)about.at,
               about.length, at, key) == 0;
}

void crypto_base64(const void *data, size_t length, char *out)
{
    sodium_bin2base64(out, sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL), data,
                      length, sodium_base64_VARIANT_ORIGINAL);
}
