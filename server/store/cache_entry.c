#include "store/cache_entry.h"

#include "base/crypto.h"
#include "store/wallets.h"

#define MAC CRYPTO_SHORT_MAC_SIZE
#define PIECE_MAX 1536 /* what is signed at once: a line with the longest texts is 1.1 KB */
#define NO_TEXT UINT16_MAX

/* A new field of a line must be kept here, too. */
_Static_assert(sizeof(struct wallets_transaction) == 288, "cache_entry keeps all of a line");
_Static_assert(sizeof(struct wallet) == 96, "cache_entry keeps all of a wallet");

enum piece { BALANCE_HEAD = 'B', BALANCE_REST = 'F', PAGE_HEAD = 'P', LINE = 'L' };

/* False: longer than any of ours. */
static bool sign(const struct cache_seal *seal, enum piece piece, const struct uuid *wallet,
                 struct slice text, uint8_t mac[MAC])
{
    char space[PIECE_MAX + 32];
    struct bytes all = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    bytes_add_be64(&all, seal->generation);
    bytes_add_char(&all, (char)piece);
    bytes_add(&all, wallet->bytes, sizeof wallet->bytes);
    bytes_add_slice(&all, text);
    if (!all.failed)
        crypto_short_mac(seal->key, bytes_view(&all), mac);
    return !all.failed;
}

/* Behind what was appended since `from`. */
static void add_mac(struct bytes *out, size_t from, const struct cache_seal *seal, enum piece piece,
                    const struct uuid *wallet)
{
    uint8_t mac[MAC];
    if (out->failed)
        return;
    if (sign(seal, piece, wallet, (struct slice){out->at + from, out->length - from}, mac))
        bytes_add(out, mac, sizeof mac);
    else
        out->failed = true;
}

static void add_number(struct bytes *out, int64_t number)
{
    bytes_add_be64(out, (uint64_t)number);
}

static void add_id(struct bytes *out, const struct uuid *id)
{
    bytes_add(out, id->bytes, sizeof id->bytes);
}

static void add_text(struct bytes *out, struct slice text)
{
    if (text.length >= NO_TEXT)
        out->failed = true;
    bytes_add_be16(out, text.at == NULL ? NO_TEXT : (uint16_t)text.length);
    bytes_add_slice(out, text);
}

void cache_entry_add_balance_head(struct bytes *out, const struct cache_seal *seal,
                                  const struct wallet *wallet, uint64_t revision)
{
    size_t from = out->length;
    add_number(out, wallet->version);
    bytes_add_be64(out, revision);
    add_number(out, wallet->posted);
    add_number(out, wallet->held);
    bytes_add_char(out, (char)wallet->status);
    add_mac(out, from, seal, BALANCE_HEAD, &wallet->id);
}

void cache_entry_add_balance_rest(struct bytes *out, const struct cache_seal *seal,
                                  const struct wallet *wallet)
{
    size_t from = out->length;
    add_number(out, wallet->created_at);
    bytes_add_be32(out, (uint32_t)wallet->currency);
    bytes_add_be16(out, (uint16_t)wallet->zone);
    add_id(out, &wallet->owner);
    add_text(out, wallet->label);
    add_mac(out, from, seal, BALANCE_REST, &wallet->id);
}

void cache_entry_add_page_head(struct bytes *out, const struct cache_seal *seal,
                               const struct cache_page *page, uint64_t revision)
{
    size_t from = out->length;
    add_number(out, page->version);
    bytes_add_be64(out, revision);
    add_id(out, &page->owner);
    add_mac(out, from, seal, PAGE_HEAD, &page->wallet);
}

/* Behind its length, so that Redis finds the next one. */
void cache_entry_add_line(struct bytes *out, const struct cache_seal *seal,
                          const struct uuid *wallet, const struct wallets_transaction *line)
{
    char space[PIECE_MAX];
    struct bytes own = {.at = space, .capacity = sizeof space - 1, .limit = sizeof space - 1};
    add_number(&own, line->version);
    add_id(&own, &line->id);
    bytes_add_be16(&own, (uint16_t)line->kind);
    add_id(&own, &line->from);
    add_id(&own, &line->to);
    add_number(&own, line->amount);
    add_number(&own, line->fee);
    bytes_add_be32(&own, (uint32_t)line->currency);
    add_number(&own, line->created_at);
    add_number(&own, line->change);
    add_number(&own, line->posted_after);
    add_number(&own, line->held_after);
    add_number(&own, line->hold);
    add_text(&own, line->note);
    add_text(&own, line->reference);
    add_mac(&own, 0, seal, LINE, wallet);
    if (own.failed)
        out->failed = true;
    bytes_add_be16(out, (uint16_t)own.length);
    bytes_add_slice(out, bytes_view(&own));
}

