/* The posting batch's SQL beside store/ledger_rows.h: holds, and what of a transaction went back
 * already. Sent only by batches that have such orders, between locking the accounts and reading the
 * keys: whoever changes a hold or gives something back has the payer's account locked. */
#ifndef STORE_HOLD_ROWS_H
#define STORE_HOLD_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/uuid.h"

struct arena;
struct ledger_rows_writing;
struct pg_connection;
struct pg_rows;
struct pg_statement;
struct subject;

extern const struct pg_statement hold_rows_read_subjects;
extern const struct pg_statement hold_rows_insert_holds;
extern const struct pg_statement hold_rows_update_holds;
extern const struct pg_statement hold_rows_insert_links;

/* Ask what is known of `ids` (sorted, each once); nothing to ask when there are none. */
bool hold_rows_read(struct pg_connection *connection, struct arena *arena, const struct uuid *ids,
                    size_t count);

/* A row of `holds h` from column 0 on: an id, then these; decoded into the arena. False: out of
 * memory. */
#define HOLD_ROWS_COLUMNS                                                              \
    "h.from_account, h.to_account, h.currency, h.amount, h.fee, h.bundle, h.pricing, " \
    "h.expires_at, h.status, h.captured, h.finished_by"
struct hold;
bool hold_rows_take_hold(const struct pg_rows *rows, int row, struct arena *arena,
                         struct hold *hold);

/* Decode: one for each id that was asked for, in their order. False: out of memory. */
bool hold_rows_take_subjects(const struct pg_rows *rows, struct arena *arena,
                             struct subject *subjects, size_t count);

/* Holds made, holds finished, links: what there is of them. */
bool hold_rows_write(struct pg_connection *connection, struct arena *arena,
                     const struct ledger_rows_writing *writing);

#endif
