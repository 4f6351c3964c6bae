/* A lane: one connection to PostgreSQL and the batch that is in flight on it. */
#ifndef POSTING_LANE_H
#define POSTING_LANE_H

#include <stdbool.h>

#include "posting/batch.h"

struct ev_loop;
struct lane;

enum lane_state {
    LANE_DOWN,    /* not connected */
    LANE_OPENING, /* making its system accounts */
    LANE_IDLE,
    LANE_READING,     /* locks and keys asked for */
    LANE_WRITING,     /* everything sent, commit included: only the sync tells */
    LANE_ABORTED,     /* an error came: waiting for the sync behind it */
    LANE_ROLLING_BACK /* and making partitions, when a month's are missing */
};

/* How a batch left the lane. */
enum lane_end {
    LANE_DURABLE, /* committed: batch_answer */
    LANE_FAILED,  /* nothing of this submission moved; sqlstate says why ("": out of memory here, or
                     the connection died before a commit was sent) */
    LANE_UNKNOWN  /* the connection died behind a commit: submit it again, the keys tell */
};

/* Told for SQLSTATE when a month has no partitions: the lane has tried to make them (55000, "object
 * not in prerequisite state": it may go well soon). */
#define LANE_UNPARTITIONED "55000"

struct lane_owner {
    void *owner;
    void (*idle)(void *owner, struct lane *lane); /* may take a batch now */
    void (*ended)(void *owner, struct lane *lane, struct batch *batch, enum lane_end end,
                  const char *sqlstate);
    struct bundle *(*bundle)(void *owner); /* what prices now; may be NULL */
};

struct lane_settings {
    const char *conninfo;
    unsigned stripe;
    const currency *currencies;
    int64_t answer_timeout_us; /* 0: 30 s */
};

void lane_register_metrics(void);

struct lane *lane_new(struct ev_loop *loop, const struct lane_settings *settings,
                      const struct lane_owner *owner);
void lane_free(struct lane *lane); /* a batch in flight is freed without being answered */

enum lane_state lane_state(const struct lane *lane);

/* Submit a batch on an idle lane. Takes it over until `ended`, which never comes from inside. */
void lane_submit(struct lane *lane, struct batch *batch);

#endif
