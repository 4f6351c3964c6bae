#include "store/cache.h"

#include <hiredis/hiredis.h>

#include <assert.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/cache_entry.h"
#include "store/cache_function.h"
#include "store/ledger_rows.h"
#include "store/presence.h"
#include "store/redis.h"
#include "store/revisions.h"

#define LIFETIME_MS "600000"
#define OFFERS_MAX 64   /* wallets in a command: Redis does nothing else meanwhile */
#define CHECK_ONE_OF 64 /* hits */
#define CHECKS_MAX 4    /* at a time */
#define LISTS 256       /* of what the database is being asked for */
#define KEY_MAX 48
#define ENTRY_MAX 65536 /* anything longer isn't ours */

/* The database is asked for something, for all who want it. */
struct load {
    struct load *next; /* of its list */
    struct cache *cache;
    struct arena arena;
    struct wallets_question question;
    enum cache_what what;
    struct uuid wallet;
    struct uuid owner;
    uint64_t revision;
    uint64_t generation;
    bool may_keep;            /* nothing was in doubt */
    struct cache_read *first; /* who waits, chained through `next` */
    bool checks;              /* nobody waits: a copy that was given is held against it */
    struct bytes given;
};

struct cache {
    struct cache_settings settings;
    struct load *loads[LISTS];
    struct bytes entry; /* being made */
    struct bytes command;
    unsigned hits; /* since the last that was checked */
    int checks;    /* on their way */
};

static struct {
    metric reads[2][4];
    metric offered;
    metric joined;
    metric checked;
    metric drift;
} metrics;

enum result { HIT, MISS, STALE, REFUSED };

void cache_register_metrics(void)
{
    static const char *const labels[2][4] = {
        {"of=\"balance\",result=\"hit\"", "of=\"balance\",result=\"miss\"",
         "of=\"balance\",result=\"stale\"", "of=\"balance\",result=\"refused\""},
        {"of=\"statement\",result=\"hit\"", "of=\"statement\",result=\"miss\"",
         "of=\"statement\",result=\"stale\"", "of=\"statement\",result=\"refused\""},
    };
    for (int what = 0; what < 2; what++)
        for (int i = 0; i < 4; i++)
            metrics.reads[what][i] = metrics_register(
                METRIC_COUNTER, "moolah_cache_reads_total", labels[what][i],
                "Reads by what the cache said; the hit ratio is hit / all. stale: the wallet has "
                "changed since; refused: not a copy of ours; both were read from PostgreSQL");
    metrics.offered = metrics_register(METRIC_COUNTER, "moolah_cache_offers_total", "",
                                       "Changed wallets whose copies were renewed after posting");
    metrics.joined = metrics_register(METRIC_COUNTER, "moolah_cache_joined_total", "",
                                      "Misses that shared another one's question to PostgreSQL");
    metrics.checked = metrics_register(METRIC_COUNTER, "moolah_cache_checks_total", "",
                                       "Hits that were held against PostgreSQL afterwards");
    metrics.drift = metrics_register(METRIC_COUNTER, "moolah_cache_drift_total", "",
                                     "Hits that were not what PostgreSQL says: must stay 0");
    presence_register_metrics();
}

static struct cache_seal seal(void)
{
    return (struct cache_seal){revisions_key(), revisions_generation()};
}

/* The wallet's tag keeps both in one slot of a cluster. */
static struct slice write_key(const struct uuid *wallet, enum cache_what what, char space[KEY_MAX])
{
    struct bytes key = {.at = space, .capacity = KEY_MAX - 1, .limit = KEY_MAX - 1};
    bytes_add_char(&key, '{');
    bytes_add_hex(&key, wallet->bytes, sizeof wallet->bytes);
    bytes_add_text(&key, what == CACHE_PAGE ? "}:page" : "}:balance");
    assert(!key.failed);
    return bytes_view(&key);
}

static void add_key(struct bytes *command, const struct uuid *wallet, enum cache_what what)
{
    char space[KEY_MAX];
    struct slice key = write_key(wallet, what, space);
    redis_add_word(command, key.at, key.length);
}

static void add_text(struct bytes *command, const char *text)
{
    redis_add_word(command, text, strlen(text));
}

static void begin_command(struct bytes *command, size_t words)
{
    bytes_clear(command);
    bytes_add_char(command, '*');
    bytes_add_uint(command, words);
    bytes_add_text(command, "\r\n");
}

static void ignore(void *owner, const struct redisReply *reply)
{
    (void)owner;
    (void)reply;
}

