/* What the load generator itself knows of each keyed call: the proof afterwards needs no word of
 * the server's. */
#ifndef BENCHMARKS_JOURNAL_H
#define BENCHMARKS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal_entry {
    uint64_t hash;   /* of the first final answer's body */
    uint16_t status; /* of it; 0: none came: lost, 503, 429... */
    uint16_t sent;   /* how often; 0: this number's call has no key, or was never sent */
};

struct journal {
    struct journal_entry *entries; /* by the request's number */
    size_t count, room;
    uint64_t contradictions; /* two final answers of one key that differ */
    uint64_t confirmations;  /* later final answers that are the same */
};

void journal_release(struct journal *journal);

/* It's on its way. False: out of memory. */
bool journal_sent(struct journal *journal, uint64_t serial);

/* An answer: one that's final (201, 404, 422) is kept, another one is not. */
void journal_answered(struct journal *journal, uint64_t serial, int status, uint64_t hash);

bool journal_is_final(int status);

#endif
