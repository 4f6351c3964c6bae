#include "ledger/proof.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"

#define FORMAT "moolah proof 1"

/* ---- writing */

static bool is_system(const struct uuid *account)
{
    static const uint8_t start[6] = {0};
    return memcmp(account->bytes, start, sizeof start) == 0;
}

void proof_format_account(const struct uuid *account, char text[UUID_TEXT_MAX])
{
    uuid_format(account, is_system(account) ? "sys_" : "wal_", text);
}

static void write_hex(struct json_writer *writer, const char *key, const void *data, size_t length)
{
    char space[2 * 64];
    struct bytes text = {.at = space, .capacity = sizeof space, .limit = sizeof space};
    bytes_add_hex(&text, data, length);
    assert(!text.failed);
    if (key != NULL)
        json_write_key(writer, key);
    json_write_string(writer, bytes_view(&text));
}

static void write_hash(struct json_writer *writer, const char *key, const struct merkle_hash *hash)
{
    write_hex(writer, key, hash->bytes, MERKLE_HASH_SIZE);
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    json_write_key(writer, key);
    json_write_int(writer, number);
}

static void write_text(struct json_writer *writer, const char *key, struct slice text)
{
    json_write_key(writer, key);
    if (text.at == NULL)
        json_write_null(writer);
    else
        json_write_string(writer, text);
}

static void write_id(struct json_writer *writer, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    uuid_format(id, "tx_", text);
    write_text(writer, key, slice_of(text));
}

static void write_account(struct json_writer *writer, const char *key, const struct uuid *account)
{
    char text[UUID_TEXT_MAX];
    proof_format_account(account, text);
    write_text(writer, key, slice_of(text));
}

static void write_time(struct json_writer *writer, const char *key, int64_t unix_us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(unix_us, text);
    write_text(writer, key, slice_of(text));
}

static void write_posting(struct json_writer *writer, const struct proof *proof, size_t i)
{
    const struct proof_posting *shown = &proof->postings[i];
    json_write_object(writer);
    if (!shown->is_shown) {
        write_hash(writer, "hash", &proof->commitments.postings[i]);
        json_write_object_end(writer);
        return;
    }
    write_hex(writer, "blind", shown->blind, LEAF_BLIND_SIZE);
    write_account(writer, "account", &shown->posting.account);
    write_number(writer, "version", shown->posting.version);
    write_number(writer, "amount", shown->posting.amount);
    write_number(writer, "hold", shown->posting.hold);
    write_number(writer, "posted_after", shown->posting.posted_after);
    write_number(writer, "held_after", shown->posting.held_after);
    json_write_object_end(writer);
}

static void write_leaf(struct json_writer *writer, const struct proof *proof)
{
    const struct leaf *leaf = &proof->leaf;
    char code[4];
    currency_text(leaf->currency, code);
    json_write_key(writer, "leaf");
    json_write_object(writer);
    write_id(writer, "id", &leaf->id);
    write_number(writer, "kind", leaf->kind);
    write_text(writer, "currency", slice_of(code));
    write_number(writer, "amount", leaf->amount);
    write_number(writer, "fee", leaf->fee);
    write_account(writer, "from", &leaf->from);
    write_account(writer, "to", &leaf->to);
    write_time(writer, "created_at", leaf->created_at);
    write_text(writer, "note", leaf->note);
    write_text(writer, "reference", leaf->reference);
    if (leaf->bundle.at == NULL)
        write_text(writer, "bundle", leaf->bundle);
    else
        write_hex(writer, "bundle", leaf->bundle.at, leaf->bundle.length);
    write_text(writer, "pricing", leaf->pricing);
    write_hash(writer, "sealed", &proof->commitments.sealed);
    json_write_key(writer, "postings");
    json_write_array(writer);
    for (size_t i = 0; i < proof->commitments.posting_count; i++)
        write_posting(writer, proof, i);
    json_write_array_end(writer);
    write_hash(writer, "hash", &proof->leaf_hash);
    json_write_object_end(writer);
}