/* Nobody waits, and nobody minds when it is lost. */
static void send(struct cache *cache)
{
    if (!cache->command.failed)
        redis_ask_written(cache->settings.redis, bytes_view(&cache->command), ignore, NULL);
}

static bool is_usable(const struct cache *cache)
{
    return redis_is_up(cache->settings.redis) && presence_is_alone(cache->settings.presence);
}

static void take_out(struct cache *cache, const struct uuid *wallet, enum cache_what what)
{
    begin_command(&cache->command, 2);
    add_text(&cache->command, "UNLINK");
    add_key(&cache->command, wallet, what);
    send(cache);
}

void cache_forget(struct cache *cache, const struct uuid *wallet)
{
    revisions_touch(wallet);
    take_out(cache, wallet, CACHE_BALANCE);
    take_out(cache, wallet, CACHE_PAGE);
}

/* ---- reading ---- */

/* Texts move into the arena: what they point to is gone after the call. */
static bool own_text(struct arena *arena, struct slice *text)
{
    if (text->at == NULL)
        return true;
    *text = arena_copy(arena, *text);
    return text->at != NULL;
}

static bool own_texts(struct wallets_question *q)
{
    bool good = true;
    for (size_t i = 0; i < q->wallet_count && q->wallets != NULL; i++)
        good = own_text(q->arena, &q->wallets[i].label) && good;
    for (size_t i = 0; i < q->transaction_count && q->transactions != NULL; i++)
        good = own_text(q->arena, &q->transactions[i].note) &&
               own_text(q->arena, &q->transactions[i].reference) && good;
    return good;
}

static bool read_balance(struct cache_read *read, struct slice entry, uint64_t *revision)
{
    struct wallets_question *q = read->question;
    const struct cache_seal by = seal();
    q->wallets = arena_array(q->arena, 1, sizeof q->wallets[0]);
    if (q->wallets == NULL)
        return false;
    q->wallets[0].id = read->wallet;
    if (!cache_entry_read_balance(entry, &by, &q->wallets[0], revision))
        return false;
    read->copy_owner = q->wallets[0].owner;
    q->wallet_count = 1;
    return true;
}

static bool read_page(struct cache_read *read, struct slice entry, uint64_t *revision)
{
    struct wallets_question *q = read->question;
    const struct cache_seal by = seal();
    struct cache_page page = {.wallet = read->wallet};
    q->transactions = arena_array(q->arena, CACHE_ENTRY_LINES, sizeof q->transactions[0]);
    if (q->transactions == NULL ||
        !cache_entry_read_page(entry, &by, &page, revision, q->transactions))
        return false;
    read->copy_owner = page.owner;
    q->wallet_count = 1;
    q->transaction_count = cache_entry_lines(page.version);
    q->scanned_to = 0;
    return true;
}

static void clear_question(struct wallets_question *q)
{
    q->wallets = NULL;
    q->transactions = NULL;
    q->wallet_count = q->transaction_count = 0;
    q->scanned_to = 0;
    q->outcome = PG_OK;
}

/* What Redis has given is a copy, and still good. */
static enum result judge(struct cache_read *read, struct slice entry)
{
    uint64_t revision;
    uint64_t now;
    if (entry.at == NULL)
        return MISS;
    bool is_ours = entry.length <= ENTRY_MAX &&
                   (read->what == CACHE_PAGE ? read_page(read, entry, &revision)
                                             : read_balance(read, entry, &revision));
    if (!is_ours) {
        take_out(read->cache, &read->wallet, read->what); /* nothing else would go over it */
        return REFUSED;
    }
    if (!revisions_read(&read->wallet, &now) || now != revision)
        return STALE;
    return own_texts(read->question) && presence_is_alone(read->cache->settings.presence) ? HIT
                                                                                          : MISS;
}

/* MGET: it never minds what type a key has. */
static struct slice value_of(const struct redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){reply->element[0]->str, reply->element[0]->len};
}

static void on_copy(void *owner, const struct redisReply *reply)
{
    struct cache_read *read = owner;
    enum result result = judge(read, value_of(reply));
    metrics_add(metrics.reads[read->what][result], 1);
    read->has_copy = result == HIT;
    if (result == HIT)
        revisions_want(&read->wallet);
    else
        clear_question(read->question);
    read->asked = false;
    read->found(read);
}

