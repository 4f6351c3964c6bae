/* Moving money between two accounts, with a fee to a third. Refuse everything first, then act:
 * transfer_check says what speaks against it, transfer_post cannot fail. Pure: no I/O, no clock. */
#ifndef LEDGER_TRANSFER_H
#define LEDGER_TRANSFER_H

#include "ledger/account.h"
#include "ledger/money.h"
#include "ledger/refusal.h"
#include "ledger/transaction.h"

struct transfer {
    struct money amount;      /* what `to` gets: 1 .. MONEY_MAX */
    int64_t fee;              /* what `from` pays on top, >= 0 */
    struct account *from;     /* NULL: there is none of that id */
    struct account *to;       /* NULL likewise */
    struct account *fees;     /* where the fee goes; NULL only when fee is 0 */
    const struct uuid *payer; /* who must own `from`; NULL: `from` is the system's own account */
    bool anyones;             /* a partner asks: `from` is a wallet, whosever; payer is NULL */
    bool out;                 /* `to` is settlement: money leaves */
    bool supplier;            /* `to` is a supplier's account: something is bought */
};

/* Everything about the parties, before a rule is asked what it costs. `fee` isn't looked at. */
enum refusal transfer_check_parties(const struct transfer *transfer);

/* The money itself, once the fee is known: parties are checked already. */
enum refusal transfer_check_money(const struct transfer *transfer);

/* After both checks said REFUSAL_NONE. Changes the accounts and writes the postings (2, or 3 with a
 * fee); returns how many. Postings of one account keep their order: versions are gapless. */
int transfer_post(const struct transfer *transfer, const struct uuid *transaction,
                  struct posting postings[TRANSACTION_POSTINGS_MAX]);

#endif
