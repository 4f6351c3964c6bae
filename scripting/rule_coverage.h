/* Which parts of a bundle its tests have reached: a fee's slabs, a limit's caps, a product's price.
 */
#ifndef SCRIPTING_RULE_COVERAGE_H
#define SCRIPTING_RULE_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct bundle;
struct fee_facts;
struct limit_cap;
struct product;

struct rule_part {
    const char *file; /* they live as long as the bundle */
    const char *rule; /* "transfer.p2p@3", a product's id */
    char name[40];    /* "slab 2", "tier 0 daily", "price" */
    size_t hits;
};

struct rule_coverage {
    struct rule_part *parts; /* those of one file stand together */
    size_t count;
};

/* Nothing reached yet; lives in the arena. False: no memory. */
bool rule_coverage_init(struct rule_coverage *coverage, const struct bundle *bundle,
                        struct arena *arena);

/* What priced these facts. */
void rule_coverage_fee(struct rule_coverage *coverage, const struct bundle *bundle,
                       const struct fee_facts *facts);

/* What refused a movement. */
void rule_coverage_cap(struct rule_coverage *coverage, int tier, const struct limit_cap *cap);

void rule_coverage_product(struct rule_coverage *coverage, const struct product *product);

/* The parts of the file at parts[from], and how many of them were reached; returns their number. */
size_t rule_coverage_file(const struct rule_coverage *coverage, size_t from, size_t *reached);

/* The amounts at which what such facts cost may change its course, whatever amount they name: every
 * slab's border with both its neighbours, unordered. They lie in the arena, with room for `spare`
 * more. NULL: no memory. */
int64_t *rule_coverage_borders(const struct bundle *bundle, const struct fee_facts *facts,
                               struct arena *arena, size_t spare, size_t *count);

#endif
