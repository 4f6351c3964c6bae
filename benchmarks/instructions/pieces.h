/* moolah-instructions: pieces of the hot path on fixed inputs, for ci/instructions to count by
 * callgrind. Each piece makes its inputs, then does the same PIECES_ROUNDS times: set up, and call
 * a function of its own whose name begins with counted_. Callgrind collects only inside those, and
 * writes a figure whenever one returns; the least of a piece's figures is what it costs (the first
 * warms up, now and then one has to fetch random bytes, or a timer of the loop comes in between).
 *
 * Nothing depends on the machine's time or on chance: what must be a moment or an id is a constant,
 * or has always as many digits. */
#ifndef INSTRUCTIONS_PIECES_H
#define INSTRUCTIONS_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inet.h"
#include "base/uuid.h"
#include "store/gate.h"

#define PIECES_ROUNDS 9
/* `used`: else the compiler might give it another name. */
#define PIECES_COUNTED __attribute__((noinline, used)) static

struct piece {
    const char *name;
    const char *counted;              /* its function */
    int units;                        /* what one figure counts is so many of them */
    const char *unit;                 /* of what */
    bool (*run)(const char *scratch); /* false: it has said why */
};

/* `scratch`: a folder for sockets; a Redis listens on redis.sock in it. */
extern const struct piece parse_piece;  /* parse and route a transfer */
extern const struct piece gate_piece;   /* a reply of the gate's */
extern const struct piece decide_piece; /* decide a batch with the fee rule */
extern const struct piece price_piece;  /* the fee rule alone */
extern const struct piece encode_piece; /* encode the batch */
extern const struct piece answer_piece; /* write a response */

/* Says it; false. */
bool pieces_fail(const struct piece *piece, const char *what);

/* Whose requests they are. */
extern const struct inet pieces_client;

/* A fixed id: another one for each number, without any order. */
struct uuid pieces_id(unsigned number);

/* The access token of user pieces_id(0). */
void pieces_token(char token[GATE_TOKEN_MAX]);

#endif
