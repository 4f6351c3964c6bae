/* The event streams of this worker: who listens, to which wallet, and what they have been told.
 *
 * An event's id is the account's version, so a stream needs no memory of its own: what comes after
 * `told` is read from the postings, a page at a time and only when the reader has taken the last
 * one. store/news says when there is something. None is missed, reordered or told twice: a page is
 * read from `told` on, its versions must follow each other, and only what went into the feed moves
 * `told`. */
#ifndef API_EVENT_HUB_H
#define API_EVENT_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "http/feed.h"
#include "store/news.h"
#include "store/wallets.h"

struct account;
struct event_check;
struct event_hub;
struct event_question;
struct gate;
struct pg_pool;

struct event_hub_settings {
    int streams_max; /* of this worker */
    int per_user;    /* of one user, in this worker */
    int64_t heartbeat_us;
    int64_t recheck_us; /* how often the gate is asked again whether the reader is signed in */
};

enum event_end {
    EVENT_END_READER, /* has gone */
    EVENT_END_UNREAD, /* was too slow */
    EVENT_END_DRAIN,
    EVENT_END_SIGNED_OUT,
    EVENT_END_WALLET, /* frozen, closed or active again */
    EVENT_END_COUNT
};

/* One stream. It lives in its request's arena, until `gone`. */
struct event_stream {
    struct feed feed;
    struct news_watch watch;
    struct event_hub *hub;
    struct uuid owner;
    int status;       /* the wallet's, as the reader knows it */
    bool whole;       /* the next thing to tell is the wallet as a whole: what lies between isn't
                         there any more */
    int64_t told;     /* the version of the event that went last */
    int64_t spoke_at; /* monotonic us, as all times here */
    int64_t check_at;
    int64_t began;
    uint64_t events;
    enum event_end end;
    struct event_question *asked; /* what is being read for it; NULL: nothing */
    struct event_check *check;    /* the gate is being asked; NULL: not now */
    struct event_stream *next, *previous;
    struct event_stream *next_of_owner;
};

void event_hub_register_metrics(void);

/* NULL: no memory. */
struct event_hub *event_hub_new(struct pg_pool *pool, struct gate *gate,
                                const struct event_hub_settings *settings);
void event_hub_set(struct event_hub *hub, const struct event_hub_settings *settings);
void event_hub_free(struct event_hub *hub); /* its streams are gone, nothing is asked any more */

/* A few times a second. */
void event_hub_turn(struct event_hub *hub, int64_t now);

/* For posting_settings.changed: these accounts are durably as they stand here. */
void event_hub_changed(void *hub, const struct account *accounts, size_t count);

enum event_room { EVENT_ROOM, EVENT_ROOM_USER_FULL, EVENT_ROOM_WORKER_FULL };
enum event_room event_hub_room(const struct event_hub *hub, const struct uuid *owner);

/* The answer of `request` becomes the stream of this wallet, from behind `after` on; -1, or a
 * number that the wallet hasn't reached: from now on, and it begins with the wallet as it stands.
 * False: out of memory, nothing was begun. */
bool event_hub_begin(struct event_hub *hub, struct event_stream *stream, struct request *request,
                     const struct wallet *wallet, int64_t after);

#endif
