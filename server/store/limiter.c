#include "store/limiter.h"

#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/gate.h"

enum { CELLS = 65536, WAYS = 4 };

struct cell {
    uint64_t key;
    int64_t arrival; /* theoretical arrival time of the next one */
};

struct limiter {
    struct cell cells[CELLS];
};

struct limiter *limiter_new(void)
{
    return memory_alloc(sizeof(struct limiter));
}

void limiter_free(struct limiter *limiter)
{
    memory_free(limiter);
}

int64_t limiter_interval(const struct gate_rate *rate)
{
    assert(rate->per_second > 0 && rate->burst >= 1);
    int64_t interval = (int64_t)(CLOCK_SECOND / rate->per_second);
    return interval < 1 ? 1 : interval;
}

int64_t limiter_tolerance(const struct gate_rate *rate)
{
    return limiter_interval(rate) * rate->burst;
}

/* The key's cell, or the one of its set that is emptiest. */
static struct cell *find(struct limiter *limiter, uint64_t key)
{
    struct cell *set = &limiter->cells[key % (CELLS / WAYS) * WAYS];
    struct cell *emptiest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].arrival < emptiest->arrival)
            emptiest = &set[i];
    }
    return emptiest;
}

/* When the next one would be due, were it let in now. */
static int64_t following(const struct cell *cell, uint64_t key, const struct gate_rate *rate,
                         int64_t now)
{
    int64_t arrival = cell->key == key && cell->arrival > now ? cell->arrival : now;
    return arrival + limiter_interval(rate);
}

bool limiter_allow(struct limiter *limiter, uint64_t key, const struct gate_rate *rate, int64_t now,
                   int64_t *retry_us)
{
    int64_t retry = following(find(limiter, key), key, rate, now) - limiter_tolerance(rate) - now;
    *retry_us = retry > 0 ? retry : 0;
    return retry <= 0;
}

void limiter_charge(struct limiter *limiter, uint64_t key, const struct gate_rate *rate,
                    int64_t now)
{
    struct cell *cell = find(limiter, key);
    *cell = (struct cell){key, following(cell, key, rate, now)};
}

void limiter_forget(struct limiter *limiter, uint64_t key)
{
    struct cell *cell = find(limiter, key);
    if (cell->key == key)
        cell->arrival = 0;
}
