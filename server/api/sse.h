/* text/event-stream: server-sent events as the HTML standard has them (section 9.2). */
#ifndef API_SSE_H
#define API_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct bytes;

/* A comment: nobody sees it, but who is between us and the reader knows that we are there. */
#define SSE_HEARTBEAT SLICE(":\n\n")

/* How long the reader is to wait before it connects again. */
void sse_write_retry(struct bytes *out, int milliseconds);

/* An event: `data` is one line, e.g. JSON. The reader keeps `id` and brings it as Last-Event-ID. */
void sse_write_event(struct bytes *out, int64_t id, const char *name, struct slice data);

/* A Last-Event-ID: the number of an event, or 0. False: no such thing. */
bool sse_read_id(struct slice text, int64_t *id);

#endif
