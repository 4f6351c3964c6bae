#include "ledger/money.h"

#include <assert.h>

bool money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

int64_t money_share(int64_t total, int64_t part, int64_t whole)
{
    assert(total >= 0 && part >= 0 && part <= whole && whole > 0);
    return (int64_t)((unsigned __int128)total * (unsigned __int128)part / (unsigned __int128)whole);
}
