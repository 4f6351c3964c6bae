/* What clients were told against what was booked: the remembered answer of each movement of money
 * must say its transaction, amounts and the balance after it, to the unit. */
#ifndef STORE_VERIFY_ANSWERS_H
#define STORE_VERIFY_ANSWERS_H

#include <stdbool.h>

struct pg_conn; /* libpq's PGconn */
struct verify_line;

/* In the caller's transaction on `conn`. False: PostgreSQL refused; its message is on `conn`. */
bool verify_answers_check(struct pg_conn *conn, struct verify_line *line);

#endif
