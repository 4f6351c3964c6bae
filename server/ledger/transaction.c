#include "ledger/transaction.h"

#include <stddef.h>

static const struct {
    enum transaction_kind kind;
    const char *name;
} names[] = {
    {TRANSACTION_DEPOSIT, "deposit"},
    {TRANSACTION_TRANSFER, "transfer"},
};

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