static void write_seal(struct json_writer *writer, const struct proof *proof)
{
    const struct seal *seal = &proof->seal;
    json_write_key(writer, "seal");
    json_write_object(writer);
    write_text(writer, "origin", slice_of(seal->origin));
    write_number(writer, "number", seal->number);
    write_number(writer, "count", (int64_t)seal->count);
    write_hex(writer, "after", seal->after.bytes, sizeof seal->after.bytes);
    write_hex(writer, "through", seal->through.bytes, sizeof seal->through.bytes);
    write_number(writer, "horizon", seal->horizon);
    write_hash(writer, "root", &seal->root);
    write_hash(writer, "previous", &seal->previous);
    write_time(writer, "at", seal->at);
    write_hash(writer, "hash", &proof->seal_hash);
    json_write_object_end(writer);
}

void proof_write(const struct proof *proof, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    write_text(&writer, "format", SLICE(FORMAT));
    write_leaf(&writer, proof);
    write_number(&writer, "index", (int64_t)proof->index);
    json_write_key(&writer, "path");
    json_write_array(&writer);
    for (size_t i = 0; i < proof->path.count; i++)
        write_hash(&writer, NULL, &proof->path.nodes[i]);
    json_write_array_end(&writer);
    write_seal(&writer, proof);
    json_write_key(&writer, "checkpoint");
    if (!proof->checkpoint.is_signed) {
        json_write_null(&writer);
    } else {
        struct bytes line;
        bytes_init(&line, out->arena);
        seal_write_checkpoint(&proof->checkpoint, &line);
        out->failed = out->failed || line.failed;
        json_write_raw(&writer, bytes_view(&line));
        if (out->arena == NULL)
            bytes_release(&line);
    }
    json_write_object_end(&writer);
}

/* ---- reading: the first thing that is missing or wrong stays in `what` */

struct reader {
    struct arena *arena;
    const char *part; /* "/leaf" ... */
    char *what;
    bool failed;
};

static const struct json *member(struct reader *r, const struct json *object, const char *key,
                                 enum json_kind kind)
{
    const struct json *value =
        object == NULL || json_kind(object) != JSON_OBJECT ? NULL : json_member(object, key);
    if (value != NULL && json_kind(value) == kind)
        return value;
    if (!r->failed)
        snprintf(r->what, 160, "%s/%s is missing or not what it must be", r->part, key);
    r->failed = true;
    return NULL;
}

static void expect(struct reader *r, bool good, const char *key)
{
    if (!good && !r->failed)
        snprintf(r->what, 160, "%s/%s is not what it must be", r->part, key);
    r->failed = r->failed || !good;
}

static int64_t number_of(struct reader *r, const struct json *object, const char *key)
{
    const struct json *value = member(r, object, key, JSON_INTEGER);
    return value == NULL ? 0 : json_integer(value);
}

static struct slice text_of(struct reader *r, const struct json *object, const char *key)
{
    const struct json *value = member(r, object, key, JSON_STRING);
    return value == NULL ? (struct slice){"", 0} : json_string(value);
}

/* A text or null. */
static struct slice optional_of(struct reader *r, const struct json *object, const char *key)
{
    const struct json *value = object == NULL ? NULL : json_member(object, key);
    if (value != NULL && json_kind(value) == JSON_NULL)
        return (struct slice){NULL, 0};
    struct slice text = text_of(r, object, key);
    return text.at == NULL ? (struct slice){"", 0} : text;
}

static void hash_of(struct reader *r, const struct json *object, const char *key,
                    struct merkle_hash *hash)
{
    expect(r, seal_read_hex(text_of(r, object, key), hash->bytes, MERKLE_HASH_SIZE), key);
}

static int64_t time_of(struct reader *r, const struct json *object, const char *key)
{
    int64_t at = 0;
    expect(r, clock_parse(text_of(r, object, key), &at), key);
    return at;
}

static struct uuid account_of(struct reader *r, const struct json *object, const char *key)
{
    struct uuid id = {{0}};
    struct slice text = text_of(r, object, key);
    expect(r, uuid_parse(text, "wal_", &id) || uuid_parse(text, "sys_", &id), key);
    return id;
}

