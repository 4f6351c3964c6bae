/* Receipts, wallets and users as JSON: what API.md promises, member by member. */
#ifndef API_RECEIPT_H
#define API_RECEIPT_H

#include "base/json.h"
#include "base/uuid.h"
#include "posting/posting.h"
#include "store/holds.h"
#include "store/users.h"
#include "store/wallets.h"

/* An order's answer, for posting_order.render: a receipt, or the refusal as a problem. `order` is
 * part of a struct receipt_order. */
struct receipt_order {
    struct posting_order order;
    struct uuid request_id;
};

int receipt_render(const struct posting_order *order, const struct posting_decision *decision,
                   struct bytes *body);

/* The receipt again, byte for byte, for posting_order.recall: whatever is changed in one is changed
 * in both, and a receipt that was given once is given for ever: a new format needs a number beside
 * the key that had the old one. */
void receipt_recall(const struct posting_order *order, const struct wallets_transaction *posted,
                    struct bytes *body);

/* A transaction read back, as `wallet_side` sees it: balance of `from`, of `to`, or none. */
enum receipt_side { RECEIPT_FROM, RECEIPT_TO, RECEIPT_NEITHER };
void receipt_write_transaction(const struct wallets_transaction *transaction,
                               enum receipt_side side, struct bytes *body);

/* A transaction for operators: nobody's balance, but who asked for it and whose the wallets are. */
void receipt_write_for_operator(struct json_writer *writer, const struct wallets_transaction *t);

/* The same with what it belongs to and what belongs to it: hold, refund_of, reversal_of; refunds,
 * reversal, finished_by. Members only where there is something. */
struct receipt_links {
    const struct holds_link *links;
    size_t count;
};
void receipt_write_linked(const struct wallets_transaction *transaction, enum receipt_side side,
                          const struct receipt_links *links, struct bytes *body);

/* What full refunds give back of its fee: the lines that say so. False: out of memory. */
bool receipt_refundable(const struct wallets_transaction *transaction, struct arena *arena,
                        int64_t *refundable);

/* A hold as it is now. */
void receipt_write_hold(struct json_writer *writer, const struct holds_hold *hold);

/* A statement's line: the transaction with the signed change and the balance after it. */
void receipt_write_line(struct json_writer *writer, const struct wallets_transaction *line);

void receipt_write_wallet(struct json_writer *writer, const struct wallet *wallet);
void receipt_write_user(struct json_writer *writer, const struct user *user);

/* "pricing": what was decided by which bundle (32 bytes of hash). */
void receipt_write_pricing(struct json_writer *writer, const uint8_t *bundle,
                           const struct fee_decision *fee);

/* Members that many have. */
void receipt_write_id(struct json_writer *writer, const char *key, const char *prefix,
                      const struct uuid *id);
/* "currency" and "balance". */
void receipt_write_balance(struct json_writer *writer, currency which, int64_t posted,
                           int64_t held);
void receipt_write_time(struct json_writer *writer, const char *key, int64_t unix_us);
void receipt_write_zone(struct json_writer *writer, int zone); /* "time_zone" */

#endif
