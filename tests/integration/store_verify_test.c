/* The verifier finds each kind of corruption, and blames exactly the invariant it breaks; what the
 * server's role may not do; migrations: twice at once, changed, newer, half-way.
 *
 * Covers: server/store/verify.c server/store/verify_answers.c server/store/verify_cache.c
 *         server/store/verify_sums.c server/store/migrate.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <pthread.h>

#include "base/clock.h"
#include "ledger/account.h"
#include "sound_ledger.h"
#include "store/migrate.h"
#include "store/verify.h"
#include "support/scratch.h"
#include "support/stack.h"

static struct stack *stack;
static struct scratch *sound; /* a small ledger that is right */

/* What the verifier said: the numbers of the broken invariants, and each line. */
struct said {
    char broken[16];
    struct verify_line lines[16];
    int count;
};

static void see_line(void *owner, const struct verify_line *line)
{
    struct said *said = owner;
    said->lines[said->count++] = *line;
    size_t length = strlen(said->broken);
    if (line->broken > 0)
        said->broken[length] = line->name[0]; /* its number; the rest is zero */
    assert_int_equal(line->broken > 0, line->first[0] != '\0');
    assert_int_equal(line->checked, line->reason[0] == '\0');
}

static void verify(const char *conninfo, const char *redis, struct said *said)
{
    struct verify v = {.conninfo = conninfo, .redis = redis, .tell = see_line, .owner = said};
    memset(said, 0, sizeof *said);
    bool good = verify_run(&v);
    if (!good)
        print_error("%s\n", v.error);
    assert_true(good);
    assert_int_equal(said->count, 9);
}

static void test_a_sound_ledger_holds(void **state)
{
    struct said said;
    (void)state;
    verify(sound->owner, NULL, &said);
    assert_string_equal(said.broken, "");
    assert_int_equal(said.lines[0].looked_at, 2);
    assert_int_equal(said.lines[1].looked_at, 4);
    assert_int_equal(said.lines[2].looked_at, 5);
    assert_int_equal(said.lines[3].looked_at, 4);
    assert_int_equal(said.lines[6].looked_at, 2);
    static const int summed[] = {0, 1, 3, 6}; /* sums were enough */
    for (size_t i = 0; i < sizeof summed / sizeof summed[0]; i++)
        assert_false(said.lines[summed[i]].searched);
    assert_false(said.lines[5].checked); /* no Redis */
    assert_true(said.lines[7].checked);
}

#define ANSWER(from, to)                                                                      \
    "update idempotency set answer = convert_to(replace(convert_from(answer, 'UTF8'), '" from \
    "', '" to "'), 'UTF8') where key = 'key-t'"

