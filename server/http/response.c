#include "http/response.h"

#include <assert.h>

#include "http/request.h"

void response_header_add(struct request *request, const char *name, struct slice value)
{
    struct response *response = &request->response;
    assert(response->header_count < RESPONSE_HEADERS_MAX);
    response->headers[response->header_count++] = (struct response_header){slice_of(name), value};
}

void response_json(struct request *request, int status, struct slice body)
{
    request->response.status = status;
    request->response.content_type = "application/json";
    request->response.body = body;
}
