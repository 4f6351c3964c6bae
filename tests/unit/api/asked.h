/* A call that has been asked, without a session: for what the steps are made of. It's never
 * answered: what call_refuse and the call_answer functions leave behind is looked at. */
#ifndef TESTS_ASKED_H
#define TESTS_ASKED_H

#include "api/call.h"
#include "base/arena.h"
#include "base/bytes.h"

struct asked {
    struct service service;
    struct request request;
    struct call call;
};

static inline void asked_start(struct asked *asked, const char *path, const char *body)
{
    memset(asked, 0, sizeof *asked);
    arena_init(&asked->request.arena);
    bytes_init(&asked->request.body, &asked->request.arena);
    asked->request.method = METHOD_POST;
    asked->request.path = slice_of(path);
    asked->request.content_type = SLICE("application/json");
    if (body != NULL)
        bytes_add_text(&asked->request.body, body);
    asked->service.settings.cursor_key[0] = 42;
    asked->call.request = &asked->request;
    asked->call.service = &asked->service;
}

static inline void asked_end(struct asked *asked)
{
    arena_release(&asked->request.arena);
}

#endif