static const struct corruption {
    const char *sql;
    const char *broken;
    const char *first; /* what the first broken invariant names */
    const char *undo;  /* what doesn't come back with the rows */
} corruptions[] = {
    {"update postings set amount = 1001, posted_after = 1001 where account = b(); "
     "update accounts set posted = 1001 where id = b()",
     "1", " sums to 1", NULL},
    {"update transactions set fee = 49 where id = t()", "17", "differ", NULL},
    {"update transactions set amount = 1001 where id = t()", "17", "differ", NULL},
    {"update transactions set to_version = 2 where id = t()", "1", "differ", NULL},
    {"update transactions set to_account = f() where id = t()", "1", "differ", NULL},
    {"delete from postings where transaction_id = t()", "127", "without postings", NULL},
    {"delete from transactions where id = t()", "14", "posting without transaction", NULL},
    {"update accounts set currency = currency + 1 where id = b()", "1", "currency", NULL},
    {"update accounts set posted = posted + 5 where id = a(); "
     "update accounts set posted = posted - 5 where id = s()",
     "2", "account", NULL},
    {"update accounts set version = 3 where id = b()", "2", "account", NULL},
    {"update postings set posted_after = 7 where account = a() and version = 1", "2", "posting",
     NULL},
    {"delete from accounts where id = f()", "12", "currency", NULL},
    {"alter table accounts drop constraint accounts_floor; "
     "update accounts set floor = 20000 where id = b()",
     "3", "account",
     "alter table accounts add constraint accounts_floor "
     "check (posted - held >= floor)"},
    {"update accounts set held = 5 where id = b()", "23", "account", NULL},
    {"update postings set held_after = 5 where account = b()", "2", "account", NULL},
    {"update postings set held_after = 5 where account = a()", "27", "account", NULL},
    {"delete from idempotency where key = 'key-t'", "4", "transaction without key", NULL},
    {"insert into idempotency select caller, 'again', request_hash, status, answer, "
     "transaction_id, created_at from idempotency where key = 'key-t'",
     "4", "two keys", NULL},
    {"update idempotency set transaction_id = null where key = 'key-t'", "4", "key key-t promises",
     NULL},
    {"update idempotency set status = 422 where key = 'key-t'", "4", "refused key", NULL},
    {"update idempotency set status = 200 where key = 'key-t'", "4", "another status", NULL},
    {"update idempotency set caller = b() where key = 'key-t'", "4", "another caller", NULL},
    /* sums see what belongs together, not only that all of it is there */
    {"update idempotency set caller = case key when 'key-d' then o() else s() end "
     "where key in ('key-d', 'key-t')",
     "4", "another caller", NULL},
    {"update idempotency set transaction_id = case key when 'key-d' then t() else d() end "
     "where key in ('key-d', 'key-t')",
     "47", "another caller", NULL},
    {"update idempotency i set answer = o.answer from idempotency o where i.key in "
     "('key-d', 'key-t') and o.key in ('key-d', 'key-t') and i.key <> o.key",
     "7", "the answer of tx_", NULL},
    {"update postings set posted_after = case when account = b() then 50 else 1000 end "
     "where account in (b(), f()); update accounts set posted = case when id = b() then 50 "
     "else 1000 end where id in (b(), f())",
     "2", "account", NULL},
    {"update postings set posted_after = posted_after + 4294967297 where account = a() "
     "and version = 1",
     "2", "posting", NULL},
    {"insert into postings values (gen_random_uuid(), 1, t(), 7, 7, 0)", "12", "sums to 7", NULL},
    {"grant update on transactions to moolah_server", "5", "may change transactions",
     "revoke update on transactions from moolah_server"},
    {"grant delete on idempotency to moolah_server", "5", "may change idempotency",
     "revoke delete on idempotency from moolah_server"},
    {"grant update (answer) on idempotency to moolah_server", "5", "may change idempotency",
     "revoke update (answer) on idempotency from moolah_server"},
    {"grant truncate on rule_bundles to moolah_server", "5", "may change rule_bundles",
     "revoke truncate on rule_bundles from moolah_server"},
    {"alter table postings disable trigger postings_never_change", "5", "never_change guards",
     "alter table postings enable trigger postings_never_change"},
    {"drop trigger transactions_never_emptied on transactions", "5", "never_emptied guards",
     "create trigger transactions_never_emptied before truncate on transactions "
     "for each statement execute function refuse_change()"},
    {ANSWER("\"amount\":1000", "\"amount\":1001"), "7", "the answer of tx_", NULL},
    {ANSWER("\"fee\":50", "\"fee\":51"), "7", "the answer of tx_", NULL},
    {ANSWER("\"fee\":50,", ""), "7", "the answer of tx_", NULL},
    {ANSWER("ZAR", "USD"), "7", "the answer of tx_", NULL},
    {ANSWER("\"kind\":\"transfer\"", "\"kind\":\"deposit\""), "7", "the answer of tx_", NULL},
    {ANSWER("tx_0", "tx_1"), "7", "the answer of tx_", NULL},
    {ANSWER("\"posted\":8950", "\"posted\":8951"), "7", "the answer of tx_", NULL},
    {ANSWER("\"held\":0", "\"held\":1"), "7", "the answer of tx_", NULL},
    {ANSWER("\"available\":8950", "\"available\":0"), "7", "the answer of tx_", NULL},
    {"update idempotency set answer = 'no JSON' where key = 'key-t'", "7", "the answer of tx_",
     NULL},
    {"update idempotency set answer = '[]' where key = 'key-t'", "7", "the answer of tx_", NULL},
    {"insert into voucher_stock (product, pin_hash, pin, status, purchase, loaded_at) "
     "values ('x', sha256('x'), 'x', 3, t(), now())",
     "3", "voucher ", "delete from voucher_stock"},
    {"insert into purchases (id, caller, key, request_id, wallet, product, rule, bundle, supplier, "
     "supplier_account, amount, currency, fields, status, transaction_id, goods, created_at) "
     "values (t(), a(), 'k', t(), a(), t(), 'x@1', 'x', 'x', f(), 5, 710, '{}', 7, t(), 'x', "
     "now())",
     "3", "purchase ", "delete from purchases"},
};

static const char *const kept[] = {"accounts",    "transactions", "postings",
                                   "idempotency", "holds",        "links"};
#define KEPT (sizeof kept / sizeof kept[0])

static void keep_rows(struct scratch *scratch)
{
    scratch_run(scratch, "create schema kept");
    for (size_t i = 0; i < KEPT; i++)
        scratch_run(scratch, "create table kept.%s as select * from %s", kept[i], kept[i]);
}

