/* GCRA (the generic cell rate algorithm: a leaky bucket as one number, its theoretical arrival
 * time), and a table of such cells in this worker for when Redis is down. Fixed size: the emptiest
 * cell gives way. Fractions of the configured rate are not divided among workers: while Redis is
 * down each worker allows the whole rate. */
#ifndef STORE_LIMITER_H
#define STORE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct gate_rate;
struct limiter;

struct limiter *limiter_new(void);
void limiter_free(struct limiter *limiter);

/* Microseconds between two of a rate's cells, and how far ahead of now its time may run. */
int64_t limiter_interval(const struct gate_rate *rate);
int64_t limiter_tolerance(const struct gate_rate *rate);

/* May one more pass under `key` (a hash) now? False: *retry_us says when. Nothing is charged. */
bool limiter_allow(struct limiter *limiter, uint64_t key, const struct gate_rate *rate, int64_t now,
                   int64_t *retry_us);

/* One more passes. */
void limiter_charge(struct limiter *limiter, uint64_t key, const struct gate_rate *rate,
                    int64_t now);

void limiter_forget(struct limiter *limiter, uint64_t key);

#endif
