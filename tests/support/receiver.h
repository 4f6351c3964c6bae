/* Somebody else's HTTPS server (receiver.py says what it does): a process of its own, to be told
 * how to behave, killed, and started again on the same port. */
#ifndef SUPPORT_RECEIVER_H
#define SUPPORT_RECEIVER_H

#include <stdbool.h>
#include <sys/types.h>

struct receiver {
    char folder[64]; /* its certificate, its mode, and what it has heard */
    char ca[80];     /* who signed for "localhost" */
    char requests[80];
    int port;
    pid_t pid; /* 0: it doesn't run */
};

/* On 127.0.0.1; `plain`: without TLS. */
void receiver_start(struct receiver *receiver, bool plain);
void receiver_kill(struct receiver *receiver);    /* SIGKILL */
void receiver_restart(struct receiver *receiver); /* the same port */
void receiver_stop(struct receiver *receiver);    /* and its folder goes */

/* How /hook and /shop answer from now on: "200", "500", "410", "slow 3", "gone", with a second line
 * only bodies that hold it. */
void receiver_mode(const struct receiver *receiver, const char *mode);

#endif
