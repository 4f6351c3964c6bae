/* The courier: makes deliveries of new transactions (store/outbox.h) and brings them to partners'
 * webhooks. One per server tries to lead; one per database does, by an advisory lock of its
 * session. When it dies, its session ends and the next one leads within a quarter of a second; what
 * was on its way is sent again: at least once.
 *
 * - Of a wallet one delivery is on its way at a time, in the order of the wallet's versions: a
 * failed one waits for its next attempt and the wallet's later ones wait behind it. Other wallets
 * go on.
 * - Limits: 8 at once per webhook, of which 4 may be further attempts, 128 in all. A webhook whose
 *   last 5 attempts failed gets one at a time and one a second, until one succeeds: then all that
 *   waits for its next attempt is due at once.
 * - 2xx is delivered; 410 ends the webhook; anything else is tried again (schedule.h). */
#ifndef WEBHOOKS_COURIER_H
#define WEBHOOKS_COURIER_H

#include <stdbool.h>
#include <stdint.h>

struct courier;
struct ev_loop;
struct outbound;

struct courier_settings {
    const char *conninfo;
    uint8_t secret_key[32];
    int64_t timeout_us; /* of one attempt */
};

void courier_register_metrics(void);

/* NULL: out of memory. */
struct courier *courier_new(struct ev_loop *loop, struct outbound *outbound,
                            const struct courier_settings *settings);
void courier_free(struct courier *courier);

/* Begin nothing new. */
void courier_stop(struct courier *courier);
/* Nothing is on its way, or what still is has had 3 s since courier_stop. */
bool courier_is_idle(const struct courier *courier);

bool courier_leads(const struct courier *courier);

#endif
