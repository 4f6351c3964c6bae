/* A faulty link: a proxy on a Unix socket, in a thread of its own, between our code and a real
 * PostgreSQL or Redis. It passes everything on until it is told to hang up, to stand still, or to
 * spoil one certain message. */
#ifndef SUPPORT_LINK_H
#define SUPPORT_LINK_H

#include <stdbool.h>

enum link_protocol {
    LINK_RAW,     /* what comes at once is a message */
    LINK_POSTGRES /* protocol version 3: messages are counted one by one */
};

enum link_side { LINK_CLIENT, LINK_SERVER }; /* whose messages */

enum link_fault {
    LINK_HANG_UP, /* instead of passing it on, close both ends */
    LINK_TEAR,    /* pass on half of it, then close both ends */
    LINK_STALL,   /* it and all behind it stay here, on this connection, for ever */
    LINK_GARBLE /* of a client's Bind: the statement's name is spoiled: the server refuses it. Only
                   Binds are counted */
};

struct link;

/* Listens on `path`, connects to the socket `target` for each client. */
struct link *link_new(const char *path, const char *target, enum link_protocol protocol);
void link_free(struct link *link);

/* Message number `n` from now on (0: the next one) of `side`, over all connections together, meets
 * the fault; only that one. */
void link_arm(struct link *link, enum link_side side, long n, enum link_fault fault);
bool link_struck(struct link *link); /* it has happened */
void link_disarm(struct link *link);

void link_cut(struct link *link);                     /* hang up on everybody */
void link_stand_still(struct link *link, bool still); /* nothing passes, nobody is told */
void link_refuse(struct link *link, bool refuse);     /* new clients are hung up on */

#endif
