/* The months of the history, each a partition of transactions and one of postings. A month that the
 * database doesn't have yet is loaded as a table of its own, without indexes, then indexed while
 * the next month loads, and attached at the end; one that it has is loaded in place.
 *
 * Two tables of two lanes each: a lane is a connection with one open transaction. Nothing is
 * visible before seed_months_commit. */
#ifndef BENCHMARKS_SEED_MONTHS_H
#define BENCHMARKS_SEED_MONTHS_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/copy_stream.h"
#include "benchmarks/seed_job.h"

struct seed_months;

struct seed_months *seed_months_new(const struct seed_job *job);

/* Where rows of this moment go; moments never go back. */
struct seed_streams {
    struct copy_stream *transactions;
    struct copy_stream *postings;
};
struct seed_streams seed_months_at(struct seed_months *months, int64_t unix_us);

/* No more rows. Waits for the indexes. */
void seed_months_end(struct seed_months *months);
/* Attach, commit. Frees. */
void seed_months_commit(struct seed_months *months);

#endif
