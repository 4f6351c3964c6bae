/* An account statement as a document: CSV (RFC 4180) for spreadsheets, or an HTML page that prints
 * well and needs nothing else: no scripts, no links. Amounts in major units, times in UTC.
 *
 * Notes and references are customers' texts: a page shows them, never runs them, and a spreadsheet
 * takes none of them for a formula (a cell that would begin like one gets an apostrophe before it;
 * OWASP, "CSV Injection"). */
#ifndef API_ACCOUNT_STATEMENT_H
#define API_ACCOUNT_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/currency.h"
#include "base/uuid.h"

struct wallets_transaction;

enum account_statement_format { ACCOUNT_STATEMENT_CSV = 1, ACCOUNT_STATEMENT_HTML = 2 };

struct account_statement {
    enum account_statement_format format;
    struct uuid wallet;
    struct slice label, owner;
    currency currency;
    int64_t from, to; /* Unix us; `to` isn't part of it */
    int64_t opening, closing;
    int64_t held; /* at the end */
    struct bytes *out;
    int64_t in, went, fees; /* so far; opening + in - out - fees = closing */
    int64_t balance;        /* after the last line */
};

/* Begin, each line (oldest first), end. False from a line: it doesn't follow the one before, and
 * isn't written. At the end `balance` must be `closing`: asserted. */
void account_statement_begin(struct account_statement *statement);
bool account_statement_line(struct account_statement *statement,
                            const struct wallets_transaction *line);
void account_statement_end(struct account_statement *statement);

#endif
