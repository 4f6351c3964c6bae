/* A small ledger by hand, for the verifier to look at and for tests to break: a deposit d and a
 * transfer t between the wallets a and b of owner o, with settlement s and fees f. Each letter is a
 * function of SQL that gives the id. */
#ifndef TESTS_SOUND_LEDGER_H
#define TESTS_SOUND_LEDGER_H

#include "base/clock.h"
#include "ledger/account.h"
#include "support/scratch.h"

static inline void sound_ledger_names(struct scratch *scratch, const struct uuid *ids)
{
    static const char *const names[] = {"a", "b", "s", "f", "d", "t"};
    for (int i = 0; i < 6; i++) {
        char hex[33];
        for (size_t k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", ids[i].bytes[k]);
        scratch_run(scratch,
                    "create function %s() returns uuid language sql as $$ select '%s'::uuid $$",
                    names[i], hex);
    }
}

static inline void sound_ledger_remember(struct scratch *scratch, const char *which,
                                         const struct uuid *id, const char *rest)
{
    char text[UUID_TEXT_MAX];
    uuid_format(id, "tx_", text);
    scratch_run(scratch,
                "insert into idempotency select t.caller, 'key-%s', sha256('x'), 201, "
                "convert_to('{\"id\":\"%s\",%s}', 'UTF8'), t.id, now() "
                "from transactions t where t.id = %s()",
                which, text, rest, which);
}

static inline void sound_ledger_make(struct scratch *scratch)
{
    const struct uuid ids[] = {{{0x20, 1}},
                               {{0x20, 2}},
                               account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, 0),
                               account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, 0),
                               uuid_new(clock_now()),
                               uuid_new(clock_now())};
    const struct uuid owner = {{0x30, 1}};
    sound_ledger_names(scratch, ids);
    scratch_run(scratch, "create function o() returns uuid language sql as $$ select "
                         "'30010000-0000-0000-0000-000000000000'::uuid $$"); /* `owner` */
    scratch_wallet(scratch, &ids[0], &owner);
    scratch_wallet(scratch, &ids[1], &owner);
    scratch_run(scratch,
                "insert into accounts (id, kind, currency, posted, floor, version) values "
                "(s(), 3, %d, -10000, -9223372036854775808, 1), (f(), 2, %d, 50, 0, 1); "
                "update accounts set posted = 8950, version = 2 where id = a(); "
                "update accounts set posted = 1000, version = 1 where id = b()",
                (int)CURRENCY_ZAR, (int)CURRENCY_ZAR);
    scratch_run(scratch,
                "insert into transactions (id, kind, currency, amount, fee, from_account, "
                "to_account, from_version, to_version, caller, trace_id, created_at) values "
                "(d(), 1, %d, 10000, 0, s(), a(), 1, 1, s(), '', now()), "
                "(t(), 2, %d, 1000, 50, a(), b(), 2, 1, o(), '', now()); "
                "insert into postings values (s(), 1, d(), -10000, -10000, 0), "
                "(a(), 1, d(), 10000, 10000, 0), (a(), 2, t(), -1050, 8950, 0), "
                "(b(), 1, t(), 1000, 1000, 0), (f(), 1, t(), 50, 50, 0)",
                (int)CURRENCY_ZAR, (int)CURRENCY_ZAR);
    sound_ledger_remember(scratch, "d", &ids[4],
                          "\"kind\":\"deposit\",\"amount\":10000,\"fee\":0,\"currency\":\"ZAR\"");
    sound_ledger_remember(scratch, "t", &ids[5],
                          "\"kind\":\"transfer\",\"amount\":1000,\"fee\":50,\"currency\":\"ZAR\","
                          "\"balance\":{\"posted\":8950,\"held\":0,\"available\":8950}");
    /* calls without money, and a refusal */
    scratch_run(scratch, "insert into idempotency values "
                         "(a(), 'user', sha256('x'), 201, '{\"id\":\"usr_x\"}', null, now()), "
                         "(a(), 'refused', sha256('x'), 422, '{\"code\":\"x\"}', null, now())");
}

#endif
