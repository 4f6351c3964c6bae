#include "base/uuid.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include "base/crypto.h"
#include "base/memory.h"

enum { POOL_SIZE = 4096, ENCODED = 26, COUNTER_MAX = 0xfff };

#define MILLISECONDS_MAX ((INT64_C(1) << 48) - 1)

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* Random bytes, fetched in bulk: one system call serves some 400 ids. */
static _Thread_local struct {
    uint8_t bytes[POOL_SIZE];
    size_t left;
} pool;

/* The last id's first 60 bits. */
static _Thread_local int64_t last_ms = -1;
static _Thread_local unsigned counter;

/* A child would hand out its parent's bytes a second time. It has only the thread that forked. */
static void empty_pool(void)
{
    memory_wipe(pool.bytes, sizeof pool.bytes);
    pool.left = 0;
}

static void watch_forks(void)
{
    int failed = pthread_atfork(NULL, NULL, empty_pool);

    assert(failed == 0);
    (void)failed;
}

void uuid_random(void *out, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    assert(length <= sizeof pool.bytes);
    if (pool.left < length) {
        pthread_once(&once, watch_forks);
        crypto_random(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
    }
    pool.left -= length;
    memcpy(out, pool.bytes + pool.left, length);
    memset(pool.bytes + pool.left, 0, length);
}

/* Moves (last_ms, counter) on. In a new millisecond the counter starts at a random place in its
 * lower half, so two processes rarely agree in it; when it is used up, time is borrowed from the
 * next millisecond. */
static void count_on(int64_t ms)
{
    uint16_t seed;

    if (ms <= last_ms && counter < COUNTER_MAX) {
        counter++;
        return;
    }
    last_ms = ms > last_ms ? ms : last_ms + 1;
    assert(last_ms <= MILLISECONDS_MAX);
    uuid_random(&seed, sizeof seed);
    counter = seed & (COUNTER_MAX >> 1);
}

struct uuid uuid_new(int64_t now_us)
{
    struct uuid id;

    assert(now_us >= 0 && now_us / 1000 < MILLISECONDS_MAX);
    count_on(now_us / 1000);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | counter >> 8);
    id.bytes[7] = (uint8_t)counter;
    uuid_random(id.bytes + 8, 8);
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

int64_t uuid_milliseconds(const struct uuid *id)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

static uint64_t half(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

void uuid_format(const struct uuid *id, const char *prefix, char text[UUID_TEXT_MAX])
{
    uint64_t high = half(id->bytes), low = half(id->bytes + 8);
    size_t length = strlen(prefix);

    assert(length + ENCODED < UUID_TEXT_MAX);
    memcpy(text, prefix, length);
    text[length + ENCODED] = '\0';
    for (size_t i = ENCODED;
         i-- > 0;) { /* the last digit first: 5 bits leave low, 5 come from high */
        text[length + i] = digits[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
}

/* The value of a digit, or -1. */
static int digit_value(char c)
{
    static const int8_t values[] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,
        ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14,
        ['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21,
        ['n'] = 22, ['p'] = 23, ['q'] = 24, ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28,
        ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
    };
    size_t at = (size_t)(unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);

    return at < sizeof values ? values[at] - 1 : -1; /* absent ones are 0 in the table */
}

bool uuid_parse(struct slice text, const char *prefix, struct uuid *id)
{
    uint64_t high = 0, low = 0;
    size_t length = strlen(prefix);

    if (text.length != length + ENCODED || memcmp(text.at, prefix, length) != 0)
        return false;
    if (digit_value(text.at[length]) > 7)
        return false; /* 26 digits are 130 bits */
    for (size_t i = 0; i < ENCODED; i++) {
        int value = digit_value(text.at[length + i]);

        if (value < 0)
            return false;
        high = high << 5 | low >> 59;
        low = low << 5 | (uint64_t)value;
    }
    for (int i = 0; i < 8; i++) {
        id->bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id->bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return true;
}
