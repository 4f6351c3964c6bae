/* The posting batch's SQL beside store/ledger_rows.h: what wallets with a rolling limit sent in the
 * last day. Asked in a flight of its own, once it is known which payers have such a limit: all
 * others pay nothing. */
#ifndef STORE_LIMIT_ROWS_H
#define STORE_LIMIT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct arena;
struct book;
struct pg_connection;
struct pg_rows;
struct pg_statement;

extern const struct pg_statement limit_rows_read_moves;

/* Ask what these accounts sent in the day before `now`; syncs. */
bool limit_rows_ask(struct pg_connection *connection, struct arena *arena,
                    const struct account *const *accounts, size_t count, int64_t now);

/* Decode: gives each of them a window with room for `more` movements. False: out of memory. */
bool limit_rows_take(const struct pg_rows *rows, struct arena *arena,
                     struct account *const *accounts, size_t count, size_t more);

#endif
