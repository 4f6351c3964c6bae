/* systemd's sd_notify protocol (man sd_notify): a datagram to $NOTIFY_SOCKET. Without systemd
 * nothing happens. */
#ifndef OPS_NOTIFY_H
#define OPS_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", several lines with \n between. Never blocks; what can't be
 * sent is lost. */
void notify_send(const char *state);

/* How often WATCHDOG=1 is due, microseconds (half of $WATCHDOG_USEC); 0: not at all, or for another
 * process. */
int64_t notify_watchdog_interval(void);

#endif
