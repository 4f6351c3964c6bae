/* systemd's sd_notify protocol (man sd_notify): a datagram to $NOTIFY_SOCKET. Without systemd
 * nothing happens. A unit wants Type=notify (or notify-reload) and NotifyAccess=all: at an upgrade
 * the old process names the new one. */
#ifndef OPS_NOTIFY_H
#define OPS_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", several lines with \n between. Never blocks; what can't be
 * sent is lost. */
void notify_send(const char *state);

/* RELOADING=1 with its moment, as Type=notify-reload wants; READY=1 ends it. */
void notify_reloading(void);

/* $WATCHDOG_USEC: systemd kills us when nothing comes for so long, microseconds; 0: it doesn't, or
 * it means another process. */
int64_t notify_watchdog(void);

#endif