static void read_posting(struct reader *r, const struct json *value, struct proof *proof, size_t i)
{
    struct proof_posting *to = &proof->postings[i];
    r->part = "/leaf/postings/...";
    to->is_shown = json_kind(value) == JSON_OBJECT && json_member(value, "hash") == NULL;
    if (!to->is_shown) {
        hash_of(r, value, "hash", &proof->commitments.postings[i]);
        return;
    }
    expect(r, seal_read_hex(text_of(r, value, "blind"), to->blind, LEAF_BLIND_SIZE), "blind");
    to->posting = (struct leaf_posting){
        .account = account_of(r, value, "account"),
        .version = number_of(r, value, "version"),
        .amount = number_of(r, value, "amount"),
        .hold = number_of(r, value, "hold"),
        .posted_after = number_of(r, value, "posted_after"),
        .held_after = number_of(r, value, "held_after"),
    };
    proof->commitments.postings[i] = leaf_commit_posting(&to->posting, to->blind);
}

static void read_postings(struct reader *r, const struct json *leaf, struct proof *proof)
{
    const struct json *list = member(r, leaf, "postings", JSON_ARRAY);
    const struct json *value;
    size_t at = 0;
    expect(r, list != NULL && json_count(list) <= LEAF_POSTINGS_MAX, "postings");
    while (!r->failed && json_next_element(list, &at, &value))
        read_posting(r, value, proof, proof->commitments.posting_count++);
}

static struct slice bundle_of(struct reader *r, const struct json *object)
{
    struct slice hex = optional_of(r, object, "bundle");
    if (hex.at == NULL)
        return hex;
    char *bundle = arena_alloc(r->arena, 64);
    expect(r, hex.length <= 128 && bundle != NULL && seal_read_hex(hex, bundle, hex.length / 2),
           "bundle");
    return (struct slice){bundle, hex.length / 2};
}

/* 16 bits of it are hashed: of more, others would have the same proof. */
static int kind_of(struct reader *r, const struct json *object)
{
    int64_t kind = number_of(r, object, "kind");
    expect(r, kind >= 0 && kind <= UINT16_MAX, "kind");
    return (int)kind;
}

static void read_leaf(struct reader *r, const struct json *document, struct proof *proof)
{
    r->part = "";
    const struct json *object = member(r, document, "leaf", JSON_OBJECT);
    r->part = "/leaf";
    proof->leaf = (struct leaf){
        .kind = kind_of(r, object),
        .currency = currency_parse(text_of(r, object, "currency")),
        .amount = number_of(r, object, "amount"),
        .fee = number_of(r, object, "fee"),
        .from = account_of(r, object, "from"),
        .to = account_of(r, object, "to"),
        .created_at = time_of(r, object, "created_at"),
        .note = optional_of(r, object, "note"),
        .reference = optional_of(r, object, "reference"),
        .bundle = bundle_of(r, object),
        .pricing = optional_of(r, object, "pricing"),
    };
    expect(r, uuid_parse(text_of(r, object, "id"), "tx_", &proof->leaf.id), "id");
    hash_of(r, object, "sealed", &proof->commitments.sealed);
    hash_of(r, object, "hash", &proof->leaf_hash);
    read_postings(r, object, proof);
}

static void read_path(struct reader *r, const struct json *document, struct proof *proof)
{
    r->part = "";
    const struct json *list = member(r, document, "path", JSON_ARRAY);
    const struct json *value;
    size_t at = 0;
    int64_t index = number_of(r, document, "index");
    expect(r, list != NULL && json_count(list) <= MERKLE_PATH_MAX, "path");
    expect(r, index >= 0, "index");
    proof->index = (size_t)index;
    while (!r->failed && json_next_element(list, &at, &value))
        expect(r,
               json_kind(value) == JSON_STRING &&
                   seal_read_hex(json_string(value), proof->path.nodes[proof->path.count++].bytes,
                                 MERKLE_HASH_SIZE),
               "path");
}

static void read_seal(struct reader *r, const struct json *document, struct proof *proof)
{
    struct seal *seal = &proof->seal;
    r->part = "";
    const struct json *object = member(r, document, "seal", JSON_OBJECT);
    r->part = "/seal";
    struct slice origin = text_of(r, object, "origin");
    int64_t count = number_of(r, object, "count");
    snprintf(seal->origin, sizeof seal->origin, "%.*s", (int)origin.length, origin.at);
    expect(r, origin.length < SEAL_ORIGIN_MAX && seal_is_origin(seal->origin), "origin");
    expect(r, count > 0, "count");
    seal->count = (size_t)count;
    seal->number = number_of(r, object, "number");
    seal->horizon = number_of(r, object, "horizon");
    seal->at = time_of(r, object, "at");
    expect(r, seal_read_hex(text_of(r, object, "after"), seal->after.bytes, 16), "after");
    expect(r, seal_read_hex(text_of(r, object, "through"), seal->through.bytes, 16), "through");
    hash_of(r, object, "root", &seal->root);
    hash_of(r, object, "previous", &seal->previous);
    hash_of(r, object, "hash", &proof->seal_hash);
}

