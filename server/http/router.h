/* From method and path to a route. A route table is a static array, ended by {0}; patterns are
 * literal segments and "{id}" ones:
 * "/v1/wallets/{id}/transactions". Literal beats {id}: "/v1/sessions/current" before
 * "/v1/sessions/{id}". */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/request.h"

struct route {
    enum request_method method;
    const char *pattern;
    /* Begin the request's flow; ends in request_answer, now or later. `owner` is what the server
     * was made with. */
    void (*serve)(void *owner, struct request *request);
};

/* Sets request->route and its parameters. NULL: no such path, or `*allow` is set to the methods
 * that path knows ("GET, POST"). HEAD finds GET. */
const struct route *router_find(const struct route *routes, struct request *request,
                                struct slice *allow);

/* Find the route and serve, or answer 404 / 405 (+ Allow) / 413 / 431 problems right here. OPTIONS
 * gives 204 + Allow. */
void router_serve(const struct route *routes, void *owner, struct request *request);

#endif
