/* What is strange about a bundle that is good: nothing here keeps it from serving (an old bundle
 * must load for ever), but whoever wrote it should know. */
#ifndef SCRIPTING_RULE_ADVICE_H
#define SCRIPTING_RULE_ADVICE_H

struct bundle;
struct bundle_report;

/* Limits that a lower tier has wider than the one above it; a slab's border behind which a cent
 * more costs less; small amounts that are refused because the fee would be more. Added to the
 * report. */
void rule_advice_find(const struct bundle *bundle, struct bundle_report *report);

#endif