bool cache_ask(struct cache *cache, struct cache_read *read)
{
    read->cache = cache;
    read->has_copy = false;
    clear_question(read->question);
    if (!is_usable(cache))
        return false;
    begin_command(&cache->command, 2);
    add_text(&cache->command, "MGET");
    add_key(&cache->command, &read->wallet, read->what);
    read->asked =
        !cache->command.failed &&
        redis_ask_written(cache->settings.redis, bytes_view(&cache->command), on_copy, read);
    return read->asked;
}

/* ---- writing ---- */

/* An entry of what the database said; false: this can't be one. */
static bool make_entry(struct cache *cache, const struct load *load)
{
    const struct wallets_question *q = &load->question;
    const struct cache_seal by = {revisions_key(), load->generation};
    struct bytes *out = &cache->entry;
    bytes_clear(out);
    if (load->what == CACHE_BALANCE) {
        cache_entry_add_balance_head(out, &by, &q->wallets[0], load->revision);
        cache_entry_add_balance_rest(out, &by, &q->wallets[0]);
        return !out->failed;
    }
    int64_t version = q->transaction_count == 0 ? 0 : q->transactions[0].version;
    const struct cache_page page = {load->wallet, load->owner, version};
    if (q->transaction_count != cache_entry_lines(version))
        return false;
    cache_entry_add_page_head(out, &by, &page, load->revision);
    for (size_t i = 0; i < q->transaction_count; i++) {
        if (q->transactions[i].version != version - (int64_t)i)
            return false;
        cache_entry_add_line(out, &by, &load->wallet, &q->transactions[i]);
    }
    return !out->failed;
}

static void store(struct cache *cache, const struct load *load)
{
    uint64_t now;
    if (!is_usable(cache) || !load->may_keep || load->generation != revisions_generation() ||
        !revisions_read(&load->wallet, &now) || now != load->revision || !make_entry(cache, load))
        return;
    begin_command(&cache->command, 6);
    add_text(&cache->command, "FCALL");
    add_text(&cache->command, CACHE_STORE_NAME);
    add_text(&cache->command, "1");
    add_key(&cache->command, &load->wallet, load->what);
    redis_add_word(&cache->command, cache->entry.at, cache->entry.length);
    add_text(&cache->command, LIFETIME_MS);
    send(cache);
    revisions_want(&load->wallet);
}

/* ---- the database ---- */

static struct load **list_of(struct cache *cache, const struct uuid *wallet)
{
    return &cache->loads[wallet->bytes[15] % LISTS];
}

static void unlist(struct load *load)
{
    struct load **link = list_of(load->cache, &load->wallet);
    while (*link != load) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = load->next;
}

static void free_load(struct load *load)
{
    load->cache->checks -= load->checks;
    bytes_release(&load->given);
    arena_release(&load->arena);
    memory_free(load);
}

/* What was answered, for one who wanted it. */
static void copy_answer(const struct wallets_question *from, struct wallets_question *to)
{
    clear_question(to);
    to->outcome = from->outcome;
    to->scanned_to = from->scanned_to;
    to->wallet_count = from->wallet_count;
    to->transaction_count = from->transaction_count;
    bool good = true;
    if (from->wallets != NULL) {
        to->wallets = arena_array(to->arena, from->wallet_count, sizeof to->wallets[0]);
        good = to->wallets != NULL;
        if (good && from->wallet_count > 0)
            memcpy(to->wallets, from->wallets, from->wallet_count * sizeof to->wallets[0]);
    }
    if (good && from->transactions != NULL) {
        to->transactions =
            arena_array(to->arena, from->transaction_count, sizeof to->transactions[0]);
        good = to->transactions != NULL;
        if (good && from->transaction_count > 0)
            memcpy(to->transactions, from->transactions,
                   from->transaction_count * sizeof to->transactions[0]);
    }
    if (good && own_texts(to))
        return;
    clear_question(to);
    to->outcome = PG_UNAVAILABLE;
}

/* A hit is held against what the database says: drift when they differ and nothing has changed. */
static void compare(struct load *load)
{
    struct cache *cache = load->cache;
    uint64_t now;
    bool quiet = load->question.outcome == PG_OK && load->may_keep &&
                 load->generation == revisions_generation() &&
                 revisions_read(&load->wallet, &now) && now == load->revision;
    if (!quiet)
        return;
    metrics_add(metrics.checked, 1);
    if (load->question.wallet_count == 1 && make_entry(cache, load) &&
        slice_equal(bytes_view(&cache->entry), bytes_view(&load->given)))
        return;
    char id[UUID_TEXT_MAX];
    uuid_format(&load->wallet, "wal_", id);
    log_message(LOG_ERROR, "cache_drift", "%s: its %s in the cache was not the database's", id,
                load->what == CACHE_PAGE ? "statement" : "balance");
    metrics_add(metrics.drift, 1);
    cache_forget(cache, &load->wallet);
}

