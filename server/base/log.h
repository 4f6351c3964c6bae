/* The log: one JSON object per line, {"time","level","event","slot",...}. Lines gather in a buffer
 * of 256 KiB and leave without ever blocking: when the reader stands still the buffer fills,
 * further lines are counted as dropped, and one line, log_lines_dropped, tells how many as soon as
 * it flows again. Never put a token, password, phone number, note or key into a line.
 *
 * Several processes may write to one pipe or socket: lines leave whole, in pieces of at most
 * PIPE_BUF bytes, which the kernel doesn't mix (pipe(7)). SIGPIPE must be ignored. One thread per
 * process, no allocation. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define LOG_LINE_MAX 4096 /* with its newline; from a longer one stay the first four members */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Write to `fd` (it's reopened through /proc/self/fd so that O_NONBLOCK stays ours alone; the
 * caller keeps it) from `level` on. `slot`: the worker's number, -1 for the master. Call again
 * after fork: the lines that wait then are the parent's to write. In the same process they go to
 * the new place. */
void log_start(int fd, enum log_level level, int slot);

/* A line: log_begin, then members with the writer, then log_end. NULL: the level is off (log_end
 * takes NULL, too). One line at a time. */
struct json_writer *log_begin(enum log_level level, const char *event);
void log_end(struct json_writer *writer);

/* Shorthand for a line with one message, cut after 1,023 bytes. */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Once per loop turn, and before leaving; errors leave by themselves. False: the reader stands
 * still, log_fd will be writable. True: there is nothing to wait for. That may be because the disk
 * is full: then the lines are kept for the next try; the lines of a reader that has gone are
 * dropped. */
bool log_flush(void);
int log_fd(void); /* -1 before log_start */
uint64_t log_dropped(void);

#endif