static void put_back(struct scratch *scratch, const char *undo)
{
    for (size_t i = 0; i < KEPT; i++)
        scratch_run(scratch, "delete from %s; insert into %s select * from kept.%s", kept[i],
                    kept[i], kept[i]);
    if (undo != NULL)
        scratch_run(scratch, "%s", undo);
}

/* Each broken invariant, and the first of them says what. */
static bool is_found(struct scratch *scratch, const struct corruption *c)
{
    struct said said;
    scratch_run(scratch, "%s", c->sql);
    verify(scratch->owner, NULL, &said);
    const struct verify_line *first = &said.lines[c->broken[0] - '1'];
    bool good = strcmp(said.broken, c->broken) == 0 && strstr(first->first, c->first) != NULL;
    if (!good)
        print_error("%s\n    broke %s: %s\n", c->sql, said.broken, first->first);
    put_back(scratch, c->undo);
    return good;
}

static void test_each_corruption_is_found(void **state)
{
    struct scratch *scratch = scratch_copy(stack, sound);
    struct said said;
    int missed = 0;
    (void)state;
    keep_rows(scratch);
    /* as one who may all: no triggers, no foreign keys */
    scratch_run(scratch, "set session_replication_role = replica");
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++)
        missed += !is_found(scratch, &corruptions[i]);
    assert_int_equal(missed, 0);
    verify(scratch->owner, NULL, &said);
    assert_string_equal(said.broken, ""); /* so each was found by itself */
    scratch_free(scratch);
}

/* ---- the other kinds, on top of it: h an open hold, g captured by c, k voided by v, r a refund of
 * the transfer, y a reversal of the deposit that leaves a debt */

