#include "ledger/transaction.h"

#include <assert.h>
#include <stddef.h>

#include "ledger/money.h"

static const struct {
    enum transaction_kind kind;
    const char *name;
} names[] = {
    {TRANSACTION_DEPOSIT, "deposit"},       {TRANSACTION_TRANSFER, "transfer"},
    {TRANSACTION_WITHDRAWAL, "withdrawal"}, {TRANSACTION_HOLD, "hold"},
    {TRANSACTION_CAPTURE, "capture"},       {TRANSACTION_VOID, "void"},
    {TRANSACTION_EXPIRY, "expiry"},         {TRANSACTION_REFUND, "refund"},
    {TRANSACTION_REVERSAL, "reversal"},     {TRANSACTION_PURCHASE, "purchase"},
};

struct posting transaction_post(struct account *account, int64_t amount, int64_t hold,
                                const struct uuid *transaction)
{
    assert(account_is_sound(account) && (amount != 0 || hold != 0));
    bool fits = money_add(account->posted, amount, &account->posted) &&
                money_add(account->held, hold, &account->held);
    assert(fits);
    account->version++;
    if (account->floor < 0)
        account_raise_floor(account);
    assert(account_is_sound(account));
    return (struct posting){
        .account = account->id,
        .version = account->version,
        .transaction = *transaction,
        .amount = amount,
        .hold = hold,
        .posted_after = account->posted,
        .held_after = account->held,
    };
}

bool transaction_gives_back(enum transaction_kind kind)
{
    return kind == TRANSACTION_REFUND || kind == TRANSACTION_REVERSAL;
}

const char *transaction_kind_name(enum transaction_kind kind)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].kind == kind)
            return names[i].name;
    return "unknown";
}

enum transaction_kind transaction_kind_parse(struct slice name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equals(name, names[i].name))
            return names[i].kind;
    return 0;
}
