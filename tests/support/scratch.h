/* A database of a test's own in a running stack's PostgreSQL, with the schema in it: to be filled,
 * broken and thrown away. And a loop that runs until something has come about. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct ev_loop;
struct stack;
struct pg_conn;

struct scratch {
    char name[40];
    char owner[400];      /* conninfo of the superuser that owns it */
    char server[400];     /* conninfo of moolah_server */
    struct pg_conn *conn; /* the owner's, blocking */
};

/* `migrated`: with our schema. */
struct scratch *scratch_new(const struct stack *stack, bool migrated);
/* Another one, the same in all its rows. The original can be copied again, but not used any more.
 */
struct scratch *scratch_copy(const struct stack *stack, struct scratch *original);
void scratch_free(struct scratch *scratch);

/* As its owner; several statements may be in it. Aborts when PostgreSQL refuses. */
void scratch_run(struct scratch *scratch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The one number it answers. */
int64_t scratch_number(struct scratch *scratch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* As moolah_server: is it refused for want of a privilege (42501)? */
bool scratch_forbids(struct scratch *scratch, const char *sql);

/* An empty wallet with its user, in ZAR. */
void scratch_wallet(struct scratch *scratch, const struct uuid *wallet, const struct uuid *owner);

/* The stack's PostgreSQL folder and Redis socket, "/.../run" and "/.../run/redis.sock". */
void scratch_sockets(const struct stack *stack, char folder[128], char redis[160]);

/* Run the loop until `done(what)`; false: 20 s have passed. */
bool scratch_await(struct ev_loop *loop, bool (*done)(void *what), void *what);
/* ... until the flag is up. */
bool scratch_await_flag(struct ev_loop *loop, const bool *flag);

#endif
