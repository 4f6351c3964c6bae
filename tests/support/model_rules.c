#include "support/model_rules.h"

#include "support/step.h"

const struct model_rules_file model_rules_files[] = {
    {"p2p.fee.lua", "return fee { id = 'p2p', version = 1, owner = 'test',\n"
                    "    applies = { kind = 'transfer', currency = 'ZAR', own = false,\n"
                    "        tiers = { 0, 1 } },\n"
                    "    slabs = { { upto = ZAR '100.00', flat = ZAR '2.50' },\n"
                    "        { flat = ZAR '1.60', rate = pct '0.90' } },\n"
                    "    minimum = ZAR '2.50', cap = ZAR '6.00', rounding = 'half_up',\n"
                    "    refundable = true, may_exceed_amount = true }\n"},
    {"flat.fee.lua", "return fee { id = 'flat', version = 1, owner = 'test',\n"
                     "    applies = { kind = 'transfer', currency = 'ZAR', own = false,\n"
                     "        tiers = { 2, 3 } },\n"
                     "    slabs = { { flat = ZAR '1.00' } },\n"
                     "    rounding = 'down', may_exceed_amount = true }\n"},
    {"own.fee.lua", "return fee { id = 'own', version = 1, owner = 'test',\n"
                    "    applies = { kind = 'transfer', currency = 'ZAR', own = true },\n"
                    "    slabs = { { flat = ZAR '0.00' } }, rounding = 'down' }\n"},
    {"usd.fee.lua", "return fee { id = 'usd', version = 1, owner = 'test',\n"
                    "    applies = { kind = 'transfer', currency = 'USD' }, mode = 'graduated',\n"
                    "    slabs = { { upto = USD '10.00', flat = USD '0.25', rate = pct '1' },\n"
                    "        { flat = USD '0.10', rate = pct '2' } }, rounding = 'up',\n"
                    "    refundable = true }\n"},
    {"out.fee.lua", "return fee { id = 'out', version = 1, owner = 'test',\n"
                    "    applies = { kind = 'withdrawal', currency = 'ZAR' },\n"
                    "    slabs = { { rate = pct '0.50' } }, minimum = ZAR '1.00',\n"
                    "    rounding = 'half_even', may_exceed_amount = true }\n"},
    {"a.limit.lua",
     "return limit { id = 'a', version = 1, owner = 'test', currency = 'ZAR', tiers = {\n"
     "    [0] = { single = ZAR '250.00', daily = ZAR '700.00', daily_count = 8 },\n"
     "    [1] = { weekly = ZAR '900.00', rolling = { { window = '10m', count = 9 },\n"
     "        { window = '24h', sum = ZAR '800.00', count = 12 } } },\n"
     "    [2] = { monthly = ZAR '1500.00', balance = ZAR '2000.00' },\n"
     "    [3] = {} } }\n"},
    {"b.limit.lua",
     "return limit { id = 'b', version = 1, owner = 'test', currency = 'ZAR',\n"
     "    kinds = { 'withdrawal', 'hold' }, tiers = { [0] = {},\n"
     "    [1] = { single = ZAR '200.00' }, [2] = { monthly_count = 5,\n"
     "        rolling = { { window = '600s', sum = ZAR '300.00' } } }, [3] = {} } }\n"},
    {NULL, NULL},
};

#define ALL 7U
#define UNSAID 1000 /* movements in a rolling window, when the rule says nothing */
#define OUT (1U << MODEL_RULES_WITHDRAWAL | 1U << MODEL_RULES_HOLD)

const struct model_rules_cap model_rules_caps[] = {
    {"single", 0, MODEL_RULES_SINGLE, ALL, 25000, 0},
    {"daily", 0, MODEL_RULES_PERIOD, ALL, 70000, 8},
    {"weekly", 1, MODEL_RULES_PERIOD, ALL, 90000, 0},
    {"rolling_10m", 1, MODEL_RULES_PERIOD, ALL, 0, 9},
    {"rolling_24h", 1, MODEL_RULES_PERIOD, ALL, 80000, 12},
    {"single", 1, MODEL_RULES_SINGLE, OUT, 20000, 0},
    {"monthly", 2, MODEL_RULES_PERIOD, ALL, 150000, 0},
    {"balance", 2, MODEL_RULES_BALANCE, ALL, 200000, 0},
    {"monthly", 2, MODEL_RULES_PERIOD, OUT, 0, 5},
    {"rolling_600s", 2, MODEL_RULES_PERIOD, OUT, 30000, UNSAID},
    {.which = NULL},
};

static int64_t up(int64_t amount, int64_t percent)
{
    return amount / 100 * percent + (amount % 100 * percent + 99) / 100;
}

static int64_t p2p(int64_t amount)
{
    int64_t fee = 250;
    if (amount > 100000000) /* far above the cap */
        return 600;
    if (amount > 10000)
        fee = 160 + (amount * 90 + 5000) / 10000;
    if (fee < 250)
        fee = 250;
    return fee > 600 ? 600 : fee;
}

static int64_t dollars(int64_t amount)
{
    int64_t first = amount < 1000 ? amount : 1000;
    return 25 + up(first, 1) + (amount > 1000 ? 10 + up(amount - 1000, 2) : 0);
}

/* Half a percent to the even cent. */
static int64_t out(int64_t amount)
{
    int64_t fee = amount / 200;
    int64_t rest = amount % 200;
    if (rest > 100 || (rest == 100 && fee % 2 == 1))
        fee++;
    return fee < 100 ? 100 : fee;
}

bool model_rules_price(bool withdrawal, int currency, int tier, bool own, int64_t amount,
                       struct model_rules_fee *fee)
{
    *fee = (struct model_rules_fee){0, false};
    if (currency == STEP_USD && !withdrawal) {
        *fee = (struct model_rules_fee){dollars(amount), true};
        return fee->amount <= amount;
    }
    if (currency != STEP_ZAR)
        return false;
    if (withdrawal)
        fee->amount = out(amount);
    else if (!own)
        *fee = (struct model_rules_fee){tier < 2 ? p2p(amount) : 100, tier < 2};
    return true;
}