static void add_movements(struct scratch *scratch)
{
    for (const char *name = "hgckvry"; *name != '\0'; name++) {
        const struct uuid id = uuid_new(clock_now());
        char hex[33];
        for (size_t k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", id.bytes[k]);
        scratch_run(scratch,
                    "create function %c() returns uuid language sql as $$ select '%s'::uuid $$",
                    *name, hex);
    }
    scratch_run(scratch,
                "insert into transactions (id, kind, currency, amount, fee, from_account, "
                "to_account, from_version, to_version, caller, facts, trace_id, created_at) "
                "select m.id, m.kind, %d, m.amount, m.fee, m.f, m.t, m.fv, m.tv, a(), m.facts, '', "
                "now() from (values (h(), 4, 500, 10, a(), b(), 3, 0, null), "
                "(g(), 4, 300, 9, a(), b(), 4, 0, null), (c(), 5, 100, 3, a(), b(), 5, 2, null), "
                "(k(), 4, 50, 0, a(), b(), 7, 0, null), (v(), 6, 50, 0, a(), b(), 8, 0, null), "
                "(r(), 8, 200, 10, b(), a(), 3, 6, null), "
                "(y(), 9, 10000, 0, a(), s(), 9, 2, '{\"allow_negative\":true}')) "
                "as m(id, kind, amount, fee, f, t, fv, tv, facts)",
                (int)CURRENCY_ZAR);
    scratch_run(scratch, "insert into postings (account, version, transaction_id, amount, hold, "
                         "posted_after, held_after) values (a(), 3, h(), 0, 510, 8950, 510), "
                         "(a(), 4, g(), 0, 309, 8950, 819), (a(), 5, c(), -103, -309, 8847, 510), "
                         "(b(), 2, c(), 100, 0, 1100, 0), (f(), 2, c(), 3, 0, 53, 0), "
                         "(b(), 3, r(), -200, 0, 900, 0), (a(), 6, r(), 210, 0, 9057, 510), "
                         "(f(), 3, r(), -10, 0, 43, 0), (a(), 7, k(), 0, 50, 9057, 560), "
                         "(a(), 8, v(), 0, -50, 9057, 510), (a(), 9, y(), -10000, 0, -943, 510), "
                         "(s(), 2, y(), 10000, 0, 0, 0)");
    scratch_run(scratch,
                "update accounts set posted = -943, held = 510, version = 9, floor = -1453 "
                "where id = a(); update accounts set posted = 900, version = 3 where id = b(); "
                "update accounts set posted = 43, version = 3 where id = f(); "
                "update accounts set posted = 0, version = 2 where id = s(); "
                "insert into holds (id, from_account, to_account, currency, amount, fee, "
                "expires_at, status, captured, finished_by) values "
                "(h(), a(), b(), %d, 500, 10, now(), 1, 0, null), "
                "(g(), a(), b(), %d, 300, 9, now(), 2, 100, c()), "
                "(k(), a(), b(), %d, 50, 0, now(), 3, 0, v())",
                (int)CURRENCY_ZAR, (int)CURRENCY_ZAR, (int)CURRENCY_ZAR);
    scratch_run(scratch,
                "insert into links values (g(), c(), 5, 100, 3), (k(), v(), 6, 50, 0), "
                "(t(), r(), 8, 200, 10), (d(), y(), 9, 10000, 0); "
                "insert into idempotency select caller, id::text, sha256('x'), "
                "case kind when 6 then 200 else 201 end, null, id, now() from transactions "
                "where kind > 2");
}

static const struct corruption movement_corruptions[] = {
    {"update holds set amount = 501 where id = h()", "3", "account", NULL},
    {"update holds set from_account = b() where id = h()", "3", "account", NULL},
    {"delete from holds where id = h()", "3", "account", NULL},
    {"update holds set status = 2, captured = 500, finished_by = v() where id = h()", "3",
     "account", NULL},
    {"update holds set status = 1, captured = 0, finished_by = null where id = g()", "3", "account",
     NULL},
    {"update holds set finished_by = y() where id = g()", "3", "hold", NULL},
    {"update holds set captured = 101 where id = g()", "3", "hold", NULL},
    /* its capture was its payer's now, who would have paid the whole fee */
    {"update accounts set owner = a() where id = a()", "37", "hold", NULL},
    {"update holds set status = 4 where id = k()", "3", "hold", NULL},
    {"update holds set fee = 12 where id = g()", "3", "hold", NULL},
    {"delete from links where transaction_id = c()", "13", "its link", NULL},
    {"delete from links where transaction_id = r()", "1", "its link", NULL},
    {"update links set amount = 199 where transaction_id = r()", "1", "its link", NULL},
    {"update links set original = h() where transaction_id = v()", "3", "hold", NULL},
    {"update links set original = c() where transaction_id = r()", "1", "went back", NULL},
    {"insert into links values (t(), a(), 8, 1, 1)", "1", "link without transaction", NULL},
    {"insert into links values (h(), b(), 6, 500, 10)", "13", "link without transaction", NULL},
    {"update postings set hold = 511, held_after = 511 where transaction_id = h()", "23", "account",
     NULL},
    {"update postings set hold = -308, held_after = 511 where transaction_id = c() "
     "and account = a()",
     "23", "account", NULL},
    {"update postings set amount = 209, posted_after = 9056 where transaction_id = r() "
     "and account = a()",
     "12", "sums to", NULL},
    {"update transactions set fee = 9 where id = r()", "1", "differ", NULL},
    {"update transactions set kind = 8 where id = c()", "1", "link without transaction", NULL},
    {"update transactions set kind = 7 where id = v()", "14", "link without transaction", NULL},
    {"update transactions set to_account = a() where id = h()", "3", "hold and transaction", NULL},
    {"update transactions set facts = null where id = y()", "3", "posting", NULL},
    {"update idempotency set status = 201 where transaction_id = v()", "4", "another status", NULL},
    {"alter table accounts drop constraint accounts_floor; "
     "alter table accounts drop constraint accounts_debt; "
     "update accounts set floor = -1000 where id = a()",
     "3", "account",
     "alter table accounts add constraint accounts_floor check (posted - held >= floor); "
     "alter table accounts add constraint accounts_debt "
     "check (floor >= 0 or kind in (2, 3) or floor = posted - held)"},
    {"grant update on links to moolah_server", "5", "may change links",
     "revoke update on links from moolah_server"},
    {"alter table links disable trigger links_never_change", "5", "never_change guards",
     "alter table links enable trigger links_never_change"},
};

static void test_the_other_kinds(void **state)
{
    struct scratch *scratch = scratch_copy(stack, sound);
    struct said said;
    int missed = 0;
    (void)state;
    add_movements(scratch);
    verify(scratch->owner, NULL, &said);
    assert_string_equal(said.broken, "");
    assert_int_equal(said.lines[0].looked_at, 9);
    assert_false(said.lines[0].searched || said.lines[1].searched || said.lines[3].searched);
    keep_rows(scratch);
    scratch_run(scratch, "set session_replication_role = replica");
    for (size_t i = 0; i < sizeof movement_corruptions / sizeof movement_corruptions[0]; i++)
        missed += !is_found(scratch, &movement_corruptions[i]);
    assert_int_equal(missed, 0);
    verify(scratch->owner, NULL, &said);
    assert_string_equal(said.broken, "");
    scratch_free(scratch);
}

/* ---- a bulk: t, and with it u, whose key is t's */

static void make_bulk(struct scratch *scratch)
{
    const struct uuid id = uuid_new(clock_now());
    char hex[33];
    char text[UUID_TEXT_MAX];
    for (size_t k = 0; k < 16; k++)
        snprintf(hex + 2 * k, 3, "%02x", id.bytes[k]);
    uuid_format(&id, "tx_", text);
    scratch_run(scratch, "create function u() returns uuid language sql as $$ select '%s'::uuid $$",
                hex);
    scratch_run(
        scratch,
        "insert into transactions (id, kind, currency, amount, fee, from_account, "
        "to_account, from_version, to_version, caller, trace_id, created_at) values "
        "(u(), 2, %d, 300, 20, a(), b(), 3, 2, o(), '', now()); insert into postings values "
        "(a(), 3, u(), -320, 8630, 0), (b(), 2, u(), 300, 1300, 0), (f(), 2, u(), 20, 70, "
        "0); update accounts set posted = 8630, version = 3 where id = a(); "
        "update accounts set posted = 1300, version = 2 where id = b(); "
        "update accounts set posted = 70, version = 2 where id = f(); "
        "insert into links values (t(), u(), 100, 300, 20)",
        (int)CURRENCY_ZAR);
    scratch_run(
        scratch,
        "update idempotency set answer = convert_to('{\"mode\":\"each\",\"posted\":2,"
        "\"refused\":1,\"results\":[{\"index\":0,\"status\":\"posted\",\"transaction\":' || "
        "substr(convert_from(answer, 'UTF8'), 7, 31) || ',\"fee\":50},{\"index\":1,"
        "\"status\":\"refused\"},{\"index\":2,\"status\":\"posted\",\"transaction\":\"%s\","
        "\"fee\":20}]}', 'UTF8') where key = 'key-t'",
        text);
}

static const struct corruption bulk_corruptions[] = {
    {"delete from links", "47", "transaction without key", NULL},
    {"update links set original = d()", "47", "another caller", NULL},
    {"update links set original = a()", "47", "link to no bulk", NULL},
    {"update links set transaction_id = t()", "147", "link without transaction", NULL},
    {"update links set fee = 19", "17", "link without transaction", NULL},
    {"update links set amount = 299", "1", "link without transaction", NULL},
    {"insert into links values (d(), u(), 100, 300, 20)", "4", "than its bulk", NULL},
    {"update transactions set caller = a() where id = u()", "4", "than its bulk", NULL},
    {"update idempotency set transaction_id = null where key = 'key-t'", "4", "promises", NULL},
    {"insert into idempotency select caller, 'own', request_hash, status, answer, u(), created_at "
     "from idempotency where key = 'key-t'",
     "47", "two keys", NULL},
    {ANSWER("\"posted\":2", "\"posted\":3"), "7", "the answer of tx_", NULL},
    {ANSWER("\"fee\":50", "\"fee\":20"), "7", "the answer of tx_", NULL},
    {ANSWER("\"fee\":20", "\"fee\":21"), "7", "the answer of tx_", NULL},
    {ANSWER("{\"index\":1,\"status\":\"refused\"", "{\"index\":1,\"status\":\"posted\""), "7",
     "the answer of tx_", NULL},
    {ANSWER("{\"index\":2,\"status\":\"posted\"", "{\"index\":2,\"status\":\"refused\""), "7",
     "the answer of tx_", NULL},
};

static void test_bulks(void **state)
{
    struct scratch *scratch = scratch_copy(stack, sound);
    struct said said;
    int missed = 0;
    (void)state;
    make_bulk(scratch);
    verify(scratch->owner, NULL, &said);
    assert_string_equal(said.broken, "");
    assert_false(said.lines[0].searched || said.lines[1].searched || said.lines[3].searched);
    keep_rows(scratch);
    scratch_run(scratch, "set session_replication_role = replica");
    for (size_t i = 0; i < sizeof bulk_corruptions / sizeof bulk_corruptions[0]; i++)
        missed += !is_found(scratch, &bulk_corruptions[i]);
    assert_int_equal(missed, 0);
    verify(scratch->owner, NULL, &said);
    assert_string_equal(said.broken, "");
    scratch_free(scratch);
}

static void test_a_database_that_is_not_ours(void **state)
{
    struct scratch *empty = scratch_new(stack, false);
    struct said said = {.count = 0};
    struct verify v = {.conninfo = empty->owner, .tell = see_line, .owner = &said};
    (void)state;
    assert_false(verify_run(&v));
    assert_non_null(strstr(v.error, "does not exist"));
    v.conninfo = "host=/nowhere dbname=x";
    assert_false(verify_run(&v));
    assert_true(v.error[0] != '\0');
    scratch_free(empty);
}

/* ---- the cache */

static redisContext *redis;

static void cache(int number, char kind, uint8_t caller, uint8_t sign_in)
{
    char key[200];
    char value[33] = {kind};
    value[1] = (char)caller;
    value[2] = 1;
    value[17] = (char)sign_in;
    value[18] = (char)(number >> 8);
    value[19] = (char)number;
    snprintf(key, sizeof key, "{%032d}:token:%064x", 1, number);
    redisReply *reply = redisCommand(redis, "SET %s %b", key, value, sizeof value);
    assert_non_null(reply);
    freeReplyObject(reply);
}

static void test_the_cache(void **state)
{
    struct scratch *scratch = scratch_copy(stack, sound);
    struct said said;
    (void)state;
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    scratch_run(
        scratch,
        "insert into sign_ins select ('54' || lpad(to_hex(n), 4, '0') || repeat('0', 26))"
        "::uuid, '30010000000000000000000000000000', decode(lpad(to_hex(n), 64, '0'), 'hex'), "
        "'d', 'i', now(), now() + interval '1 hour' from generate_series(1, 2500) n; "
        "insert into partners values ('40010000000000000000000000000000', 'P', now()); "
        "insert into api_keys select '550bb800000000000000000000000000', id, "
        "decode(lpad(to_hex(3000), 64, '0'), 'hex'), now() from partners");
    for (int i = 1; i <= 2500; i++)
        cache(i, 'U', 0x30, 0x54);
    cache(3000, 'P', 0x40, 0x55);
    /* a tombstone, and what is no token */
    freeReplyObject(redisCommand(redis, "SET {x}:token:%s revoked", "77"));
    freeReplyObject(redisCommand(redis, "SET {x}:user 17"));
    verify(scratch->owner, stack->redis, &said);
    assert_true(said.lines[5].checked);
    assert_string_equal(said.broken, "");
    assert_int_equal(said.lines[5].looked_at, 2501);
    cache(2501, 'U', 0x30, 0x54); /* nobody's */
    cache(7, 'U', 0x31, 0x54);    /* as somebody else */
    cache(8, 'P', 0x30, 0x54);    /* as a partner */
    cache(9, 'U', 0x30, 0x55);    /* as another sign-in */
    scratch_run(scratch,
                "update sign_ins set revoked_at = now() - interval '2 minutes' where token_hash = "
                "decode(lpad(to_hex(10), 64, '0'), 'hex'); "
                "update sign_ins set revoked_at = now() - interval '2 seconds' where token_hash = "
                "decode(lpad(to_hex(11), 64, '0'), 'hex'); "
                "update sign_ins set expires_at = now() - interval '2 minutes' where token_hash = "
                "decode(lpad(to_hex(12), 64, '0'), 'hex')");
    verify(scratch->owner, stack->redis, &said);
    assert_string_equal(said.broken, "6");
    assert_int_equal(said.lines[5].broken, 6);
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    scratch_free(scratch);
}

/* What stands at the beginning of a copy: store/cache_entry.h. */
static void copy(uint8_t wallet, const char *what, uint8_t version, int16_t posted)
{
    char key[60];
    char value[64] = {[7] = (char)version};
    memset(value + 16, posted < 0 ? -1 : 0, 6);
    value[22] = (char)(posted >> 8);
    value[23] = (char)posted;
    snprintf(key, sizeof key, "{20%02x%028d}:%s", wallet, 0, what);
    freeReplyObject(redisCommand(redis, "SET %s %b", key, value, sizeof value));
}

static void expect_copies(const char *broken, const char *first)
{
    struct said said;
    verify(sound->owner, stack->redis, &said);
    assert_true(said.lines[5].checked);
    assert_string_equal(said.broken, broken);
    if (first != NULL)
        assert_string_equal(said.lines[5].first, first);
}

static void test_copies_of_wallets(void **state)
{
    (void)state;
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    copy(1, "balance", 2, 8950);
    copy(1, "page", 2, 77);   /* says no balance: that is its owner's id */
    copy(2, "balance", 0, 0); /* behind: whoever reads it refuses it */
    freeReplyObject(redisCommand(redis, "SET {x}:balance no-copy"));
    freeReplyObject(redisCommand(redis, "RPUSH {y}:page no-copy"));
    expect_copies("", NULL);
    copy(2, "page", 2, 0);
    expect_copies("6", "the cached {20020000000000000000000000000000}:page is not what was booked");
    copy(2, "page", 1, 0);
    copy(1, "balance", 3, 8950);
    expect_copies("6",
                  "the cached {20010000000000000000000000000000}:balance is not what was booked");
    copy(1, "balance", 1, 10000);
    expect_copies("", NULL);
    copy(1, "balance", 1, 9999);
    expect_copies("6", NULL);
    copy(1, "balance", 2, 8950);
    copy(9, "balance", 0, 0); /* nobody's */
    expect_copies("6", NULL);
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
}

static void test_no_cache_to_look_at(void **state)
{
    struct said said;
    (void)state;
    verify(sound->owner, "unix:/nowhere", &said);
    assert_false(said.lines[5].checked);
    assert_non_null(strstr(said.lines[5].reason, "reached"));
    verify(sound->owner, "no address", &said);
    assert_false(said.lines[5].checked);
}

/* ---- what the server may not do */

static void test_the_server_only_adds(void **state)
{
    static const char *const forbidden[] = {
        "update transactions set amount = 1",
        "delete from transactions",
        "truncate transactions cascade",
        "update postings set amount = 1",
        "delete from postings",
        "truncate postings",
        "update idempotency set status = 200",
        "delete from idempotency",
        "truncate idempotency",
        "update idempotency set status = 200",
        "update rule_bundles set files = ''",
        "delete from rule_bundles",
        "truncate rule_bundles",
        "update links set amount = 1",
        "delete from links",
        "truncate links",
        "update holds set amount = 1",
        "update holds set expires_at = now()",
        "delete from holds",
        "truncate holds",
        "update accounts set currency = 1",
        "update accounts set owner = id",
        "delete from accounts",
        "truncate accounts cascade",
        "update wallets set owner = id",
        "delete from wallets",
        "delete from users",
        "update users set phone = '+1'",
        "update users set wallet = id",
        "update users set totp_last_step = 0, phone = phone",
        "delete from sign_ins",
        "update sign_ins set token_hash = sha256('x')",
        "update sign_ins set user_id = id",
        "insert into partners values (gen_random_uuid(), 'x', now())",
        "insert into api_keys select gen_random_uuid(), id, sha256('x'), now() from partners",
        "update api_keys set revoked_at = null",
        "select * from schema_migrations",
        "create table mine (id integer)",
        "alter table postings disable trigger all",
        "drop table postings",
        "set session_replication_role = replica",
        "alter role moolah_server superuser",
    };
    struct scratch *scratch = scratch_copy(stack, sound);
    (void)state;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        assert_true(scratch_forbids(scratch, forbidden[i]));
    /* even with the privilege, there is the trigger; also for the partitions themselves */
    scratch_run(scratch,
                "grant update, delete, truncate on all tables in schema public to moolah_server");
    static const char *const guarded[] = {
        "update transactions set amount = 1", "delete from transactions", "truncate transactions",
        "update postings set amount = 1",     "delete from postings",     "truncate postings"};
    for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++)
        assert_true(scratch_forbids(scratch, guarded[i]));
    char truncate[200];
    snprintf(truncate, sizeof truncate,
             "do $$ begin execute 'truncate ' || (select min(inhrelid::regclass::text) from "
             "pg_inherits where inhparent = 'postings'::regclass); end $$");
    assert_true(scratch_forbids(scratch, truncate));
    scratch_free(scratch);
}

