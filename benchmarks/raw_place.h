/* A database aside, for what leaves no whole ledger behind: same cluster, same settings, same
 * schema, same wallets; removed afterwards. */
#ifndef BENCHMARKS_RAW_PLACE_H
#define BENCHMARKS_RAW_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct raw_job;

/* Does this database answer within seconds? False: `error` says what doesn't. */
bool raw_place_answers(const char *conninfo, char *error, size_t size);

/* Make it (one that was left behind is replaced) with the job's wallets, all of them rich.
 * `conninfo` is the schema owner's, of the real database. False: `error` says why. */
bool raw_place_make(const char *conninfo, const struct raw_job *job, char *error, size_t size);
void raw_place_remove(const char *conninfo);

/* Added to a conninfo it leads to the database aside. */
#define RAW_PLACE_CONNINFO " dbname=moolah_raw"

#endif