static void on_loaded(struct wallets_question *question)
{
    struct load *load = (struct load *)(void *)((char *)question - offsetof(struct load, question));
    if (load->checks) {
        compare(load);
        free_load(load);
        return;
    }
    unlist(load);
    if (question->outcome == PG_OK && question->wallet_count == 1)
        store(load->cache, load);
    struct cache_read *next;
    for (struct cache_read *read = load->first; read != NULL; read = next) {
        next = read->next;
        copy_answer(question, read->question);
        read->question->done(read->question);
    }
    free_load(load);
}

static bool ask_database(struct load *load)
{
    const struct wallets_filter filter = {
        .wallet = load->wallet,
        .limit = CACHE_ENTRY_LINES - 1,
        .before_version = INT64_MAX,
        .from = INT64_MIN,
        .to = INT64_MAX,
        .max_amount = INT64_MAX,
    };
    struct pg_pool *pool = load->cache->settings.pool;
    load->question.arena = &load->arena;
    load->question.done = on_loaded;
    return load->what == CACHE_PAGE
               ? wallets_statement(pool, &filter, &load->owner, &load->question)
               : wallets_find(pool, &load->wallet, &load->owner, &load->question);
}

static struct load *new_load(struct cache *cache, const struct cache_read *read)
{
    struct load *load = memory_alloc(sizeof *load);
    if (load == NULL)
        return NULL;
    load->cache = cache;
    arena_init(&load->arena);
    bytes_init(&load->given, NULL);
    load->what = read->what;
    load->wallet = read->wallet;
    load->owner = read->owner;
    load->generation = revisions_generation();
    load->may_keep = revisions_read(&load->wallet, &load->revision);
    return load;
}

/* One that asks for the same and began after the wallet's last change: what it will say is no older
 * than what a question asked now would. */
static bool join(struct cache *cache, struct cache_read *read)
{
    uint64_t now;
    if (!revisions_read(&read->wallet, &now))
        return false;
    for (struct load *load = *list_of(cache, &read->wallet); load != NULL; load = load->next) {
        if (load->what != read->what || !load->may_keep || load->revision != now ||
            !uuid_equal(&load->wallet, &read->wallet) || !uuid_equal(&load->owner, &read->owner))
            continue;
        read->next = load->first;
        load->first = read;
        metrics_add(metrics.joined, 1);
        return true;
    }
    return false;
}

bool cache_load(struct cache *cache, struct cache_read *read)
{
    read->next = NULL;
    if (presence_is_alone(cache->settings.presence) && join(cache, read))
        return true;
    struct load *load = new_load(cache, read);
    if (load == NULL)
        return false;
    load->first = read;
    if (!ask_database(load)) {
        free_load(load);
        return false;
    }
    struct load **list = list_of(cache, &load->wallet);
    load->next = *list;
    *list = load;
    return true;
}

/* The copy that is being given, made again from what was read of it: the same bytes. */
static void check(struct cache *cache, const struct cache_read *read)
{
    struct load *load = new_load(cache, read);
    if (load == NULL)
        return;
    load->checks = true;
    cache->checks++;
    load->question = *read->question;
    if (!load->may_keep || !make_entry(cache, load))
        load->may_keep = false;
    bytes_add_slice(&load->given, bytes_view(&cache->entry));
    if (load->given.failed || !load->may_keep || !ask_database(load))
        free_load(load);
}

bool cache_take(struct cache_read *read)
{
    struct cache *cache = read->cache;
    if (!read->has_copy || !uuid_equal(&read->owner, &read->copy_owner))
        return false;
    if (++cache->hits >= CHECK_ONE_OF && cache->checks < CHECKS_MAX) {
        cache->hits = 0;
        check(cache, read);
    }
    return true;
}

/* ---- after posting ---- */

static const struct ledger_transaction *transaction_of(const struct ledger_rows_writing *writing,
                                                       const struct posting *posting)
{
    for (size_t i = 0; i < writing->transaction_count; i++)
        if (uuid_equal(&writing->transactions[i].id, &posting->transaction))
            return &writing->transactions[i];
    return NULL;
}