/* Whoever writes: what no account may be, the database refuses. */
static void test_what_no_account_may_be(void **state)
{
    static const char *const never[] = {
        "kind = 0",       "kind = 6",          "status = 0",
        "status = 4",     "tier = -1",         "tier = 4",
        "held = -1",      "version = -1",      "floor = posted + 1",
        "posted = -1",    "kind = null",       "held = null",
        "version = null", "held = posted + 1", "kind = 1, floor = -1",
    };
    struct scratch *scratch = scratch_copy(stack, sound);
    (void)state;
    scratch_run(scratch, "create function refused(change text) returns integer language plpgsql "
                         "as $$ begin execute 'update accounts set ' || change || "
                         "' where kind = 1'; return 0; "
                         "exception when check_violation or not_null_violation then return 1; "
                         "end $$");
    assert_int_equal(scratch_number(scratch, "select refused('held = 0')"), 0);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (scratch_number(scratch, "select refused('%s')", never[i]) != 1)
            fail_msg("an account with %s was taken", never[i]);
    scratch_free(scratch);
}

/* ---- migrations */

static size_t count_fresh(const struct migrate_result *result)
{
    size_t fresh = 0;
    for (size_t i = 0; i < result->count; i++)
        fresh += result->steps[i].fresh;
    return fresh;
}

