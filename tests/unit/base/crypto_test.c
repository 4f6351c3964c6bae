#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "tests/unit/base/chance.h"

static int begin(void **state)
{
    (void)state;
    return crypto_start() ? 0 : -1;
}

static void assert_hex(const uint8_t *data, size_t length, const char *expected)
{
    struct bytes hex;

    bytes_init(&hex, NULL);
    bytes_add_hex(&hex, data, length);
    assert_true(slice_equals(bytes_view(&hex), expected));
    bytes_release(&hex);
}

/* FIPS 180-4's examples. */
static void test_sha256(void **state)
{
    (void)state;
    uint8_t hash[CRYPTO_HASH_SIZE];
    static char million[1000000];

    crypto_sha256((struct slice){NULL, 0}, hash);
    assert_hex(hash, sizeof hash,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256(SLICE("abc"), hash);
    assert_hex(hash, sizeof hash,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hash);
    assert_hex(hash, sizeof hash,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof million);
    crypto_sha256((struct slice){million, sizeof million}, hash);
    assert_hex(hash, sizeof hash,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231, cases 1, 2, 6 and 7. */
/* The first two of SipHash's own 128-bit vectors (vectors_sip128, key 00..0f, text 00, 00 01, ..).
 */
static void test_short_mac(void **state)
{
    static const uint8_t expected[2][CRYPTO_SHORT_MAC_SIZE] = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
         0x93},
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
         0x45},
    };
    uint8_t key[16];
    uint8_t mac[CRYPTO_SHORT_MAC_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < 2; i++) {
        crypto_short_mac(key, (struct slice){(const char *)key, i}, mac);
        assert_memory_equal(mac, expected[i], sizeof mac);
    }
}

