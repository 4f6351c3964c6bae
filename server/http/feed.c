#include "http/feed.h"

#include <assert.h>

#include "http/session_state.h"

void feed_begin(struct feed *feed, struct request *request)
{
    assert(request->response.feed == NULL && !request->finished);
    assert(feed->taken != NULL && feed->gone != NULL);
    feed->request = request;
    feed->state = FEED_BEGUN;
    bytes_init(&feed->waiting, NULL);
    feed->waiting.limit = FEED_MAX;
    request->response.feed = feed;
}

/* The stream is there and answered by this feed. */
static bool is_live(const struct feed *feed)
{
    return feed->request->feed == feed && feed->request->session != NULL;
}

/* There is something for nghttp2 to ask for again. */
static void resume(const struct feed *feed)
{
    struct request *request = feed->request;
    struct session *session = request->session;
    nghttp2_session_resume_data(session->ng, request->stream_id);
    session->owner.wake(session->owner.owner);
}

static bool has_room(const struct feed *feed, size_t length)
{
    const struct session *session = feed->request->session;
    if (length > FEED_MAX - feed->waiting.length)
        return false;
    return session == NULL || (session->output_bytes < session->limits.output_max &&
                               request_held() + length <= session->limits.held_max);
}

bool feed_add(struct feed *feed, struct slice text)
{
    struct request *request = feed->request;
    if (feed->state > FEED_OPEN || !has_room(feed, text.length) ||
        !bytes_reserve(&feed->waiting, text.length)) {
        feed->waiting.failed = false;
        return false;
    }
    if (!is_live(feed)) {
        bytes_add_slice(&feed->waiting, text);
        return true;
    }
    bool first = request->unsent.length == 0;
    size_t taken = feed->waiting.length - request->unsent.length;
    bytes_add_slice(&feed->waiting, text);
    request->unsent = (struct slice){feed->waiting.at + taken, feed->waiting.length - taken};
    request->session->output_bytes += text.length;
    request_hold(request, text.length);
    if (first)
        request->expires = session_unread_deadline(request);
    resume(feed);
    return true;
}

bool feed_is_empty(const struct feed *feed)
{
    return feed->waiting.length == 0;
}

void feed_end(struct feed *feed)
{
    if (feed->state > FEED_OPEN)
        return;
    feed->state = FEED_ENDED;
    if (!is_live(feed))
        return;
    if (feed->request->unsent.length == 0)
        feed->request->expires = session_unread_deadline(feed->request);
    resume(feed);
}

void feed_open(struct feed *feed)
{
    struct request *request = feed->request;
    request->feed = feed;
    request->session->feeds++;
    request->unsent = bytes_view(&feed->waiting);
    request->session->output_bytes += request->unsent.length;
    request_hold(request, request->unsent.length);
    if (feed->state == FEED_BEGUN)
        feed->state = FEED_OPEN;
    if (request->session->draining)
        feed->state = FEED_ENDED;
}

bool feed_take(struct feed *feed)
{
    bool some = feed->waiting.length > 0;
    assert(feed->request->unsent.length == 0);
    request_unhold(feed->request, feed->waiting.length);
    bytes_release(&feed->waiting);
    feed->waiting.limit = FEED_MAX;
    if (feed->state != FEED_OPEN)
        return true;
    feed->request->expires = INT64_MAX;
    if (some)
        feed->taken(feed->owner);
    return false;
}

void feed_give_up(struct feed *feed)
{
    feed->state = FEED_UNREAD;
}

void feed_go(struct feed *feed)
{
    feed->gone(feed->owner);
    bytes_release(&feed->waiting);
}
