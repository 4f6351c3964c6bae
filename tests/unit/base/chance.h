/* A small random generator with a fixed seed: the same test run twice does the same (Marsaglia's
 * xorshift64*). */
#ifndef TESTS_CHANCE_H
#define TESTS_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state; /* not 0 */
};

static inline uint64_t chance_bits(struct chance *chance)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return chance->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* 0 .. below - 1 */
static inline uint64_t chance_below(struct chance *chance, uint64_t below)
{
    return chance_bits(chance) % below;
}

#endif
