#include "ledger/seal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"

#define TEXT_MAX 640

bool seal_is_origin(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return length > 0 && length < SEAL_ORIGIN_MAX && text[length] == '\0';
}

static void add_hex_line(struct bytes *out, const char *name, const void *data, size_t length)
{
    bytes_add_text(out, name);
    bytes_add_hex(out, data, length);
    bytes_add_char(out, '\n');
}

struct merkle_hash seal_hash(const struct seal *seal)
{
    char space[TEXT_MAX];
    char at[CLOCK_TEXT_MAX];
    struct bytes text = {.at = space, .capacity = sizeof space, .limit = sizeof space};
    struct merkle_hash hash = {{0}};
    clock_format(seal->at, at);
    bytes_printf(&text, "moolah seal 1\norigin %s\nnumber %lld\ncount %zu\n", seal->origin,
                 (long long)seal->number, seal->count);
    add_hex_line(&text, "after ", seal->after.bytes, sizeof seal->after.bytes);
    add_hex_line(&text, "through ", seal->through.bytes, sizeof seal->through.bytes);
    bytes_printf(&text, "horizon %lld\n", (long long)seal->horizon);
    add_hex_line(&text, "root ", seal->root.bytes, MERKLE_HASH_SIZE);
    add_hex_line(&text, "previous ", seal->previous.bytes, MERKLE_HASH_SIZE);
    bytes_printf(&text, "at %s\n", at);
    assert(!text.failed);
    crypto_sha256(bytes_view(&text), hash.bytes);
    return hash;
}

struct checkpoint seal_checkpoint(const struct seal *seal)
{
    struct checkpoint checkpoint = {
        .seal = seal->number, .hash = seal_hash(seal), .at = seal->at, .is_signed = false};
    snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s", seal->origin);
    return checkpoint;
}

/* What is signed. */
static struct slice text_of(const struct checkpoint *checkpoint, char space[TEXT_MAX])
{
    char at[CLOCK_TEXT_MAX];
    struct bytes text = {.at = space, .capacity = TEXT_MAX, .limit = TEXT_MAX};
    clock_format(checkpoint->at, at);
    bytes_printf(&text, "moolah checkpoint 1\norigin %s\nseal %lld\n", checkpoint->origin,
                 (long long)checkpoint->seal);
    add_hex_line(&text, "hash ", checkpoint->hash.bytes, MERKLE_HASH_SIZE);
    bytes_printf(&text, "at %s\n", at);
    assert(!text.failed);
    return bytes_view(&text);
}

void seal_sign(struct checkpoint *checkpoint, const uint8_t seed[CRYPTO_SEED_SIZE])
{
    char space[TEXT_MAX];
    crypto_ed25519_public(seed, checkpoint->key);
    crypto_ed25519_sign(seed, text_of(checkpoint, space), checkpoint->signature);
    checkpoint->is_signed = true;
}

bool seal_is_signed_well(const struct checkpoint *checkpoint)
{
    char space[TEXT_MAX];
    return checkpoint->is_signed &&
           crypto_ed25519_verify(checkpoint->key, text_of(checkpoint, space),
                                 checkpoint->signature);
}

static void write_hex(struct json_writer *writer, const char *key, const void *data, size_t length)
{
    char space[2 * CRYPTO_SIGNATURE_SIZE];
    struct bytes text = {.at = space, .capacity = sizeof space, .limit = sizeof space};
    bytes_add_hex(&text, data, length);
    json_write_key(writer, key);
    json_write_string(writer, bytes_view(&text));
}

void seal_write_checkpoint(const struct checkpoint *checkpoint, struct bytes *out)
{
    struct json_writer writer;
    char at[CLOCK_TEXT_MAX];
    clock_format(checkpoint->at, at);
    json_write_init(&writer, out);
    json_write_object(&writer);
    json_write_key(&writer, "origin");
    json_write_text(&writer, checkpoint->origin);
    json_write_key(&writer, "seal");
    json_write_int(&writer, checkpoint->seal);
    write_hex(&writer, "hash", checkpoint->hash.bytes, MERKLE_HASH_SIZE);
    json_write_key(&writer, "at");
    json_write_text(&writer, at);
    if (checkpoint->is_signed) {
        write_hex(&writer, "key", checkpoint->key, sizeof checkpoint->key);
        write_hex(&writer, "signature", checkpoint->signature, sizeof checkpoint->signature);
    }
    json_write_object_end(&writer);
}

bool seal_read_hex(struct slice text, void *out, size_t length)
{
    uint8_t *to = out;
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        to[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : to[i / 2] | digit);
    }
    return true;
}

static bool read_hex(const struct json *object, const char *key, void *out, size_t length)
{
    const struct json *value = json_member(object, key);
    return value != NULL && json_kind(value) == JSON_STRING &&
           seal_read_hex(json_string(value), out, length);
}

static bool read_members(const struct json *object, struct checkpoint *checkpoint)
{
    const struct json *origin = json_member(object, "origin");
    const struct json *seal = json_member(object, "seal");
    const struct json *at = json_member(object, "at");
    if (origin == NULL || json_kind(origin) != JSON_STRING || seal == NULL ||
        json_kind(seal) != JSON_INTEGER || at == NULL || json_kind(at) != JSON_STRING ||
        json_string(origin).length >= SEAL_ORIGIN_MAX)
        return false;
    snprintf(checkpoint->origin, sizeof checkpoint->origin, "%.*s", (int)json_string(origin).length,
             json_string(origin).at);
    checkpoint->seal = json_integer(seal);
    checkpoint->is_signed = json_member(object, "signature") != NULL;
    return seal_is_origin(checkpoint->origin) && checkpoint->seal > 0 &&
           clock_parse(json_string(at), &checkpoint->at) &&
           read_hex(object, "hash", checkpoint->hash.bytes, MERKLE_HASH_SIZE) &&
           (!checkpoint->is_signed ||
            (read_hex(object, "key", checkpoint->key, sizeof checkpoint->key) &&
             read_hex(object, "signature", checkpoint->signature, sizeof checkpoint->signature)));
}

bool seal_take_checkpoint(const struct json *value, struct checkpoint *checkpoint)
{
    *checkpoint = (struct checkpoint){.seal = 0};
    return value != NULL && json_kind(value) == JSON_OBJECT && read_members(value, checkpoint);
}

bool seal_read_checkpoint(struct slice line, struct checkpoint *checkpoint)
{
    struct arena arena;
    struct json_error error;
    arena_init(&arena);
    const struct json *object = json_parse(line, &arena, &error);
    bool good = seal_take_checkpoint(object, checkpoint);
    arena_release(&arena);
    return good;
}
