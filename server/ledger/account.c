#include "ledger/account.h"

#include <assert.h>
#include <stddef.h>

struct uuid account_system_id(enum account_kind kind, currency which, unsigned stripe)
{
    struct uuid id = {{0}};
    assert(kind != ACCOUNT_WALLET && which != 0);
    assert(stripe < ACCOUNT_STRIPES_MAX);
    id.bytes[6] = 0x80; /* version 8: layout of our own */
    id.bytes[8] = 0x80; /* variant of RFC 9562 */
    id.bytes[10] = (uint8_t)kind;
    id.bytes[11] = (uint8_t)(which >> 16 & 0xff);
    id.bytes[12] = (uint8_t)(which >> 8 & 0xff);
    id.bytes[13] = (uint8_t)(which & 0xff);
    id.bytes[14] = (uint8_t)(stripe >> 8);
    id.bytes[15] = (uint8_t)(stripe & 0xff);
    return id;
}

int64_t account_available(const struct account *account)
{
    int64_t available;
    bool fits = !__builtin_sub_overflow(account->posted, account->held, &available);
    assert(fits);
    return available;
}

bool account_is_sound(const struct account *account)
{
    return account->held >= 0 && account->version >= 0 && account->currency != 0 &&
           account_available(account) >= account->floor &&
           (account->version > 0 || account->posted == 0);
}

const char *account_status_name(enum account_status status)
{
    switch (status) {
    case ACCOUNT_ACTIVE:
        return "active";
    case ACCOUNT_FROZEN:
        return "frozen";
    case ACCOUNT_CLOSED:
        return "closed";
    }
    return "unknown";
}
