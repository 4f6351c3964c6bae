/* moolah proof: the keys that sign seals, and checking a proof that somebody was given, offline. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "ledger/proof.h"
#include "store/checkpoints.h"

#define DOCUMENT_MAX ((size_t)1 << 20)
#define KEY_TEXT (2 * CRYPTO_PUBLIC_SIZE + 1)

static void format_key(const uint8_t *key, char text[KEY_TEXT])
{
    struct bytes out = {.at = text, .capacity = KEY_TEXT, .limit = KEY_TEXT};
    bytes_add_hex(&out, key, CRYPTO_PUBLIC_SIZE);
    bytes_add_char(&out, '\0');
}

static int print_public(const struct cli *cli, const uint8_t seed[CRYPTO_SEED_SIZE])
{
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    char text[KEY_TEXT];
    crypto_ed25519_public(seed, key);
    format_key(key, text);
    if (cli->json) {
        struct json_writer *json = cli_json_begin();
        json_write_object(json);
        json_write_key(json, "public_key");
        json_write_text(json, text);
        json_write_object_end(json);
        cli_json_end();
    } else {
        printf("%s\n", text);
    }
    return 0;
}

/* Made where nothing was, and on disk before its public half is told. */
static bool write_key(const char *path, const uint8_t seed[CRYPTO_SEED_SIZE])
{
    char text[KEY_TEXT];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    format_key(seed, text);
    text[KEY_TEXT - 1] = '\n';
    bool good = write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0;
    int reason = errno;
    memory_wipe(text, sizeof text);
    if (close(fd) != 0 || !good) {
        unlink(path);
        errno = good ? errno : reason;
        return false;
    }
    return true;
}

static int make_key(const struct cli *cli)
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    crypto_random(seed, sizeof seed);
    if (!write_key(cli->words[0], seed))
        return cli_fail(1, "%s: %s: a key is written to a new file only", cli->words[0],
                        strerror(errno));
    int code = print_public(cli, seed);
    memory_wipe(seed, sizeof seed);
    return code;
}

static int show_public(const struct cli *cli)
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    char error[160];
    if (!checkpoints_read_key(cli->words[0], seed, error))
        return cli_fail(1, "%s", error);
    int code = print_public(cli, seed);
    memory_wipe(seed, sizeof seed);
    return code;
}

/* A file's text, cut at `most`; NULL: errno. */
static char *read_file(const char *path, struct arena *arena, size_t most, size_t *length)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = file == NULL ? NULL : arena_room(arena, most + 1);
    if (file == NULL)
        return NULL;
    *length = text == NULL ? 0 : fread(text, 1, most, file);
    if (ferror(file) != 0)
        text = NULL;
    if (text != NULL)
        text[*length] = '\0';
    if (file != stdin)
        fclose(file);
    return text;
}

/* 64 hex digits, or a file of them. */
static bool read_public(const char *given, struct arena *arena, uint8_t key[CRYPTO_PUBLIC_SIZE])
{
    size_t length;
    if (seal_read_hex(slice_of(given), key, CRYPTO_PUBLIC_SIZE))
        return true;
    const char *text = read_file(given, arena, 200, &length);
    return text != NULL &&
           seal_read_hex((struct slice){text, strcspn(text, "\r\n")}, key, CRYPTO_PUBLIC_SIZE);
}

static void say_what_it_proves(const struct proof *proof)
{
    char id[UUID_TEXT_MAX];
    char code[4];
    char at[CLOCK_TEXT_MAX];
    char sealed[CLOCK_TEXT_MAX];
    char money[CLI_MONEY_MAX];
    uuid_format(&proof->leaf.id, "tx_", id);
    currency_text(proof->leaf.currency, code);
    clock_format(proof->leaf.created_at, at);
    clock_format(proof->seal.at, sealed);
    cli_format_money(proof->leaf.amount, proof->leaf.currency, money);
    printf("%s: %s %s on %s\n", id, code, money, at);
    printf("stands as one of %zu in seal %lld of \"%s\", made on %s and signed by this key\n",
           proof->seal.count, (long long)proof->seal.number, proof->seal.origin, sealed);
}

static void print_verdict_json(const struct proof *proof, enum proof_verdict verdict)
{
    char id[UUID_TEXT_MAX];
    struct json_writer *json = cli_json_begin();
    uuid_format(&proof->leaf.id, "tx_", id);
    json_write_object(json);
    json_write_key(json, "good");
    json_write_bool(json, verdict == PROOF_GOOD);
    json_write_key(json, "verdict");
    json_write_text(json, proof_verdict_name(verdict));
    json_write_key(json, "detail");
    json_write_text(json, proof_verdict_text(verdict));
    json_write_key(json, "transaction");
    json_write_text(json, id);
    json_write_key(json, "origin");
    json_write_text(json, proof->seal.origin);
    json_write_key(json, "seal");
    json_write_int(json, proof->seal.number);
    json_write_object_end(json);
    cli_json_end();
}

static int check(const struct cli *cli, struct arena *arena)
{
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    struct proof proof;
    char what[160];
    size_t length;
    if (cli->key == NULL)
        return cli_fail(2, "whose signature? --key with 64 hex digits, or a file of them");
    if (!read_public(cli->key, arena, key))
        return cli_fail(2, "--key is no public key: 64 hex digits, or a file of them");
    const char *text = read_file(cli->words[0], arena, DOCUMENT_MAX, &length);
    if (text == NULL)
        return cli_fail(2, "%s: %s", cli->words[0], strerror(errno));
    if (!proof_read((struct slice){text, length}, arena, &proof, what))
        return cli_fail(1, "%s is no proof: %s", cli->words[0], what);
    enum proof_verdict verdict = proof_check(&proof, key);
    if (cli->json)
        print_verdict_json(&proof, verdict);
    else if (verdict == PROOF_GOOD)
        say_what_it_proves(&proof);
    else
        return cli_fail(1, "NOT PROVED: %s", proof_verdict_text(verdict));
    return verdict == PROOF_GOOD ? 0 : 1;
}

static int verify(const struct cli *cli)
{
    struct arena arena;
    arena_init(&arena);
    int code = check(cli, &arena);
    arena_release(&arena);
    return code;
}

static int status(const struct cli *cli)
{
    return cli_print_query(
        cli,
        &(struct cli_query){.sql = "select number \"seal:number\", origin, at \"at:time\", "
                                   "count \"transactions:number\", through_id \"through:tx_\", "
                                   "encode(hash, 'hex') as hash, encode(key, 'hex') as key "
                                   "from seals order by number desc limit 1",
                            .none = "nothing is sealed yet: does a moolahd run on this database?",
                            .one = true});
}

const struct cli_command cli_proof[] = {
    {"key", "FILE", 1, 1, 0, "make a key that signs seals, and say its public half", make_key},
    {"public", "FILE", 1, 1, 0, "the public half of a key", show_public},
    {"verify", "FILE", 1, 1, CLI_KEY, "check a proof offline; 1 when it proves nothing", verify},
    {"status", "", 0, 0, CLI_DATABASE, "the newest seal", status},
    {.name = NULL},
};
