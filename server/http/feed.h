/* A feed: an answer whose body grows for as long as somebody reads it (server-sent events). It is
 * begun before request_answer and lives in the request's arena. The flow ends there; the request
 * stays until the stream has ended, and `gone` is the last that is heard of it.
 *
 * A reader decides how fast: whoever adds only when feed_is_empty keeps one portion for a slow one,
 * and `taken` tells when there is room for the next. One that doesn't take its portion within the
 * time of an unread answer has its stream reset; if not even that gets through, its connection
 * ends. Draining ends every feed of the session cleanly, behind what was added. */
#ifndef HTTP_FEED_H
#define HTTP_FEED_H

#include <stdbool.h>

#include "base/bytes.h"

struct request;

#define FEED_MAX (64UL * 1024) /* bytes that wait in one feed */

enum feed_state {
    FEED_BEGUN, /* not answered yet; or answered otherwise: then it goes without having been open */
    FEED_OPEN,
    FEED_ENDED, /* by feed_end or a drain: nothing more can be added */
    FEED_UNREAD /* its reader took too long */
};

struct feed {
    struct request *request;
    enum feed_state state;
    struct bytes waiting; /* request->unsent looks into it */
    /* the owner's */
    void *owner;
    void (*taken)(void *owner); /* empty again. Comes from inside the session: don't add now */
    void (*gone)(void *owner);  /* once, last: the request is freed behind it. Don't use the feed */
};

/* The answer of `request` is this feed. `feed` lives as long as the request; owner, taken and gone
 * are filled in. */
void feed_begin(struct feed *feed, struct request *request);

/* Append to the body. False: it has ended, or there is no room (of the feed, the session or all
 * sessions) or no memory: nothing was added. Never from inside `taken`. */
bool feed_add(struct feed *feed, struct slice text);

/* Nothing waits. Always so for one that has ended before it was open. */
bool feed_is_empty(const struct feed *feed);

/* A clean end of the stream, behind what was added. Twice is fine. */
void feed_end(struct feed *feed);

/* For http/ only: the answer is submitted; all that waited is taken (true: and it's the end); the
 * reader's time is over; the request goes. */
void feed_open(struct feed *feed);
bool feed_take(struct feed *feed);
void feed_give_up(struct feed *feed);
void feed_go(struct feed *feed);

#endif
