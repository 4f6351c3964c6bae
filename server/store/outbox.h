/* The outbox: transactions become deliveries to webhooks, deliveries are taken, and their ends
 * noted. Questions on one connection of the asker's own, whose session holds an advisory lock: so
 * there is one asker per database, and one whose session has ended can write nothing any more. Its
 * answers come to the connection's owner; outbox_which tells them apart.
 *
 * Why the relay misses nothing, and tells each wallet's transactions in their order:
 *
 * - A snapshot S sees exactly the transactions that had committed when it was taken, and can be
 *   asked later (pg_visible_in_snapshot of `written_by`). The cursor holds one, `seen`; each round
 *   takes a next one, `target`, and reads what is visible in `target` and not in `seen`. So each
 *   committed transaction belongs to exactly one round, whatever the order of ids, clocks or
 *   xids, and however long it ran. Nobody has to wait for the oldest one that runs.
 * - Two transactions of one wallet: the second read the wallet's row under its lock, after the
 * first had committed. So a snapshot that sees the second sees the first, whose round is the same
 * or an earlier one; within it, and always, the account's version orders them (webhook_lanes).
 * - Where to look: rows are found by id, and an id is made by posting inside its database
 *   transaction (posting/lane.c: after the accounts are locked), of the worker's clock. `since` is
 *   the start of the oldest transaction that ran when `seen` was taken: the statement that looks
 *   precedes the one that takes the snapshot, so what isn't visible in `seen` began at or after
 *   it. Its ids are therefore younger than `since`, but for the difference of two clocks: the
 *   round begins OUTBOX_SKEW_S before it. Servers' clocks must agree with PostgreSQL's to that (NTP
 *   keeps them within milliseconds); a worker that is further behind would be missed, so the
 *   relay measures what it reads, and `lead_us` tells how near it comes.
 * - Rows, and the cursor that says they were read, are one transaction: exactly once into the
 *   table. A round is read in pages; until its last one nothing is sent (`more`).
 * - All that posting pays is a lock-free scan of the newest rows, by primary key.
 *
 * A snapshot means nothing in another cluster: after a restore from a dump (not from a base backup)
 * the cursor has to be set anew. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/wallets.h"

struct arena;
struct pg_connection;
struct pg_statement;

#define OUTBOX_SKEW_S 10
#define OUTBOX_TAKEN_MAX 128
#define OUTBOX_LOG_DAYS 30

extern const struct pg_statement *const outbox_statements[];
extern const char outbox_setup[];

enum outbox_answer {
    OUTBOX_LED,      /* outbox_ask_lead: outbox_took_lead */
    OUTBOX_RELAYED,  /* outbox_ask_relay */
    OUTBOX_TAKEN,    /* outbox_ask_taken */
    OUTBOX_REPLAYED, /* outbox_ask_replay */
    OUTBOX_LOOKED,   /* outbox_ask_look */
    OUTBOX_NOTHING   /* another statement's: of no interest */
};
enum outbox_answer outbox_which(const struct pg_statement *statement);

/* Each asks, with its sync: false: not ready, or out of memory. */
bool outbox_ask_lead(struct pg_connection *connection, struct arena *arena);
bool outbox_ask_relay(struct pg_connection *connection, struct arena *arena);
bool outbox_ask_sweep(struct pg_connection *connection, struct arena *arena);
bool outbox_ask_replay(struct pg_connection *connection, struct arena *arena);
bool outbox_ask_look(struct pg_connection *connection, struct arena *arena);

bool outbox_took_lead(const struct pg_rows *rows);
bool outbox_take_replayed(const struct pg_rows *rows); /* and there is more to do of it */

struct outbox_relayed {
    int64_t put;     /* deliveries made */
    bool more;       /* this round has further pages */
    bool active;     /* there are webhooks at all */
    bool has_lead;   /* something new was read */
    int64_t lead_us; /* by so much the oldest id read was younger than where the round began */
};
struct outbox_relayed outbox_take_relayed(const struct pg_rows *rows);

/* What is to be sent now. `secret`s are sealed. */
struct outbox_delivery {
    struct uuid webhook, event;
    int attempts; /* before this one */
    struct slice url;
    struct slice secret, previous_secret; /* {NULL,0}: none any more */
    struct wallets_transaction transaction;
};
struct outbox_place {
    struct uuid webhook, event;
};
/* Due ones, a few of each webhook, first tries before others, but for those that are `busy`. */
bool outbox_ask_taken(struct pg_connection *connection, struct arena *arena,
                      const struct outbox_place *busy, size_t count);
/* Texts into the arena; false: out of memory. */
bool outbox_take_delivery(const struct pg_rows *rows, int row, struct arena *arena,
                          struct outbox_delivery *delivery);

enum outbox_status { OUTBOX_PENDING = 1, OUTBOX_DELIVERED = 2, OUTBOX_FAILED = 3 };

struct outbox_end {
    struct outbox_place place;
    enum outbox_status status;
    int64_t due;        /* of a pending one: the next attempt, Unix us */
    int http_status;    /* 0: no answer */
    struct slice error; /* {NULL,0}: none */
    bool ends_webhook;  /* its receiver wants no more */
};
/* Note how they ended; who waited behind a finished one becomes due. */
bool outbox_ask_note(struct pg_connection *connection, struct arena *arena,
                     const struct outbox_end *ends, size_t count);

/* A receiver is back: what waits for its next attempt is due now, up to 500. */
bool outbox_ask_hurry(struct pg_connection *connection, struct arena *arena,
                      const struct uuid *webhook);

struct outbox_state {
    int64_t pending;    /* deliveries, counted up to 100,000 */
    int64_t overdue_us; /* the one that is due for longest */
};
struct outbox_state outbox_take_state(const struct pg_rows *rows);

#endif
