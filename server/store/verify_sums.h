/* Proofs by sums: two sides that must hold the same rows are hashed row by row and added up, each
 * side in one pass over its tables. Where the sums agree, so do the rows (but for one chance in
 * 2^64), and nothing had to be joined, sorted or spilt; where they don't, the slow question of
 * verify.c names the rows. The idea: "incremental multiset hashes" (Clarke et al., 2003).
 *
 * Each takes a seed, $1::bigint, chosen anew each time, and answers one row: looked_at, whether all
 * agrees. Numbers of kinds are those of server/ledger/account.h. */
#ifndef STORE_VERIFY_SUMS_H
#define STORE_VERIFY_SUMS_H

extern const char verify_sums_legs[];     /* what transactions say, and their postings */
extern const char verify_sums_balances[]; /* postings one after the other, and accounts */
extern const char verify_sums_keys[];     /* keys, and transactions */

#endif
