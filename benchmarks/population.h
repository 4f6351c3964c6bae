/* Who the load comes from: the wallets that `moolah-bench seed` has made, each with its phone and a
 * valid access token, so that a scenario of a million users needs no million sign-ins. There is no
 * big file: everything about a member follows from a key and the member's index, and
 * DIR/population.json says only {"key","wallets","since"}. Whoever reads that file can spend
 * everybody's money: it is written for its owner alone, and for a test database only.
 *
 * Where nothing is seeded, the demo users of DIR/demo.json are the population: they have a password
 * and no token, signing them in is the caller's business. */
#ifndef BENCHMARKS_POPULATION_H
#define BENCHMARKS_POPULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

#define POPULATION_MAX 100000000 /* phone numbers have 8 digits of their own */

/* What DIR/population.json says. */
struct population_seed {
    uint8_t key[32];
    size_t wallets;
    int64_t since; /* Unix ms: member i came i ms later; ids are UUIDv7 of that moment */
};

struct population_member {
    struct uuid user; /* nil for demo users */
    struct uuid wallet_uuid;
    struct uuid sign_in; /* nil for demo users */
    char wallet[UUID_TEXT_MAX];
    char phone[24];
    char password[64];
    char token[72]; /* "" for demo users */
};

struct population;

/* Of the folder of a running ci/up: population.json, else demo.json. NULL: `error` says what to do.
 */
struct population *population_open(const char *folder, char *error, size_t size);
/* Of a seed that is in no file (yet). NULL: out of memory. */
struct population *population_new(const struct population_seed *seed);
void population_free(struct population *population); /* NULL is fine */

size_t population_count(const struct population *population);
/* Member `i` < count. Derived anew each time, about a microsecond. */
void population_member(const struct population *population, size_t i,
                       struct population_member *out);
/* Just the wallet's text: who is paid. */
void population_wallet(const struct population *population, size_t i, char wallet[UUID_TEXT_MAX]);

/* 1: read; 0: there is no such file; -1: `error` says what is wrong with it. */
int population_read(const char *path, struct population_seed *seed, char *error, size_t size);
/* Durable, readable by its owner alone; the file appears whole. False: errno. */
bool population_write(const char *path, const struct population_seed *seed);

#endif