static void test_hmac_sha256(void **state)
{
    (void)state;
    uint8_t mac[CRYPTO_HASH_SIZE];
    char key[131];

    memset(key, 0x0b, 20);
    crypto_hmac_sha256((struct slice){key, 20}, SLICE("Hi There"), mac);
    assert_hex(mac, sizeof mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    crypto_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), mac);
    assert_hex(mac, sizeof mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256((struct slice){key, sizeof key},
                       SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_hex(mac, sizeof mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256((struct slice){key, sizeof key},
                       SLICE("This is a test using a larger than block-size key and a larger than "
                             "block-size data. The key needs to be hashed before being used by the "
                             "HMAC algorithm."),
                       mac);
    assert_hex(mac, sizeof mac, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_random(void **state)
{
    (void)state;
    uint8_t first[64], second[64];
    int ones = 0;
    static uint8_t many[100000];

    crypto_random(first, sizeof first);
    crypto_random(second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    crypto_random(many, sizeof many);
    for (size_t i = 0; i < sizeof many; i++)
        ones += __builtin_popcount(many[i]);
    assert_in_range(ones, 396000, 404000); /* 400,000, and nine times the deviation of 447 */
    crypto_random(NULL, 0);
}

static void test_equal(void **state)
{
    (void)state;
    uint8_t a[32], b[32];

    crypto_random(a, sizeof a);
    for (size_t place = 0; place < sizeof a; place++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(b, a, sizeof b);
            assert_true(crypto_equal(a, b, sizeof a));
            b[place] = (uint8_t)(b[place] ^ 1 << bit);
            assert_false(crypto_equal(a, b, sizeof a));
            assert_true(crypto_equal(a, b, place));
        }
    assert_true(crypto_equal(NULL, NULL, 0));
}

static void test_passwords(void **state)
{
    (void)state;
    char encoded[CRYPTO_PASSWORD_HASH_MAX], again[CRYPTO_PASSWORD_HASH_MAX];
    char other[crypto_pwhash_STRBYTES];
    struct slice password = SLICE("correct horse\0battery");

    assert_true(crypto_password_hash(password, encoded));
    assert_true(crypto_password_hash(password, again));
    assert_string_not_equal(encoded, again); /* salted */
    /* OWASP's minimum, readable from the text. */
    assert_memory_equal(encoded, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_true(crypto_password_verify(password, encoded));
    assert_false(crypto_password_verify(SLICE("correct horse"), encoded));
    assert_false(crypto_password_verify(SLICE("Correct horse\0battery"), encoded));
    assert_false(crypto_password_verify((struct slice){NULL, 0}, encoded));
    assert_true(crypto_password_hash((struct slice){NULL, 0}, encoded));
    assert_true(crypto_password_verify(SLICE(""), encoded));
    /* what another implementation has written, and the other way round */
    assert_int_equal(crypto_pwhash_str(other, "a password", 10, 2, 19456UL * 1024), 0);
    assert_true(crypto_password_verify(SLICE("a password"), other));
    assert_int_equal(crypto_pwhash_str_verify(encoded, "", 0), 0);
    assert_false(crypto_password_verify(password, ""));
    assert_false(crypto_password_verify(password, "$argon2id$v=19$m=19456,t=2,p=1$"));
    again[40] = again[40] == 'A' ? 'B' : 'A';
    assert_false(crypto_password_verify(password, again));
}

/* In a server: the 19 MiB stay the thread's, nothing is mapped anew for each password. */
static void test_passwords_keep_their_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* another malloc */
#else
    enum { PAGES = 19 * 1024 / 4 };
    char encoded[CRYPTO_PASSWORD_HASH_MAX];
    struct rusage before;
    struct rusage after;

    memory_keep();
    for (int i = 0; i < 2; i++)
        assert_true(crypto_password_hash(SLICE("correct horse"), encoded));
    getrusage(RUSAGE_THREAD, &before);
    assert_true(crypto_password_verify(SLICE("correct horse"), encoded));
    getrusage(RUSAGE_THREAD, &after);
    assert_true(after.ru_minflt - before.ru_minflt < PAGES / 10);
#endif
}

/* RFC 6238, appendix B: its codes have 8 digits, ours are the last 6. */
static void test_totp_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        int64_t time;
        const char *code;
    } cases[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t right = cases[i].time / 30;

        /* The same code stands in the window while the clock is up to one step away. */
        for (int64_t now = right - 3; now <= right + 3; now++) {
            int64_t step = -1;
            bool near = now >= right - 1 && now <= right + 1 && now >= 1;

            assert_int_equal(
                crypto_totp_verify(secret, now * 30 + 29, slice_of(cases[i].code), &step), near);
            assert_int_equal(step, near ? right : -1);
        }
    }
}

static void test_totp_refuses(void **state)
{
    (void)state;
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";
    const uint8_t *other = (const uint8_t *)"12345678901234567891";
    static const char *const wrong[] = {"",       "28708",  "2870820", "94287082",
                                        "28708x", " 87082", "+87082",  "287083"};
    int64_t step;

    assert_true(crypto_totp_verify(secret, 59, SLICE("287082"), &step));
    assert_false(crypto_totp_verify(other, 59, SLICE("287082"), &step));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(crypto_totp_verify(secret, 59, slice_of(wrong[i]), &step));
    assert_false(crypto_totp_verify(secret, -59, SLICE("287082"), &step));
    assert_false(crypto_totp_verify(secret, INT64_MIN, SLICE("287082"), &step));
}

/* RFC 4648, section 10, without padding; and the two letters in which base64url differs. */
static void test_base64url(void **state)
{
    (void)state;
    static const char *const encoded[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    char out[16], back[16];

    for (size_t length = 0; length <= 6; length++) {
        crypto_base64url("foobar", length, out);
        assert_string_equal(out, encoded[length]);
        assert_true(crypto_base64url_decode(slice_of(out), back, length));
        assert_memory_equal(back, "foobar", length);
    }
    crypto_base64url("\xfb\xff", 2, out);
    assert_string_equal(out, "-_8");
}

static void test_base64url_is_strict(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Zm9", "Zm9vY", "Zm8=", "Zm8 ", " Zm8", "Zm8\n", "Zm+",
                                        "Zm/", "Zm9v",  "Zg",   "Z",    "",     "Zm\n8"};
    char back[16];

    assert_true(crypto_base64url_decode(SLICE("Zm8"), back, 2));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(crypto_base64url_decode(slice_of(wrong[i]), back, 2));
    assert_false(crypto_base64url_decode(SLICE("Zh"), back, 1)); /* bits left over */

    /* Each byte value in the alphabet's place: 64 of them are in it. */
    int accepted = 0;

    for (int byte = 0; byte < 256; byte++) {
        const char text[4] = {'Z', (char)byte, 'A', 'A'};

        accepted += crypto_base64url_decode((struct slice){text, 4}, back, 3);
    }
    assert_int_equal(accepted, 64);
    assert_true(crypto_base64url_decode((struct slice){NULL, 0}, back, 0));
}

static void test_base64url_round_trip(void **state)
{
    (void)state;
    struct chance chance = {23};

    for (int i = 0; i < 20000; i++) {
        uint64_t data[8];
        uint8_t back[64];
        char out[100];
        size_t length = chance_below(&chance, sizeof data + 1);

        for (int k = 0; k < 8; k++)
            data[k] = chance_bits(&chance);
        crypto_base64url(data, length, out);
        assert_int_equal(strlen(out), (length * 4 + 2) / 3);
        assert_true(crypto_base64url_decode(slice_of(out), back, length));
        assert_memory_equal(back, data, length);
        /* Decoding into another length is refused, and never writes past it (ASan). */
        if (length > 0)
            assert_false(crypto_base64url_decode(slice_of(out), back, length - 1));
    }
}

/* RFC 4648, section 10, without padding. */
static void test_base32(void **state)
{
    (void)state;
    static const char *const encoded[] = {"",        "MY",       "MZXQ",      "MZXW6",
                                          "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"};
    char out[40];

    for (size_t length = 0; length <= 6; length++) {
        crypto_base32("foobar", length, out);
        assert_string_equal(out, encoded[length]);
    }
    crypto_base32("12345678901234567890", 20, out);
    assert_string_equal(out, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

/* RFC 8032, 7.1, test 2. */
static void test_ed25519(void **state)
{
    (void)state;
    static const uint8_t seed[CRYPTO_SEED_SIZE] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda,
                                                   0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
                                                   0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24,
                                                   0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];

    crypto_ed25519_public(seed, key);
    assert_hex(key, sizeof key, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    crypto_ed25519_sign(seed, SLICE("\x72"), signature);
    assert_hex(signature, sizeof signature,
               "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
               "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_true(crypto_ed25519_verify(key, SLICE("\x72"), signature));
    assert_false(crypto_ed25519_verify(key, SLICE("\x73"), signature));
    signature[0] ^= 1;
    assert_false(crypto_ed25519_verify(key, SLICE("\x72"), signature));
}

/* RFC 4648, 10. */
static void test_base64(void **state)
{
    (void)state;
    static const char *const encoded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                          "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    char out[40];

    for (size_t length = 0; length <= 6; length++) {
        crypto_base64("foobar", length, out);
        assert_string_equal(out, encoded[length]);
    }
    crypto_base64("\xfb\xff", 2, out);
    assert_string_equal(out, "+/8=");
}

static void test_seals(void **state)
{
    (void)state;
    static const uint8_t key[32] = {1};
    static const uint8_t other_key[32] = {2};
    const struct slice text = SLICE("a secret");
    uint8_t sealed[8 + CRYPTO_SEAL_EXTRA];
    uint8_t again[8 + CRYPTO_SEAL_EXTRA];
    char out[8];
    const struct slice all = {(const char *)sealed, sizeof sealed};

    crypto_seal(key, SLICE("mine"), text, sealed);
    crypto_seal(key, SLICE("mine"), text, again);
    assert_memory_not_equal(sealed, again, sizeof sealed); /* another nonce each time */
    assert_true(crypto_open(key, SLICE("mine"), all, (uint8_t *)out));
    assert_memory_equal(out, text.at, sizeof out);

    assert_false(crypto_open(other_key, SLICE("mine"), all, (uint8_t *)out));
    assert_false(crypto_open(key, SLICE("yours"), all, (uint8_t *)out));
    assert_false(crypto_open(key, SLICE("mine"), (struct slice){all.at, 39}, (uint8_t *)out));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_false(crypto_open(key, SLICE("mine"), all, (uint8_t *)out));
        sealed[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords_keep_their_memory), /* before others leave blocks */
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_short_mac),
        cmocka_unit_test(test_hmac_sha256),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_totp_of_the_rfc),
        cmocka_unit_test(test_totp_refuses),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_base64url_is_strict),
        cmocka_unit_test(test_base64url_round_trip),
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_seals),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
