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

bool limiter_allow(struct limiter *limiter, uint64_t key, const struct gate_rate *rate, bool charge,
                   int64_t now, int64_t *retry_us)
{
    struct cell *cell = find(limiter, key);
    int64_t arrival = cell->key == key && cell->arrival > now ? cell->arrival : now;
    int64_t next = arrival + limiter_interval(rate);
    *retry_us = next - limiter_tolerance(rate) - now;
    if (*retry_us > 0)
        return false;
    *retry_us = 0;
    if (charge)
        *cell = (struct cell){key, next};
    return true;
}

void limiter_forget(struct limiter *limiter, uint64_t key)
{
    struct cell *cell = find(limiter, key);
    if (cell->key == key)
        cell->arrival = 0;
}
