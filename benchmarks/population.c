#include "benchmarks/population.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"

#define DEMO_MAX 64
#define FILE_MAX 65536

struct population {
    struct population_seed seed;
    char password[64];              /* everybody's: argon2id for a million would take hours */
    struct population_member *demo; /* NULL: derived */
};

enum what { OF_IDS = 1, OF_TOKEN, OF_PASSWORD };

/* SHA-256 over key, purpose and index: one block, whose length never varies. */
static void derive(const struct population_seed *seed, enum what what, size_t i, uint8_t out[32])
{
    char text[32 + 1 + 8];
    memcpy(text, seed->key, 32);
    text[32] = (char)what;
    for (int b = 0; b < 8; b++)
        text[33 + b] = (char)((uint64_t)i >> (56 - 8 * b));
    crypto_sha256((struct slice){text, sizeof text}, out);
}

/* RFC 9562 version 7 from a moment and ten random bytes. */
static struct uuid compose_id(int64_t ms, const uint8_t *random)
{
    struct uuid id;
    for (int b = 0; b < 6; b++)
        id.bytes[b] = (uint8_t)(ms >> (40 - 8 * b));
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

/* As store/gate_token.c makes them: the user's id, then 32 bytes that nobody can guess. */
static void compose_token(const struct uuid *user, const uint8_t secret[32], char token[72])
{
    static const char prefix[] = "mlt_";
    uint8_t whole[16 + 32];
    memcpy(whole, user->bytes, 16);
    memcpy(whole + 16, secret, 32);
    memcpy(token, prefix, sizeof prefix);
    crypto_base64url(whole, sizeof whole, token + sizeof prefix - 1);
}

static void write_phone(size_t i, char phone[24])
{
    size_t rest = i;
    memcpy(phone, "+276000000000", 14);
    for (int at = 12; at >= 5; at--, rest /= 10)
        phone[at] = (char)('0' + rest % 10);
}

size_t population_count(const struct population *population)
{
    return population->seed.wallets;
}

void population_member(const struct population *population, size_t i, struct population_member *out)
{
    uint8_t ids[32];
    uint8_t secret[32];
    const struct population_seed *seed = &population->seed;
    assert(i < seed->wallets);
    if (population->demo != NULL) {
        *out = population->demo[i];
        return;
    }
    derive(seed, OF_IDS, i, ids);
    derive(seed, OF_TOKEN, i, secret);
    int64_t ms = seed->since + (int64_t)i;
    out->user = compose_id(ms, ids);
    out->wallet_uuid = compose_id(ms, ids + 10);
    out->sign_in = compose_id(ms, ids + 20);
    uuid_format(&out->wallet_uuid, "wal_", out->wallet);
    write_phone(i, out->phone);
    memcpy(out->password, population->password, sizeof out->password);
    compose_token(&out->user, secret, out->token);
}

void population_wallet(const struct population *population, size_t i, char wallet[UUID_TEXT_MAX])
{
    uint8_t ids[32];
    assert(i < population->seed.wallets);
    if (population->demo != NULL) {
        memcpy(wallet, population->demo[i].wallet, UUID_TEXT_MAX);
        return;
    }
    derive(&population->seed, OF_IDS, i, ids);
    const struct uuid id = compose_id(population->seed.since + (int64_t)i, ids + 10);
    uuid_format(&id, "wal_", wallet);
}

struct population *population_new(const struct population_seed *seed)
{
    uint8_t secret[32];
    struct population *population = memory_alloc(sizeof *population);
    if (population == NULL)
        return NULL;
    assert(seed->wallets <= POPULATION_MAX);
    population->seed = *seed;
    derive(seed, OF_PASSWORD, 0, secret);
    memcpy(population->password, "seed-", 5);
    crypto_base64url(secret, 18, population->password + 5);
    return population;
}

void population_free(struct population *population)
{
    if (population == NULL)
        return;
    memory_free(population->demo);
    memory_free(population);
}

/* The file as text, NUL-terminated, or NULL with errno. */
static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char *text = memory_alloc(FILE_MAX + 1);
    *length = text == NULL ? 0 : fread(text, 1, FILE_MAX, file);
    fclose(file);
    errno = text == NULL ? ENOMEM : 0;
    return text;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct slice text, uint8_t key[32])
{
    if (text.length != 64)
        return false;
    for (size_t i = 0; i < 64; i++) {
        int value = digit_value(text.at[i]);
        if (value < 0)
            return false;
        key[i / 2] = (uint8_t)(key[i / 2] << 4 | value);
    }
    return true;
}

