/* Holds whose time is over are given up by the server itself: every second it looks for some and
 * puts an expiry order for each on the posting queue, as any other movement. The order's key is the
 * hold's, so two servers, a worker that dies in between or days without any end in one expiry; and
 * who comes first to the account's lock wins, the expiry or a capture. */
#ifndef POSTING_EXPIRY_H
#define POSTING_EXPIRY_H

struct ev_loop;
struct expiry;
struct pg_pool;
struct posting_queue;

void expiry_register_metrics(void);

/* NULL: out of memory. It begins with the loop. */
struct expiry *expiry_new(struct ev_loop *loop, struct pg_pool *pool, struct posting_queue *queue);
void expiry_free(struct expiry *expiry); /* after the queue and the pool */

/* No new orders: the server drains. Those under way are still answered. */
void expiry_stop(struct expiry *expiry);

#endif
