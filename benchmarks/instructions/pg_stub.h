/* As much of a PostgreSQL server as libpq needs to send: every statement succeeds without a row.
 * What is counted is the encoding, up to the socket; a real server would only be slower. */
#ifndef INSTRUCTIONS_PG_STUB_H
#define INSTRUCTIONS_PG_STUB_H

#include <stdbool.h>

#include "base/bytes.h"

struct pg_stub {
    char conninfo[300];
    int listener;
    int client;
    bool started;    /* the startup packet has come */
    struct bytes in; /* half a message */
    struct bytes out;
};

/* Listen in `scratch`. False: it could not. */
bool pg_stub_open(struct pg_stub *stub, const char *scratch);

/* Take what has come, answer it. Never waits. */
void pg_stub_serve(struct pg_stub *stub);

#endif
