/* The last good bundle, where every process of one server can take it from: in memory that the
 * master shares with its workers. Each worker reads the folder itself and puts down what it found
 * good; the others take it from here, and so does a worker that starts while the folder holds
 * something bad. So all price by the same bundle, whoever saw which moment of the folder. */
#ifndef SCRIPTING_SHELF_H
#define SCRIPTING_SHELF_H

#include <stdbool.h>
#include <stdint.h>

struct bundle;
struct bundle_report;
struct shelf;

/* In the master, before it forks. Holds nothing yet. NULL: no memory. */
struct shelf *shelf_new(void);
void shelf_free(struct shelf *shelf);

/* Put a bundle down, unless it lies there already. Returns its number: shelf_number() as long as no
 * other bundle is put down. A process that dies in here leaves the shelf as it was. */
uint64_t shelf_put(struct shelf *shelf, const struct bundle *bundle);

/* 0: nothing yet; another number: another bundle. Costs nothing: ask as often as you like. */
uint64_t shelf_number(const struct shelf *shelf);

/* What lies there, compiled, and its number. NULL: nothing, or the report says why. */
struct bundle *shelf_take(struct shelf *shelf, uint64_t *number, struct bundle_report *report);

#endif
