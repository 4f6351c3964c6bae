/* The log: one JSON object per line. {"time","level","event","slot","trace_id",...}. Lines gather in a buffer of
 * 256 KiB and leave without ever blocking: when the reader stands still the buffer fills, further lines are counted as
 * dropped and one line tells how many as soon as it flows again. Never put a token, password, phone number, note
 * or key into a line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Write to `fd` (it's reopened through /proc/self/fd so that O_NONBLOCK stays ours alone) from `level` on.
 * `slot`: the worker's number, -1 for the master. Call again after fork. */
void log_start(int fd, enum log_level level, int slot);

/* A line: log_begin, then members with the writer, then log_end. NULL: the level is off. */
struct json_writer *log_begin(enum log_level level, const char *event);
void log_end(struct json_writer *writer);

/* Shorthand for a line with one message. */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Once per loop turn, and before leaving. True: everything is out. */
bool log_flush(void);
int log_fd(void); /* to watch for writability while log_flush says false */
uint64_t log_dropped(void);

#endif