static void test_looking_changes_nothing(void **state)
{
    static struct migrate_result result;
    struct scratch *scratch = scratch_new(stack, false);
    (void)state;
    assert_true(migrate_run(scratch->owner, true, &result));
    assert_true(result.count >= 2);
    for (size_t i = 0; i < result.count; i++)
        assert_false(result.steps[i].applied);
    assert_int_equal(scratch_number(scratch, "select count(*) from pg_class where relname in "
                                             "('accounts', 'schema_migrations')"),
                     0);
    assert_true(migrate_run(scratch->owner, false, &result));
    assert_int_equal(count_fresh(&result), result.count);
    assert_true(migrate_run(scratch->owner, true, &result));
    for (size_t i = 0; i < result.count; i++)
        assert_true(result.steps[i].applied && !result.steps[i].fresh);
    /* who may not look hears that, and not that all is missing */
    assert_false(migrate_run(scratch->server, true, &result));
    assert_non_null(strstr(result.error, "permission denied"));
    assert_false(migrate_run("host=/nowhere dbname=x", true, &result));
    assert_true(result.error[0] != '\0');
    scratch_free(scratch);
}

struct migration {
    pthread_t thread;
    const char *conninfo;
    bool good;
    struct migrate_result result;
};

static void *migrate(void *user)
{
    struct migration *migration = user;
    migration->good = migrate_run(migration->conninfo, false, &migration->result);
    return NULL;
}