/* What is left to read; `bad` once there was less than was wanted. */
struct reader {
    struct slice rest;
    bool bad;
};

static const char *take(struct reader *reader, size_t length)
{
    static const char nothing[MAC];
    const char *at = reader->rest.at;
    if (reader->bad || reader->rest.length < length) {
        reader->bad = true;
        return length <= sizeof nothing ? nothing : NULL;
    }
    reader->rest.at += length;
    reader->rest.length -= length;
    return at;
}

static uint64_t take_number(struct reader *reader, size_t size)
{
    const char *at = take(reader, size);
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

static struct uuid take_id(struct reader *reader)
{
    struct uuid id;
    memcpy(id.bytes, take(reader, sizeof id.bytes), sizeof id.bytes);
    return id;
}

static struct slice take_text(struct reader *reader)
{
    size_t length = (size_t)take_number(reader, 2);
    if (length == NO_TEXT || reader->bad)
        return (struct slice){NULL, 0};
    return (struct slice){take(reader, length), length};
}

/* Everything read since `from` is signed by what follows. */
static bool is_signed(struct reader *reader, const char *from, const struct cache_seal *seal,
                      enum piece piece, const struct uuid *wallet)
{
    uint8_t mac[MAC];
    struct slice text = {from, (size_t)(reader->rest.at - from)};
    const char *said = take(reader, MAC);
    return !reader->bad && sign(seal, piece, wallet, text, mac) && crypto_equal(mac, said, MAC);
}

bool cache_entry_read_balance(struct slice entry, const struct cache_seal *seal,
                              struct wallet *wallet, uint64_t *revision)
{
    struct reader reader = {entry, entry.at == NULL};
    const char *from = entry.at;
    wallet->version = (int64_t)take_number(&reader, 8);
    *revision = take_number(&reader, 8);
    wallet->posted = (int64_t)take_number(&reader, 8);
    wallet->held = (int64_t)take_number(&reader, 8);
    wallet->status = (int)take_number(&reader, 1);
    if (!is_signed(&reader, from, seal, BALANCE_HEAD, &wallet->id))
        return false;
    from = reader.rest.at;
    wallet->created_at = (int64_t)take_number(&reader, 8);
    wallet->currency = (currency)take_number(&reader, 4);
    wallet->zone = (int)take_number(&reader, 2);
    wallet->owner = take_id(&reader);
    wallet->label = take_text(&reader);
    return is_signed(&reader, from, seal, BALANCE_REST, &wallet->id) && reader.rest.length == 0;
}

size_t cache_entry_lines(int64_t version)
{
    return version < CACHE_ENTRY_LINES ? (size_t)version : CACHE_ENTRY_LINES;
}

static bool read_line(struct reader *all, const struct cache_seal *seal, const struct uuid *wallet,
                      struct wallets_transaction *line)
{
    size_t length = (size_t)take_number(all, 2);
    struct reader reader = {{NULL, length}, false};
    reader.rest.at = take(all, length);
    if (all->bad)
        return false;
    const char *from = reader.rest.at;
    *line = (struct wallets_transaction){.version = (int64_t)take_number(&reader, 8)};
    line->id = take_id(&reader);
    line->kind = (int)take_number(&reader, 2);
    line->from = take_id(&reader);
    line->to = take_id(&reader);
    line->amount = (int64_t)take_number(&reader, 8);
    line->fee = (int64_t)take_number(&reader, 8);
    line->currency = (currency)take_number(&reader, 4);
    line->created_at = (int64_t)take_number(&reader, 8);
    line->change = (int64_t)take_number(&reader, 8);
    line->posted_after = (int64_t)take_number(&reader, 8);
    line->held_after = (int64_t)take_number(&reader, 8);
    line->hold = (int64_t)take_number(&reader, 8);
    line->note = take_text(&reader);
    line->reference = take_text(&reader);
    return is_signed(&reader, from, seal, LINE, wallet) && reader.rest.length == 0;
}

bool cache_entry_read_page(struct slice entry, const struct cache_seal *seal,
                           struct cache_page *page, uint64_t *revision,
                           struct wallets_transaction *lines)
{
    struct reader reader = {entry, entry.at == NULL};
    page->version = (int64_t)take_number(&reader, 8);
    *revision = take_number(&reader, 8);
    page->owner = take_id(&reader);
    if (!is_signed(&reader, entry.at, seal, PAGE_HEAD, &page->wallet))
        return false;
    size_t count = cache_entry_lines(page->version);
    for (size_t i = 0; i < count; i++)
        if (!read_line(&reader, seal, &page->wallet, &lines[i]) ||
            lines[i].version != page->version - (int64_t)i)
            return false;
    return reader.rest.length == 0;
}
