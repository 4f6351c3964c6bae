/* All that is prepared on the connections of the pool, and how these are set up. What a posting
 * connection prepares is ledger_rows.h's. tests/integration/plans_test.c looks at every plan. */
#ifndef STORE_POOL_STATEMENTS_H
#define STORE_POOL_STATEMENTS_H

struct pg_statement;

extern const struct pg_statement *const *const pool_statements_lists[]; /* ended by NULL */
extern const char pool_statements_setup[]; /* for pg_connection_settings */

#endif