static void test_twice_at_once(void **state)
{
    static struct migration migrations[4];
    struct scratch *scratch = scratch_new(stack, false);
    size_t fresh = 0;
    (void)state;
    for (int i = 0; i < 4; i++) {
        migrations[i].conninfo = scratch->owner;
        assert_int_equal(pthread_create(&migrations[i].thread, NULL, migrate, &migrations[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(migrations[i].thread, NULL);
        assert_true(migrations[i].good);
        fresh += count_fresh(&migrations[i].result);
    }
    assert_int_equal(fresh, migrations[0].result.count);
    scratch_free(scratch);
}

static void test_refusals(void **state)
{
    static struct migrate_result result;
    struct scratch *changed = scratch_copy(stack, sound);
    struct scratch *newer = scratch_copy(stack, sound);
    (void)state;
    scratch_run(changed, "update schema_migrations set sha256 = 'x' where number = 1");
    assert_false(migrate_run(changed->owner, false, &result));
    assert_non_null(strstr(result.error, "ledger: was changed"));
    scratch_run(newer, "insert into schema_migrations values (9999, 'future', 'x')");
    assert_false(migrate_run(newer->owner, false, &result));
    assert_non_null(strstr(result.error, "newer than this program"));
    assert_false(migrate_run(newer->owner, true, &result));
    scratch_free(changed);
    scratch_free(newer);
}

static void test_half_way(void **state)
{
    static struct migrate_result result;
    struct scratch *scratch = scratch_new(stack, false);
    (void)state;
    scratch_run(scratch, "create table sign_ins (mine integer)");
    assert_false(migrate_run(scratch->owner, false, &result));
    assert_non_null(strstr(result.error, "schema/0002_people.sql:"));
    assert_non_null(strstr(result.error, "sign_ins"));
    assert_int_equal(scratch_number(scratch, "select count(*) from schema_migrations"), 1);
    assert_int_equal(
        scratch_number(scratch, "select count(*) from pg_class where relname = 'users'"), 0);
    scratch_run(scratch, "drop table sign_ins");
    assert_true(migrate_run(scratch->owner, false, &result));
    assert_int_equal(count_fresh(&result), result.count - 1);
    scratch_free(scratch);
}

static int set_up(void **state)
{
    char folder[128];
    char path[160];
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    sound = scratch_new(stack, true);
    sound_ledger_make(sound);
    scratch_sockets(stack, folder, path);
    redis = redisConnectUnix(path);
    return redis == NULL || redis->err != 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    redisFree(redis);
    scratch_free(sound);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_ledger_holds),
        cmocka_unit_test(test_each_corruption_is_found),
        cmocka_unit_test(test_the_other_kinds),
        cmocka_unit_test(test_bulks),
        cmocka_unit_test(test_a_database_that_is_not_ours),
        cmocka_unit_test(test_the_cache),
        cmocka_unit_test(test_copies_of_wallets),
        cmocka_unit_test(test_no_cache_to_look_at),
        cmocka_unit_test(test_the_server_only_adds),
        cmocka_unit_test(test_what_no_account_may_be),
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_twice_at_once),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_half_way),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
