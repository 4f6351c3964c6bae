/* What the files of http/ share of a session: nobody else includes this. */
#ifndef HTTP_SESSION_STATE_H
#define HTTP_SESSION_STATE_H

#include <nghttp2/nghttp2.h>

#include "http/session.h"

struct session {
    nghttp2_session *ng;
    struct session_limits limits;
    struct session_owner owner;
    struct inet client;
    bool has_client_certificate;
    int64_t now;              /* monotonic us, of the last call that told it */
    struct request *requests; /* one per open stream, newest first */
    uint32_t open_count;
    uint32_t ready;      /* complete ones that wait to be served */
    size_t output_bytes; /* of bodies that wait to be sent */
    int64_t began;
    bool greeted;     /* the peer's SETTINGS have come */
    uint32_t feeds;   /* open ones */
    int64_t heard_at; /* anything at all */
    int64_t pinged_at;
    int64_t idle_since;
    bool idle_said;
    int64_t glitches;
    int64_t glitches_at;
    int32_t newest_id; /* the highest stream the peer has opened */
    int32_t reset_id;  /* the highest one we have reset: up to it, late frames are excused */
    bool broken;       /* GOAWAY with an error is on its way: nothing more is read */
    bool draining;
    bool drained; /* the final GOAWAY is sent */
    int64_t drain_at;
};

extern const uint8_t session_drain_ping[8];

void session_link(struct session *session, struct request *request);
void session_unlink(struct session *session, struct request *request);
void session_glitch(struct session *session, unsigned cost);
/* A connection error: GOAWAY with this code, then the end. */
void session_break(struct session *session, uint32_t code);
void session_finish_drain(struct session *session);
/* For what the request has unsent now. Set once and never put off: a peer that takes a byte now and
 * then gets no more time by it. */
int64_t session_unread_deadline(const struct request *request);

#endif
