#include "ledger/account.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

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

bool account_is_floorless(enum account_kind kind)
{
    return kind == ACCOUNT_FEES || kind == ACCOUNT_SETTLEMENT;
}

enum account_kind account_system_kind(const struct uuid *id)
{
    static const uint8_t start[6] = {0}; /* of no UUIDv7: it would be of 1970 */
    if (memcmp(id->bytes, start, sizeof start) != 0 || id->bytes[6] != 0x80)
        return 0;
    return (enum account_kind)id->bytes[10];
}

int64_t account_available(const struct account *account)
{
    int64_t available;
    bool fits = !__builtin_sub_overflow(account->posted, account->held, &available);
    assert(fits);
    return available;
}

void account_lower_floor(struct account *account, int64_t available)
{
    assert(available < 0 && available < account->floor && !account_is_floorless(account->kind));
    account->floor = available;
    account->floor_moved = true;
}

void account_raise_floor(struct account *account)
{
    if (account->floor >= 0 || account_is_floorless(account->kind))
        return;
    int64_t available = account_available(account);
    account->floor = available < 0 ? available : 0;
    account->floor_moved = true;
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
