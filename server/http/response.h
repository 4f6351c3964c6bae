/* A response as api/ fills it in, before request_answer. Part of its request; everything it points
 * to lives in the request's arena or for ever. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stddef.h>

#include "base/slice.h"

struct feed;
struct request;

#define RESPONSE_HEADERS_MAX 16

struct response_header {
    struct slice name; /* lower case */
    struct slice value;
};

struct response {
    int status;
    const char *content_type; /* NULL: no body */
    struct slice body;
    struct feed *feed; /* the body grows (feed_begin); NULL: it's `body` */
    struct response_header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    const char *code; /* the problem's code, for log and metrics; NULL: none */
};

/* Add a header; name and value must live as long as the request (literals, or its arena). */
void response_header_add(struct request *request, const char *name, struct slice value);

/* The response is `body` as application/json. */
void response_json(struct request *request, int status, struct slice body);

#endif