/* The line that wallets_statement would read back. */
static void add_line(struct bytes *out, const struct cache_seal *by,
                     const struct ledger_rows_writing *writing, const struct posting *posting)
{
    const struct ledger_transaction *t = transaction_of(writing, posting);
    if (t == NULL) {
        out->failed = true;
        return;
    }
    const struct wallets_transaction line = {
        .id = t->id,
        .kind = (int)t->kind,
        .from = t->from,
        .to = t->to,
        .amount = t->amount,
        .fee = t->fee,
        .currency = t->currency,
        .note = t->note,
        .reference = t->reference,
        .created_at = writing->created_at,
        .change = posting->amount,
        .version = posting->version,
        .posted_after = posting->posted_after,
        .held_after = posting->held_after,
        .hold = posting->hold,
    };
    cache_entry_add_line(out, by, &posting->account, &line);
}

/* Its page's head and new lines, newest first: a batch's postings are in their order. */
static void add_page(struct bytes *out, const struct cache_seal *by,
                     const struct ledger_rows_writing *writing, const struct account *account,
                     uint64_t revision)
{
    const struct cache_page page = {account->id, account->owner, account->version};
    size_t lines = 0;
    cache_entry_add_page_head(out, by, &page, revision);
    for (size_t i = writing->posting_count; i > 0 && lines < CACHE_ENTRY_LINES; i--) {
        const struct posting *posting = &writing->postings[i - 1];
        if (!uuid_equal(&posting->account, &account->id))
            continue;
        add_line(out, by, writing, posting);
        lines++;
    }
}

static void add_offer(struct cache *cache, const struct ledger_rows_writing *writing,
                      const struct account *account, const struct revisions_change *change)
{
    struct bytes *out = &cache->entry;
    const struct cache_seal by = seal();
    const struct wallet wallet = {
        .id = account->id,
        .status = (int)account->status,
        .posted = account->posted,
        .held = account->held,
        .version = account->version,
    };
    if (change->revision == 0) {
        redis_add_word(&cache->command, "", 0);
        redis_add_word(&cache->command, "", 0);
        return;
    }
    bytes_clear(out);
    cache_entry_add_balance_head(out, &by, &wallet, change->revision);
    redis_add_word(&cache->command, out->at, out->length);
    bytes_clear(out);
    add_page(out, &by, writing, account, change->revision);
    redis_add_word(&cache->command, out->at, out->failed ? 0 : out->length);
    metrics_add(metrics.offered, 1);
}

/* A wallet's account and what became of its revision. */
struct offer {
    const struct account *account;
    const struct revisions_change *change;
};

static void send_offers(struct cache *cache, const struct ledger_rows_writing *writing,
                        const struct offer *offers, size_t count)
{
    char digits[8];
    struct bytes *command = &cache->command;
    struct bytes keys = {.at = digits, .capacity = sizeof digits - 1, .limit = sizeof digits - 1};
    bytes_add_uint(&keys, 2 * count);
    begin_command(command, 3 + 4 * count);
    add_text(command, "FCALL");
    add_text(command, CACHE_OFFER_NAME);
    redis_add_word(command, keys.at, keys.length);
    for (size_t i = 0; i < count; i++) {
        add_key(command, &offers[i].account->id, CACHE_BALANCE);
        add_key(command, &offers[i].account->id, CACHE_PAGE);
    }
    for (size_t i = 0; i < count; i++)
        add_offer(cache, writing, offers[i].account, offers[i].change);
    send(cache);
}

void cache_offer(struct cache *cache, const struct ledger_rows_writing *writing,
                 const struct revisions_change *changes, size_t count)
{
    struct offer offers[OFFERS_MAX];
    size_t pending = 0;
    size_t at = 0;
    if (!is_usable(cache))
        return;
    for (size_t i = 0; i < count; i++) {
        while (at < writing->account_count &&
               !uuid_equal(&writing->accounts[at].id, &changes[i].wallet))
            at++;
        assert(at < writing->account_count);
        if (changes[i].revision == 0 && !changes[i].forget)
            continue;
        offers[pending++] = (struct offer){&writing->accounts[at], &changes[i]};
        if (pending < OFFERS_MAX)
            continue;
        send_offers(cache, writing, offers, pending);
        pending = 0;
    }
    if (pending > 0)
        send_offers(cache, writing, offers, pending);
}

struct cache *cache_new(const struct cache_settings *settings)
{
    struct cache *cache = memory_alloc(sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->settings = *settings;
    bytes_init(&cache->entry, NULL);
    bytes_init(&cache->command, NULL);
    return cache;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    bytes_release(&cache->entry);
    bytes_release(&cache->command);
    memory_free(cache);
}
