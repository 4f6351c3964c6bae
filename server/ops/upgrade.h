/* The upgrade: a new master, usually of a new binary, on the same sockets. It gets them by exec and
 * says through a pipe when it serves, or why it doesn't; until then the old one serves. */
#ifndef OPS_UPGRADE_H
#define OPS_UPGRADE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct listen_set;

struct upgrade {
    char program[4096]; /* what is run */
    pid_t pid;          /* the successor on its way; 0: none */
    int fd;
    int64_t deadline;
    char said[400]; /* why it doesn't serve */
    size_t length;
};

enum upgrade_news { UPGRADE_NOTHING, UPGRADE_SERVES, UPGRADE_FAILED };

/* At start: `argv0` is what we were called; what lies there later is the new binary. */
void upgrade_init(struct upgrade *upgrade, const char *argv0);

/* False: one is on its way already, or it couldn't be started (logged). `blocked`: signals that the
 * new one must not have blocked. */
bool upgrade_start(struct upgrade *upgrade, const struct listen_set *sockets, char **argv,
                   const sigset_t *blocked);

/* Every so often. SERVES: it's time to go, the successor is on its own (its process is in *pid).
 * FAILED: logged; it's dead or killed. */
enum upgrade_news upgrade_poll(struct upgrade *upgrade, pid_t *pid);

/* A child has ended; true when it was the successor. What it said is logged. */
bool upgrade_reap(struct upgrade *upgrade, pid_t pid, int status);

/* In the new master: all workers serve. Does nothing in one that was started afresh. */
void upgrade_tell_ready(void);

/* Why we can't start: on standard error, and to the old master, who logs it. Whole lines. */
void upgrade_complain(const char *text);

#endif