bool proof_read(struct slice text, struct arena *arena, struct proof *proof, char what[160])
{
    struct json_error error;
    struct reader r = {.arena = arena, .part = "", .what = what, .failed = false};
    const struct json *document = json_parse(text, arena, &error);
    memset(proof, 0, sizeof *proof);
    if (document == NULL) {
        snprintf(what, 160, "no JSON: %s", error.message);
        return false;
    }
    expect(&r, slice_equals(text_of(&r, document, "format"), FORMAT), "format");
    if (r.failed)
        return false;
    read_leaf(&r, document, proof);
    read_path(&r, document, proof);
    read_seal(&r, document, proof);
    r.part = "";
    const struct json *checkpoint = json_member(document, "checkpoint");
    bool is_none = checkpoint != NULL && json_kind(checkpoint) == JSON_NULL;
    expect(&r, is_none || seal_take_checkpoint(checkpoint, &proof->checkpoint), "checkpoint");
    return !r.failed;
}

/* ---- checking */

enum proof_verdict proof_check(const struct proof *proof, const uint8_t key[CRYPTO_PUBLIC_SIZE])
{
    const struct checkpoint *checkpoint = &proof->checkpoint;
    const struct checkpoint own = seal_checkpoint(&proof->seal);
    struct merkle_hash hash;
    struct bytes space;
    bytes_init(&space, NULL);
    bool hashed = leaf_hash(&proof->leaf, &proof->commitments, &space, &hash);
    bytes_release(&space);
    if (!hashed || memcmp(&hash, &proof->leaf_hash, sizeof hash) != 0)
        return PROOF_LEAF_DIFFERS;
    if (!merkle_path_leads(&proof->path, &hash, proof->index, proof->seal.count, &proof->seal.root))
        return PROOF_PATH_ASTRAY;
    if (memcmp(&own.hash, &proof->seal_hash, sizeof own.hash) != 0)
        return PROOF_SEAL_DIFFERS;
    if (!checkpoint->is_signed)
        return PROOF_UNSIGNED;
    if (memcmp(&own.hash, &checkpoint->hash, sizeof own.hash) != 0 ||
        own.seal != checkpoint->seal || own.at != checkpoint->at ||
        strcmp(own.origin, checkpoint->origin) != 0)
        return PROOF_CHECKPOINT_DIFFERS;
    if (memcmp(checkpoint->key, key, CRYPTO_PUBLIC_SIZE) != 0)
        return PROOF_OTHER_KEY;
    return seal_is_signed_well(checkpoint) ? PROOF_GOOD : PROOF_FORGED;
}

static const struct {
    const char *name;
    const char *text;
} verdicts[] = {
    [PROOF_GOOD] = {"good", "this transaction stands in the sealed ledger"},
    [PROOF_LEAF_DIFFERS] = {"leaf_differs", "the transaction's fields are not those that were "
                                            "sealed: they have another hash than the leaf"},
    [PROOF_PATH_ASTRAY] = {"path_astray", "the path does not lead from the leaf to the seal's "
                                          "root: this transaction is not in that seal"},
    [PROOF_SEAL_DIFFERS] = {"seal_differs", "the seal's fields don't have the seal's hash"},
    [PROOF_CHECKPOINT_DIFFERS] = {"checkpoint_differs", "the checkpoint is of another seal"},
    [PROOF_UNSIGNED] = {"unsigned", "the seal was made without a key: nobody vouches for it"},
    [PROOF_OTHER_KEY] = {"other_key", "it is signed by another key than this one"},
    [PROOF_FORGED] = {"forged", "the checkpoint's signature is wrong"},
};

const char *proof_verdict_text(enum proof_verdict verdict)
{
    return verdicts[verdict].text;
}

const char *proof_verdict_name(enum proof_verdict verdict)
{
    return verdicts[verdict].name;
}
