/* A request that came over no stream: whoever answers it finds nobody waiting. */
#ifndef TESTS_OFFLINE_H
#define TESTS_OFFLINE_H

#include "http/request.h"

static inline struct request *offline_request(enum request_method method, const char *path)
{
    struct request *request = request_new();
    if (request == NULL)
        return NULL;
    request->method = method;
    request->path = slice_of(path);
    request->complete = request->served = true;
    return request;
}

#endif
