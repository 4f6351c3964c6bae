#include "benchmarks/scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "benchmarks/population.h"

/* Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994), section 3.2:
 * a Zipf-distributed rank from one random number. */
void scenario_prepare(struct scenario *scenario, size_t wallets)
{
    scenario->wallets = wallets;
    if (scenario->zipf <= 0)
        return;
    double theta = scenario->zipf >= 1 ? 0.99 : scenario->zipf; /* the formula's range */
    for (size_t i = 1; i <= wallets; i++)
        scenario->zeta_n += 1 / pow((double)i, theta);
    scenario->zeta_2 = 1 + 1 / pow(2, theta);
    scenario->alpha = 1 / (1 - theta);
    scenario->eta =
        (1 - pow(2. / (double)wallets, 1 - theta)) / (1 - scenario->zeta_2 / scenario->zeta_n);
}

/* splitmix64: a stream of numbers from any seed. */
static uint64_t roll(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double part(uint64_t *dice)
{
    return (double)(roll(dice) >> 11) / 9007199254740992.;
}

static size_t pick_wallet(const struct scenario *scenario, uint64_t *dice)
{
    double u = part(dice);
    if (scenario->zipf <= 0)
        return (size_t)(u * (double)scenario->wallets);
    double uz = u * scenario->zeta_n;
    if (uz < 1)
        return 0;
    if (uz < scenario->zeta_2)
        return 1;
    double rank =
        (double)scenario->wallets * pow(scenario->eta * u - scenario->eta + 1, scenario->alpha);
    return rank >= (double)scenario->wallets ? scenario->wallets - 1 : (size_t)rank;
}

static const struct scenario_call *pick_call(const struct scenario *scenario, uint64_t *dice)
{
    double sum = 0;
    for (int i = 0; i < scenario->call_count; i++)
        sum += scenario->calls[i].weight;
    double at = part(dice) * sum;
    for (int i = 0; i < scenario->call_count; i++) {
        at -= scenario->calls[i].weight;
        if (at < 0)
            return &scenario->calls[i];
    }
    return &scenario->calls[scenario->call_count - 1];
}

bool scenario_knows_place(const char *name, size_t length)
{
    char place[24];
    snprintf(place, sizeof place, "{%.*s}", length > 20 ? 20 : (int)length, name);
    return strstr(SCENARIO_PLACES, place) != NULL;
}

/* What the places in a template stand for. */
struct values {
    const struct population_member *from, *to, *popular;
    uint64_t serial;
    int64_t amount;
};

static const char *value_of(const struct values *values, struct slice name, char number[24])
{
    if (slice_equals(name, "from"))
        return values->from->wallet;
    if (slice_equals(name, "to"))
        return values->to->wallet;
    if (slice_equals(name, "popular"))
        return values->popular->wallet;
    if (slice_equals(name, "phone"))
        return values->from->phone;
    if (slice_equals(name, "password"))
        return values->from->password;
    bool amount = slice_equals(name, "amount");
    if (!amount && !slice_equals(name, "serial"))
        return NULL;
    snprintf(number, 24, "%lld", amount ? (long long)values->amount : (long long)values->serial);
    return number;
}

/* "{name}" becomes its value; any other brace stays (JSON has many). */
static size_t render(const char *template, const struct values *values, char out[SCENARIO_TEXT_MAX])
{
    size_t length = 0;
    char number[24];
    while (*template != '\0' && length < SCENARIO_TEXT_MAX - 1) {
        size_t name = *template == '{' ? strspn(template + 1, "abcdefghijklmnopqrstuvwxyz") : 0;
        const char *value = name > 0 && template[1 + name] == '}'
                                ? value_of(values, (struct slice){template + 1, name}, number)
                                : NULL;
        if (value == NULL) {
            out[length++] = *template ++;
            continue;
        }
        size_t take = strlen(value);
        if (take > SCENARIO_TEXT_MAX - 1 - length)
            take = SCENARIO_TEXT_MAX - 1 - length;
        memcpy(out + length, value, take);
        length += take;
        template += name + 2;
    }
    out[length] = '\0';
    return length;
}

static void add_authorization(const struct scenario_run *run, const struct population_member *from,
                              struct scenario_request *out)
{
    const char *token = out->call->as == SCENARIO_FROM      ? from->token
                        : out->call->as == SCENARIO_PARTNER ? run->partner_key
                                                            : NULL;
    out->authorization_length = 0;
    if (token != NULL)
        out->authorization_length =
            (size_t)snprintf(out->authorization, sizeof out->authorization, "Bearer %s", token);
}

void scenario_request(const struct scenario_run *run, uint64_t serial, struct scenario_request *out)
{
    struct population_member from;
    struct population_member to;
    struct population_member popular;
    uint64_t dice = run->seed ^ serial * UINT64_C(0xd1342543de82ef95);
    out->call = pick_call(run->scenario, &dice);
    size_t payer = pick_wallet(run->scenario, &dice);
    size_t payee = pick_wallet(run->scenario, &dice);
    if (payee == payer)
        payee = (payee + 1) % run->scenario->wallets;
    population_member(run->population, payer, &from);
    population_member(run->population, payee, &to);
    population_member(run->population, 0, &popular);
    if (payer == 0 && strstr(out->call->body, "{popular}") != NULL)
        population_member(run->population, 1, &from); /* not to itself */
    int64_t span = out->call->most - out->call->least + 1;
    const struct values values = {&from, &to, &popular, serial,
                                  out->call->least + (int64_t)(roll(&dice) % (uint64_t)span)};
    out->path_length = render(out->call->path, &values, out->path);
    out->body_length = render(out->call->body, &values, out->body);
    out->key_length = !out->call->key ? 0
                                      : (size_t)snprintf(out->key, sizeof out->key, "b-%s-%llu",
                                                         run->name, (unsigned long long)serial);
    add_authorization(run, &from, out);
}