static bool take_seed(const struct json *file, struct population_seed *seed)
{
    const struct json *key = json_member(file, "key");
    const struct json *wallets = json_member(file, "wallets");
    const struct json *since = json_member(file, "since");
    if (key == NULL || wallets == NULL || since == NULL || json_kind(key) != JSON_STRING ||
        json_kind(wallets) != JSON_INTEGER || json_kind(since) != JSON_INTEGER)
        return false;
    int64_t count = json_integer(wallets);
    seed->since = json_integer(since);
    if (count < 1 || count > POPULATION_MAX || seed->since < 0)
        return false;
    seed->wallets = (size_t)count;
    return read_hex(json_string(key), seed->key);
}

int population_read(const char *path, struct population_seed *seed, char *error, size_t size)
{
    size_t length;
    struct arena arena;
    struct json_error broken;
    char *text = read_file(path, &length);
    if (text == NULL && errno == ENOENT)
        return 0;
    if (text == NULL) {
        snprintf(error, size, "cannot read %s: %s", path, strerror(errno));
        return -1;
    }
    arena_init(&arena);
    const struct json *file = json_parse((struct slice){text, length}, &arena, &broken);
    bool good = file != NULL && json_kind(file) == JSON_OBJECT && take_seed(file, seed);
    if (!good)
        snprintf(error, size,
                 "%s is broken: without it nobody can act for the seeded wallets; start afresh "
                 "with another --data",
                 path);
    arena_release(&arena);
    memory_free(text);
    return good ? 1 : -1;
}

bool population_write(const char *path, const struct population_seed *seed)
{
    char temporary[512];
    struct bytes text;
    bytes_init(&text, NULL);
    bytes_add_text(&text, "{\"key\":\"");
    bytes_add_hex(&text, seed->key, sizeof seed->key);
    bytes_printf(&text, "\",\"wallets\":%zu,\"since\":%lld}\n", seed->wallets,
                 (long long)seed->since);
    snprintf(temporary, sizeof temporary, "%s.part", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && !text.failed &&
                write(fd, text.at, text.length) == (ssize_t)text.length && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    bytes_release(&text);
    return good && rename(temporary, path) == 0;
}

static bool copy_text(const struct json *user, const char *name, char *out, size_t size)
{
    const struct json *value = json_kind(user) == JSON_OBJECT ? json_member(user, name) : NULL;
    if (value == NULL || json_kind(value) != JSON_STRING || json_string(value).length >= size)
        return false;
    struct slice text = json_string(value);
    memcpy(out, text.at, text.length);
    out[text.length] = '\0';
    return true;
}

static bool take_demo(const struct json *file, struct population *population)
{
    const struct json *users = json_kind(file) == JSON_OBJECT ? json_member(file, "users") : NULL;
    size_t count = users == NULL || json_kind(users) != JSON_ARRAY ? 0 : json_count(users);
    if (count == 0 || count > DEMO_MAX)
        return false;
    population->demo = memory_alloc(count * sizeof population->demo[0]);
    population->seed.wallets = count;
    for (size_t i = 0; population->demo != NULL && i < count; i++) {
        struct population_member *member = &population->demo[i];
        const struct json *user = json_element(users, i);
        if (!copy_text(user, "phone", member->phone, sizeof member->phone) ||
            !copy_text(user, "password", member->password, sizeof member->password) ||
            !copy_text(user, "wallet", member->wallet, sizeof member->wallet) ||
            !uuid_parse(slice_of(member->wallet), "wal_", &member->wallet_uuid))
            return false;
    }
    return population->demo != NULL;
}

static struct population *open_demo(const char *path, char *error, size_t size)
{
    size_t length;
    struct arena arena;
    struct json_error broken;
    char *text = read_file(path, &length);
    if (text == NULL) {
        snprintf(error, size, "cannot read %s (%s): start ci/up with that --data first", path,
                 strerror(errno));
        return NULL;
    }
    arena_init(&arena);
    const struct json *file = json_parse((struct slice){text, length}, &arena, &broken);
    struct population *population = memory_alloc(sizeof *population);
    if (file == NULL || population == NULL || !take_demo(file, population)) {
        snprintf(error, size, "%s names no demo users: start ci/up on that folder again", path);
        population_free(population);
        population = NULL;
    }
    arena_release(&arena);
    memory_free(text);
    return population;
}

struct population *population_open(const char *folder, char *error, size_t size)
{
    char path[512];
    struct population_seed seed = {{0}, 0, 0};
    snprintf(path, sizeof path, "%s/population.json", folder);
    int found = population_read(path, &seed, error, size);
    if (found < 0)
        return NULL;
    if (found == 0) {
        snprintf(path, sizeof path, "%s/demo.json", folder);
        return open_demo(path, error, size);
    }
    struct population *population = population_new(&seed);
    if (population == NULL)
        snprintf(error, size, "out of memory");
    return population;
}
